"""The tables as moto plays them, and a router on them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.credentials import credentials
from tests.handlers.transcription.stage import LIVE, SESSIONS, Scene
from tests.tables import Index, create_table


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


@pytest.fixture
def scene(dynamodb: Any) -> Scene:
    """A router, and who speaks to it."""
    return Scene(dynamodb)
