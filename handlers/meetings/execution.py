"""An execution of the workflow: one attempt at one recording. Pure.

Its name says of which meeting it is, of which content, and which attempt: the name of an execution that has ended is
refused for 90 days, so that what is begun anew has a number of its own. The hash has the user in it: two users may call
a meeting the same.
"""

import hashlib
from dataclasses import dataclass

from handlers.meetings.places import Recording
from handlers.meetings.records import MeetingRecord

HASH_DIGITS = 32


@dataclass(frozen=True)
class Execution:
    """One attempt."""

    recording: Recording
    attempt: int

    @classmethod
    def of(cls, record: MeetingRecord) -> "Execution":
        """The one that a meeting's item is about."""
        return cls(Recording(record.meeting, record.content), record.attempt)

    @property
    def name(self) -> str:
        """At most 80 characters, as long as a meeting is begun anew less than 10^20 times."""
        meeting = self.recording.meeting
        said = f"{meeting.user}/{meeting.meeting_id}/{self.recording.content}"
        digest = hashlib.sha256(said.encode()).hexdigest()[:HASH_DIGITS]
        return f"{meeting.meeting_id}-{digest}-{self.attempt}"

    @property
    def input(self) -> dict[str, object]:
        """What the workflow is given, and gives each of its steps. The same again is the same text."""
        meeting = self.recording.meeting
        return {
            "schemaVersion": 1,
            "user": meeting.user,
            "meetingId": meeting.meeting_id,
            "content": self.recording.content,
            "attempt": self.attempt,
        }
