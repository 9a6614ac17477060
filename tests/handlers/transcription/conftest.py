"""Fixtures for the tests of transcription's handlers: moto's tables, and a harness for each of the two functions."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.handlers.transcription.processor_harness import ProcessorHarness
from tests.handlers.transcription.router_harness import RouterHarness, transcription_tables


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a DynamoDB client. The live table and the session table exist, without items."""
    with transcription_tables(monkeypatch) as client:
        yield client


@pytest.fixture
def router(dynamodb: Any) -> RouterHarness:
    """Return a router, the function that answers clients."""
    return RouterHarness(dynamodb)


@pytest.fixture
def processor(dynamodb: Any) -> ProcessorHarness:
    """Return an audio processor, the function that transcribes an utterance, with an open session."""
    return ProcessorHarness(dynamodb)
