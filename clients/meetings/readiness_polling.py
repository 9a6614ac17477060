"""Waits until a meeting is ready: asks seldomer the longer it takes. Pure, but for what it is given to ask and wait with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.meetings.client_errors import MeetingFailed, MeetingIncomplete, NotReadyInTime
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 60.0
GROWTH = 1.5
NOTICED_SECONDS = 60.0
"""How long it may take until what was just uploaded is noticed. Before, a meeting still lacks it, or has failed without it."""


def pauses() -> Iterator[float]:
    """Seconds between one question and the next."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * GROWTH, LONGEST_PAUSE_SECONDS)


@dataclass(frozen=True)
class Waiting:
    """How somebody waits."""

    find: Callable[[str], MeetingRecord | None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def until_ready(self, meeting_id: str, content: str | None, timeout_seconds: float) -> MeetingRecord:
        """The meeting; raises MeetingFailed, MeetingIncomplete or NotReadyInTime."""
        begun = self.clock()
        ends = begun + timedelta(seconds=timeout_seconds)
        lacking_since: datetime | None = None
        first = True
        failed_before: int | None = None
        for pause in pauses():
            record = self.find(meeting_id)
            now = self.clock()
            left = (ends - now).total_seconds()
            status = record.status if record is not None and content in {None, record.content} else None
            if record is not None and status is MeetingStatus.READY:
                return record
            if record is not None and status is MeetingStatus.FAILED:
                if first and content is not None:
                    failed_before = record.attempt  # it may have been uploaded again since
                noticed = now - begun >= timedelta(seconds=NOTICED_SECONDS)
                if record.attempt != failed_before or noticed or left <= 0:
                    raise MeetingFailed(record)
            first = False
            if record is not None and status is MeetingStatus.INCOMPLETE:
                lacking_since = lacking_since or now
                if now - lacking_since >= timedelta(seconds=NOTICED_SECONDS):
                    raise MeetingIncomplete(record)
            else:
                lacking_since = None
            if left <= 0:
                raise NotReadyInTime(meeting_id, record)
            self.sleep(min(pause, left))
        raise AssertionError("pauses never end")
