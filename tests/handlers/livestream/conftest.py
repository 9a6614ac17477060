"""Fixtures for tests of livestream's functions, which run on moto's services."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from handlers.common import ids
from tests.credentials import credentials
from tests.handlers.livestream.broadcast import Broadcast
from tests.handlers.livestream.harness import (
    BUCKET,
    ENVIRONMENT,
    PARAMETER,
    TABLE,
    Harness,
    cached_client,
    new_containers,
)
from tests.moto_tables import Index, create_table


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Create table, bucket, queues and secret, and give the functions their environment, clients and clock."""
    credentials(monkeypatch)
    with mock_aws():
        attributes = {"VisibilityTimeout": "43200"}  # a slow test receives no message twice
        urls = [
            cached_client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
            for name in ("deletions", "windows")
        ]
        harness = Harness(*urls)
        create_table(harness.dynamodb, TABLE, "pk", "sk", indexes={"GSI1": Index(("GSI1PK", "GSI1SK"))})
        harness.s3.create_bucket(Bucket=BUCKET)
        harness.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        cached_client("ssm").put_parameter(Name=PARAMETER, Value="canary-secret-of-cursors", Type="SecureString")
        environment = {**ENVIRONMENT, "DELETIONS_QUEUE_URL": urls[0], "AGENT_QUEUE_URL": urls[1]}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "client", harness.client)
        monkeypatch.setattr(ids, "now", lambda: harness.now)
        with new_containers():
            yield harness


@pytest.fixture
def broadcast(harness: Harness) -> Iterator[Broadcast]:
    """Broadcast that expects a transcript."""
    created = Broadcast(harness)
    with new_containers():
        yield created
