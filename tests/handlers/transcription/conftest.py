"""Fixtures for the tests of transcription's handlers: moto's tables, and a harness for both functions."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.handlers.transcription.router_harness import TranscriptionHarness, transcription_tables


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a DynamoDB client. The live table and the session table exist, without items."""
    with transcription_tables(monkeypatch) as client:
        yield client


@pytest.fixture
def harness(dynamodb: Any) -> TranscriptionHarness:
    """Return the router, which answers clients, and the audio processor, which transcribes utterances."""
    return TranscriptionHarness(dynamodb)
