"""What tests of meetings share."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.meetings.call_counter import Counter, opened
from tests.handlers.meetings.meeting_setup import Stage, staged
from tests.token_issuer import timed


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
