"""The tables as moto plays them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.credentials import credentials
from tests.tables import Index, create_table

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
        create_table(client, LIVE, "pk", indexes={"due": Index(("watched", "due_ms"), "KEYS_ONLY")}, numbers={"due_ms"})
        create_table(client, SESSIONS, "session_id")
        yield client
