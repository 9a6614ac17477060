"""What tests of meetings share."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.meetings.control_stage import Stage, staged
from tests.handlers.meetings.counter import Counter, opened
from tests.issuer import timed


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    """The exchange, with a provider and STS."""
    credentials(monkeypatch)
    with opened() as one:
        timed(monkeypatch, lambda: one.seconds)
        yield one


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A meeting's way, empty."""
    with staged(monkeypatch) as one:
        yield one
