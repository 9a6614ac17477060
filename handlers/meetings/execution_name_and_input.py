"""Name and input of an execution of the meetings workflow, a Step Functions state machine that processes a recording."""

import hashlib
from dataclasses import dataclass
from typing import Final

from handlers.meetings.meeting_record import MeetingRecord
from handlers.meetings.s3_keys import Recording

HASH_DIGITS: Final = 32


@dataclass(frozen=True)
class MeetingExecution:
    """An execution of the workflow: one attempt to process one recording.

    The name identifies the meeting, the recording and the attempt, so the same attempt cannot be started twice. Step
    Functions refuses the name of an ended execution for 90 days, so a new attempt needs a new name.
    """

    recording: Recording
    """Its meeting, and its `content`, a hash that identifies it within the meeting."""
    attempt: int

    @classmethod
    def for_record(cls, record: MeetingRecord) -> "MeetingExecution":
        """Return the execution of a record's current attempt."""
        return cls(Recording(record.meeting, record.content), record.attempt)

    @property
    def name(self) -> str:
        """Execution name. Step Functions allows 80 characters, which leaves 20 for the attempt."""
        meeting = self.recording.meeting
        # The hash contains the user, because two users may have the same meeting id.
        identity = f"{meeting.user}/{meeting.meeting_id}/{self.recording.content}"
        digest = hashlib.sha256(identity.encode()).hexdigest()[:HASH_DIGITS]
        return f"{meeting.meeting_id}-{digest}-{self.attempt}"

    @property
    def input(self) -> dict[str, object]:
        """Input of the execution. The workflow's states also pass these values to the Lambda function `steps`.

        All values must be the same whenever the start is repeated, because Step Functions accepts a repeated start only
        with the same input.
        """
        meeting = self.recording.meeting
        return {
            "schemaVersion": 1,
            "user": meeting.user,
            "meetingId": meeting.meeting_id,
            "content": self.recording.content,
            "attempt": self.attempt,
        }
