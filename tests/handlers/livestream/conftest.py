"""Fixture for tests of the REST API and of the functions that share its table and bucket."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.credentials import credentials
from tests.handlers.livestream.rest_api_harness import (
    BUCKET,
    PARAMETER,
    SECRET,
    TABLE,
    ApiHarness,
    MultipartBucket,
    clients,
)
from tests.handlers.livestream.transcript_harness import Broadcast, open_broadcast
from tests.moto_tables import Index, create_table


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiHarness]:
    """Harness with an empty table and an empty bucket."""
    credentials(monkeypatch)
    with mock_aws():
        dynamodb, s3 = clients()["dynamodb"], clients()["s3"]
        s3.create_bucket(Bucket=BUCKET)
        clients()["ssm"].put_parameter(Name=PARAMETER, Value=SECRET, Type="SecureString")
        indexes = {"GSI1": Index(("GSI1PK", "GSI1SK")), "GSI2": Index(("GSI2PK", "GSI2SK"), "KEYS_ONLY")}
        create_table(dynamodb, TABLE, "pk", "sk", indexes=indexes)
        yield ApiHarness(dynamodb, MultipartBucket(s3))


@pytest.fixture
def broadcast(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcast]:
    with open_broadcast(harness, monkeypatch) as opened:
        yield opened
