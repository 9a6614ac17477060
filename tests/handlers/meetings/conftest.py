"""Fixtures for tests of the meetings functions."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.meetings.exchange_harness import ExchangeHarness, create_exchange_harness
from tests.handlers.meetings.meeting_harness import MeetingHarness, create_harness
from tests.token_issuer import replace_clock


@pytest.fixture
def exchange_harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeHarness]:
    """The token exchange with an identity provider and an emulated STS."""
    credentials(monkeypatch)
    with create_exchange_harness() as harness:
        replace_clock(monkeypatch, lambda: harness.clock_seconds)
        yield harness


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeetingHarness]:
    """The meetings functions with an empty table and an empty bucket."""
    with create_harness(monkeypatch) as meeting_harness:
        yield meeting_harness
