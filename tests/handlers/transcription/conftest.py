"""The tables as moto plays them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.credentials import credentials

LIVE, SESSIONS = "live", "sessions"


@cache
def _client() -> Any:
    """Made once: most of a test's time would be its."""
    return boto3.client("dynamodb")


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Both tables, empty."""
    credentials(monkeypatch)
    with mock_aws():
        client = _client()
        client.create_table(
            TableName=LIVE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "watched", "AttributeType": "S"},
                {"AttributeName": "due_ms", "AttributeType": "N"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "due",
                    "KeySchema": [
                        {"AttributeName": "watched", "KeyType": "HASH"},
                        {"AttributeName": "due_ms", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        client.create_table(
            TableName=SESSIONS,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "session_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "session_id", "AttributeType": "S"}],
        )
        yield client
