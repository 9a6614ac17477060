"""Execution of the meetings workflow: its name, its input, and the recording that it processes."""

import hashlib
from dataclasses import dataclass
from typing import Final

from handlers.meetings.meeting_record import MeetingRecord
from handlers.meetings.s3_keys import Recording

HASH_DIGITS: Final = 32
"""Length of the hash in an execution's name."""


@dataclass(frozen=True)
class MeetingExecution:
    """An execution of the workflow: one attempt to process one recording.

    Its name identifies meeting, content and attempt. Step Functions refuses the name of an ended execution for 90 days,
    so a new attempt needs a new name. The hash in the name includes the user, because two users may have the same
    meeting id.
    """

    recording: Recording
    attempt: int

    @classmethod
    def for_record(cls, record: MeetingRecord) -> "MeetingExecution":
        """Return the execution of a record's current attempt."""
        return cls(Recording(record.meeting, record.content), record.attempt)

    @property
    def name(self) -> str:
        """Execution name. It has at most 80 characters if the attempt has at most 20 digits."""
        meeting = self.recording.meeting
        identity = f"{meeting.user}/{meeting.meeting_id}/{self.recording.content}"
        digest = hashlib.sha256(identity.encode()).hexdigest()[:HASH_DIGITS]
        return f"{meeting.meeting_id}-{digest}-{self.attempt}"

    @property
    def input(self) -> dict[str, object]:
        """Input of the execution, which it also passes to each of its steps. Equal executions have equal inputs."""
        meeting = self.recording.meeting
        return {
            "schemaVersion": 1,
            "user": meeting.user,
            "meetingId": meeting.meeting_id,
            "content": self.recording.content,
            "attempt": self.attempt,
        }
