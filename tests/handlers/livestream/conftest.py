"""Fixtures for tests of livestream's functions, which run on moto's services."""

from collections.abc import Iterator

import pytest

from tests.handlers.livestream.broadcast import Broadcast
from tests.handlers.livestream.harness import Harness, new_containers, open_harness


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Harness with an empty table, an empty bucket and empty queues."""
    with open_harness(monkeypatch) as opened:
        yield opened


@pytest.fixture
def broadcast(harness: Harness) -> Iterator[Broadcast]:
    """Broadcast that expects a transcript."""
    created = Broadcast(harness)
    with new_containers():
        yield created
