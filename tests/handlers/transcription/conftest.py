"""Fixtures for the tests of transcription's handlers: tables in memory, and a harness for both functions."""

from typing import Any

import pytest

from tests.handlers.transcription.router_harness import TranscriptionHarness, create_tables


@pytest.fixture
def dynamodb() -> Any:
    """Return a DynamoDB client. The live table and the session table exist, without items."""
    return create_tables()


@pytest.fixture
def harness(dynamodb: Any) -> TranscriptionHarness:
    """Return the router, which answers clients, and the audio processor, which transcribes utterances."""
    return TranscriptionHarness(dynamodb)
