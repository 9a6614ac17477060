"""Fixtures for the tests of transcription's handlers: a table in memory, and a harness for both functions."""

from typing import Any

import pytest

from tests.handlers.transcription.router_harness import TranscriptionHarness, create_table


@pytest.fixture
def dynamodb() -> Any:
    """Return a DynamoDB client. The session table exists, without items."""
    return create_table()


@pytest.fixture
def harness(dynamodb: Any) -> TranscriptionHarness:
    """Return the router, which answers clients, and the audio processor, which transcribes utterances."""
    return TranscriptionHarness(dynamodb)
