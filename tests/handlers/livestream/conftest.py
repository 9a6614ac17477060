"""Fixtures for tests of livestream's functions, which run on moto's services."""

from collections.abc import Iterator

import pytest

from tests.handlers.livestream.rest_api_harness import ApiHarness, open_api
from tests.handlers.livestream.transcript_harness import Broadcast, open_broadcast


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiHarness]:
    """Harness with an empty table, an empty bucket and an empty queue."""
    with open_api(monkeypatch) as opened:
        yield opened


@pytest.fixture
def broadcast(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcast]:
    with open_broadcast(harness, monkeypatch) as opened:
        yield opened
