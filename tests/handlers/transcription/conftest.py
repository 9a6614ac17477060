"""Fixtures of transcription's handler tests: moto's tables, a router and an audio processor."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.handlers.transcription.live_setup import Booth
from tests.handlers.transcription.router_setup import Scene, tables


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a DynamoDB client with both tables, empty."""
    with tables(monkeypatch) as client:
        yield client


@pytest.fixture
def scene(dynamodb: Any) -> Scene:
    """Return a router with its tables and fakes."""
    return Scene(dynamodb)


@pytest.fixture
def booth(dynamodb: Any) -> Booth:
    """Return an audio processor with an open session."""
    made = Booth(dynamodb)
    made.open()
    return made
