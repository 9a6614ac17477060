"""Fixture for tests of the media job."""

from pathlib import Path

import pytest

from tests.handlers.meetings.media_job.job_harness import JobHarness
from tests.handlers.meetings.meeting_harness import MeetingHarness


@pytest.fixture
def harness(harness: MeetingHarness, tmp_path: Path) -> JobHarness:
    """The media job with an empty bucket."""
    return JobHarness(harness, tmp_path)
