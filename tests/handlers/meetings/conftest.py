"""Fixture for tests of the meetings functions."""

from collections.abc import Iterator

import pytest

from tests.handlers.meetings.meeting_harness import MeetingHarness, create_harness


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeetingHarness]:
    """The meetings functions with an empty table and an empty bucket."""
    with create_harness(monkeypatch) as meeting_harness:
        yield meeting_harness
