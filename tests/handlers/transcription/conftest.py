"""Fixture for the tests of transcription's handlers."""

import pytest

from tests.handlers.transcription.router_harness import TranscriptionHarness


@pytest.fixture
def harness() -> TranscriptionHarness:
    """Return the router, which answers clients, and the audio processor, which transcribes utterances."""
    return TranscriptionHarness()
