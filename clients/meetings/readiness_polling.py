"""Polling of a meeting until it is ready, with growing pauses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.meetings.client_errors import MeetingFailed, MeetingIncomplete, NotReadyInTime
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 2.0, 60.0
GROWTH = 1.5
"""Factor by which each pause exceeds the previous pause."""
NOTICED_SECONDS = 60.0
"""Maximum time until the backend notices an upload. Until then, the meeting may still show its older state."""


def generate_pauses() -> Iterator[float]:
    """Yield the seconds between requests."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * GROWTH, MAX_PAUSE_SECONDS)


@dataclass(frozen=True)
class ReadinessPolling:
    """Polling of meetings with a clock and a sleep function. `find` returns the current record of a meeting."""

    find: Callable[[str], MeetingRecord | None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def wait(self, meeting_id: str, content: str | None, timeout_seconds: float) -> MeetingRecord:
        """Return the ready meeting. Raises MeetingFailed, MeetingIncomplete or NotReadyInTime.

        With a `content`, only the status of this recording counts. A failure that exists at the start may be older than
        the upload, so it is raised only after `NOTICED_SECONDS` or at the timeout. Missing chunks are raised once the
        meeting has been incomplete for `NOTICED_SECONDS`. Without a `content`, every failure is raised at once.
        """
        started_at = self.clock()
        deadline = started_at + timedelta(seconds=timeout_seconds)
        incomplete_since: datetime | None = None
        is_first = True
        failed_attempt: int | None = None  # attempt of the failure that existed at the start
        for pause in generate_pauses():
            record = self.find(meeting_id)
            now = self.clock()
            seconds_left = (deadline - now).total_seconds()
            status = record.status if record is not None and content in {None, record.content} else None
            if record is not None and status is MeetingStatus.READY:
                return record
            if record is not None and status is MeetingStatus.FAILED:
                if is_first and content is not None:
                    failed_attempt = record.attempt
                upload_is_noticed = now - started_at >= timedelta(seconds=NOTICED_SECONDS)
                if record.attempt != failed_attempt or upload_is_noticed or seconds_left <= 0:
                    raise MeetingFailed(record)
            is_first = False
            if record is not None and status is MeetingStatus.INCOMPLETE:
                incomplete_since = incomplete_since or now
                if now - incomplete_since >= timedelta(seconds=NOTICED_SECONDS):
                    raise MeetingIncomplete(record)
            else:
                incomplete_since = None
            if seconds_left <= 0:
                raise NotReadyInTime(meeting_id, record)
            self.sleep(min(pause, seconds_left))
        raise AssertionError("the iterator of pauses ended")
