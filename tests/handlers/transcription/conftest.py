"""Fixtures for the tests of transcription's handlers: moto's tables, a router and an audio processor."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.handlers.transcription.processor_harness import ProcessorHarness
from tests.handlers.transcription.router_harness import RouterHarness, transcription_tables


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a DynamoDB client of both tables, which have no items."""
    with transcription_tables(monkeypatch) as client:
        yield client


@pytest.fixture
def router(dynamodb: Any) -> RouterHarness:
    """Return a router with its tables and fakes."""
    return RouterHarness(dynamodb)


@pytest.fixture
def processor(dynamodb: Any) -> ProcessorHarness:
    """Return an audio processor with an open session."""
    return ProcessorHarness(dynamodb)
