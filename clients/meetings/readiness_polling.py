"""Polling of a meeting's record until the meeting is ready, with growing pauses.

A user can upload a failed recording again, or another recording for the same meeting. Until the backend has processed
the upload, the record still has its old state, for which the polling must raise no error.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.meetings.client_errors import MeetingFailed, MeetingIncomplete, NotReadyInTime
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 2.0, 60.0
PAUSE_FACTOR = 1.5
"""Factor by which each pause exceeds the previous pause."""
UPDATE_SECONDS = 60.0
"""Time within which the backend is expected to update the record after an upload."""


def generate_pauses() -> Iterator[float]:
    """Yield the pauses between requests, in seconds."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * PAUSE_FACTOR, MAX_PAUSE_SECONDS)


@dataclass(frozen=True)
class ReadinessPolling:
    """Polling of meetings. `find` returns the current record of a meeting, or None if there is none."""

    find: Callable[[str], MeetingRecord | None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def wait(self, meeting_id: str, content: str | None, timeout_seconds: float) -> MeetingRecord:
        """Return the record of the meeting when it is ready, or raise NotReadyInTime at the timeout.

        `content` identifies the recording that was uploaded. The status of another recording is ignored. If `content`
        is None, any status counts.

        Raises MeetingFailed. With a `content`, a failure that the first request finds may be older than the upload, so
        it is raised only after `UPDATE_SECONDS` or at the timeout. Raises MeetingIncomplete once the meeting has been
        incomplete for `UPDATE_SECONDS`.
        """
        started_at = self.clock()
        deadline = started_at + timedelta(seconds=timeout_seconds)
        incomplete_since: datetime | None = None
        is_first = True
        old_failed_attempt: int | None = None  # processing attempt of a failure that the first request found
        for pause in generate_pauses():
            record = self.find(meeting_id)
            now = self.clock()
            seconds_left = (deadline - now).total_seconds()
            status = record.status if record is not None and content in {None, record.content} else None
            if record is not None and status is MeetingStatus.READY:
                return record
            if record is not None and status is MeetingStatus.FAILED:
                if is_first and content is not None:
                    old_failed_attempt = record.attempt
                update_time_is_over = now - started_at >= timedelta(seconds=UPDATE_SECONDS)
                if record.attempt != old_failed_attempt or update_time_is_over or seconds_left <= 0:
                    raise MeetingFailed(record)
            is_first = False
            if record is not None and status is MeetingStatus.INCOMPLETE:
                incomplete_since = incomplete_since or now
                if now - incomplete_since >= timedelta(seconds=UPDATE_SECONDS):
                    raise MeetingIncomplete(record)
            else:
                incomplete_since = None
            if seconds_left <= 0:
                raise NotReadyInTime(meeting_id, record)
            self.sleep(min(pause, seconds_left))
        raise AssertionError("the iterator of pauses ended")
