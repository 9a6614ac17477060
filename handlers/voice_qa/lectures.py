"""Lectures: recordings about which guests ask questions, and the items of voice Q&A's table with their state.

A lecture is one object of the audio bucket, `lectures/<lectureId>/<name>`. Its item is created when a guest requests a
form for the upload, or with the first verdict if an operator uploads it. The lecture validator writes its verdict on
each uploaded version, and the other functions read from the item whether guests can ask about the lecture. The items do
not expire.
"""

import re
from typing import TYPE_CHECKING

from handlers.common.errors import HandlerError
from handlers.common.events import is_later
from handlers.common.ids import ULID_PATTERN
from handlers.common.records import Record, Records
from handlers.voice_qa.environment import LECTURES
from handlers.voice_qa.messages import (
    LectureReport,
    LectureState,
    RejectionReason,
    UnanswerableQuestion,
    VoiceQaErrorCode,
)
from handlers.voice_qa.records import lecture_key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

_KEY = re.compile(rf"{LECTURES}({ULID_PATTERN})/[^/]+", re.DOTALL)


def parse_lecture_id(key: str) -> str | None:
    """Return the id of the lecture to which an object belongs, or None if its key is not `lectures/<lectureId>/<name>`."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


class Lecture(Record):
    """A lecture, and the uploaded version on which its state is based. Before the first verdict, there is no version."""

    owner: str = ""
    """Guest id of the guest who uploads the lecture. Empty if an operator uploads it."""
    status: LectureState = LectureState.PENDING
    code: RejectionReason | None = None
    message: str | None = None
    """Reason for the rejection as a sentence for the guest."""
    format: str = ""
    """Name of an `AudioFormat`, if the lecture is ready."""
    duration_ms: int = 0
    key: str = ""
    version_id: str = ""
    sequencer: str = "0"
    """S3's number of the event that announced the version."""

    def is_older_than(self, key: str, sequencer: str) -> bool:
        """Return True if the item describes an older version than the one that an event announces, or none.

        A lecture has only one key, unless an operator uploads a second object, and then the event that arrives last
        counts, because S3 does not order the events of different keys.
        """
        return self.key != key or is_later(sequencer, self.sequencer)

    def apply_verdict(self, verdict: "Lecture") -> "Lecture":
        """Return the lecture after a verdict, which has no owner. A verdict on an older version changes nothing."""
        if not self.is_older_than(verdict.key, verdict.sequencer):
            return self
        return verdict.model_copy(update={"owner": self.owner})


class LectureTable:
    """Gateway for the items of lectures."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._records = Records(client, name, Lecture)

    def find(self, lecture_id: str) -> Lecture:
        """Return a lecture. A lecture without an item has the default state."""
        return self._records.read(lecture_key(lecture_id)) or Lecture()

    def find_ready(self, lecture_id: str) -> Lecture:
        """Return a lecture that guests can ask about. Raises UnanswerableQuestion for any other lecture."""
        lecture = self._records.read(lecture_key(lecture_id))
        if lecture is None:
            raise UnanswerableQuestion(VoiceQaErrorCode.LECTURE_UNKNOWN, "There is no lecture with this id.")
        if lecture.status is LectureState.REJECTED:
            raise UnanswerableQuestion(VoiceQaErrorCode.LECTURE_REJECTED, lecture.message or "It cannot be used.")
        if lecture.status is not LectureState.READY:
            raise UnanswerableQuestion(
                VoiceQaErrorCode.LECTURE_NOT_READY, "The lecture is not ready yet. Ask again later.", retryable=True
            )
        return lecture

    def apply_verdict(self, lecture_id: str, verdict: Lecture) -> None:
        """Write a verdict, unless the item describes a newer version."""
        self._records.change(lecture_key(lecture_id), lambda stored: (stored or Lecture()).apply_verdict(verdict))

    def store_owner(self, lecture_id: str, owner: str) -> None:
        """Create the item of a lecture that a guest will upload."""
        self._records.change(lecture_key(lecture_id), lambda stored: stored or Lecture(owner=owner))

    def report(self, lecture_id: str, owner: str) -> LectureReport:
        """Return the state of a lecture. Raises HandlerError if it has another owner or does not exist."""
        lecture = self.find(lecture_id)
        if lecture.owner != owner:
            raise HandlerError(VoiceQaErrorCode.LECTURE_UNKNOWN, "You have uploaded no lecture with this id.")
        return LectureReport(
            lecture_id=lecture_id,
            state=lecture.status,
            code=lecture.code,
            message=lecture.message,
            duration_ms=lecture.duration_ms if lecture.status is LectureState.READY else None,
        )
