"""Keys of the items in voice Q&A's table, and the records of connections, questions, counters and lectures. The WebSocket
handler, the query worker and the lecture validator read and write them.

The table's partition key is `sessionId`, and its sort key is `lectureId`. A guest is a browser user with unauthenticated
Cognito credentials. Guests can read and, in some stacks, write the items whose `sessionId` begins with their own Cognito
identity id and `#`. These items are conversations. The keys of all other items begin with a word such as `query`, with
which no identity id begins, so guests cannot access them.

Anyone who knows an identity id can get the guest's credentials with it. So it is only stored in this table, in the
items of connections and questions and in the keys of conversations. These keys need it, because IAM policies can only
compare keys with the identity id. Everything else contains the guest id, a keyed hash of the identity id: other keys of
this table, S3 keys, and messages between Lambda functions.
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html

A lecture is a recording about which guests ask questions, one object of the audio bucket, `lectures/<lectureId>/<name>`.
Its item is created when a guest requests a form for the upload, or with the first verdict if an operator uploads it. The
lecture validator writes its verdict on each uploaded version, and the other functions read from the item whether guests
can ask about the lecture. The items of lectures do not expire.

A method of a record that changes it returns a changed copy. `Records.change` writes the copy. If another invocation wrote
first, it calls the method again with the newer record.

The content of the items of conversations is defined in `query_worker/answer_storage.py`.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import Field

from handlers.common.errors import HandlerError
from handlers.common.events import is_later
from handlers.common.ids import ULID_PATTERN
from handlers.common.json_models import Message
from handlers.common.records import Record, Records
from handlers.voice_qa.environment import LECTURES
from handlers.voice_qa.messages import (
    LectureReport,
    LectureState,
    QuestionNotAnswered,
    RejectionReason,
    VoiceQaErrorCode,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

Key = dict[str, str]
TTL_ATTRIBUTE = "expiresAt"
NO_RANGE_KEY = "-"
"""Value of the sort key `lectureId` in the items of connections, questions and counters."""
DAY_SECONDS = 24 * 3600
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CHECK_GRACE_SECONDS = 5
"""Time from a question's time limit to the check of this limit. It exceeds the difference between the clocks of two Lambda
functions, so that no check comes too early."""


def lecture_key(lecture_id: str) -> Key:
    return {"sessionId": f"lecture#{lecture_id}", "lectureId": lecture_id}


def connection_key(connection_id: str) -> Key:
    return {"sessionId": f"connection#{connection_id}", "lectureId": NO_RANGE_KEY}


def query_key(guest_id: str, query_id: str) -> Key:
    return {"sessionId": f"query#{guest_id}#{query_id}", "lectureId": NO_RANGE_KEY}


def counter_key(guest_id: str, counted: str, period: int) -> Key:
    """Return the key of a guest's counter of `lectures` or `queries`. `period` is the number of the day or hour."""
    return {"sessionId": f"counter#{guest_id}#{counted}#{period}", "lectureId": NO_RANGE_KEY}


def conversation_key(identity: str, session: str, lecture_id: str) -> Key:
    """Return the key of a conversation, which its guest can read."""
    return {"sessionId": f"{identity}#{session}", "lectureId": lecture_id}


R = TypeVar("R", bound=Record)


def expiring_records(
    client: "DynamoDBClient", table: str, model: type[R], kept_days: int, clock_ms: Callable[[], int]
) -> Records[R]:
    """Return the gateway of records that DynamoDB deletes some days after their last change."""
    return Records(client, table, model, lambda _: {TTL_ATTRIBUTE: clock_ms() // 1000 + kept_days * DAY_SECONDS})


class QuestionReference(Message):
    """Event of the query worker, the function that answers a question, and message of the queue of time limit checks.

    It has no text, so that failed events can be stored. SQS delivers the check to the WebSocket handler after the
    question's time limit. The handler then checks that the question has ended, and that its client was notified.
    """

    schema_version: Literal[1] = 1
    guest_id: str
    query_id: str


class GuestConnection(Record):
    """The guest of one WebSocket connection, whom the signed handshake identified."""

    identity: Annotated[str, Field(repr=False)]
    """Cognito identity id of the guest."""
    guest_id: str
    """Keyed hash of the identity id."""


class Counter(Record):
    """Number of a guest's lectures in a day, or of a guest's questions in an hour."""

    count: int = 0

    def add(self, limit: int) -> Self:
        """Count one more. A count above the limit means that the request is refused, and does not grow further."""
        return self if self.count > limit else self.model_copy(update={"count": self.count + 1})


class QuestionStatus(StrEnum):
    """Status of a question."""

    ACCEPTED = "accepted"
    """The question waits for a worker."""
    RUNNING = "running"
    """A worker is answering the question."""
    ANSWERED = "answered"
    """The answer is complete and stored."""
    FAILED = "failed"


class Question(Record):
    """One question, its state, and the connection to which its end is reported.

    Each try of a worker to answer the question is an attempt. Only the worker that began the current attempt can end it.
    The check of the time limit can also fail a question that has not ended.
    """

    status: QuestionStatus = QuestionStatus.ACCEPTED
    identity: Annotated[str, Field(repr=False)]
    """Cognito identity id of the guest, for the key of the conversation."""
    lecture: str
    """Id of the lecture. The name differs from the table's sort key, `lectureId`."""
    session: str
    """Id of the conversation."""
    audio_key: str | None = None
    """Key of a spoken question's audio."""
    text: Annotated[str | None, Field(repr=False)] = None
    """Text of a written question."""
    language: str
    connection: str
    """Id of the connection on which the question was last asked."""
    asked_ms: int
    """Time of the request that a worker is answering, or will answer."""
    attempt: int = 0
    """Number of answer attempts so far."""
    worker: str = ""
    """Random name of the invocation that answers or answered the question. Empty after the time limit check failed it."""
    pieces_key: str | None = None
    """Key of the stored answer, if the question is answered."""
    spoken_key: str | None = None
    """Key of the spoken answer as one file, if the question is answered and the answer has audio."""
    retryable: bool = False
    """True if a failed question can be asked again."""
    reported: bool = False
    """True if the client was notified that the question has ended, or is not connected any more."""

    @property
    def has_ended(self) -> bool:
        return self.status in {QuestionStatus.ANSWERED, QuestionStatus.FAILED}

    def is_overdue(self, now_ms: int, limit_ms: int) -> bool:
        """Return True if the question is in progress after its time limit. Its worker died, never started, or is too slow."""
        return not self.has_ended and self.asked_ms + limit_ms <= now_ms

    def apply_request(self, new: Self, limit_ms: int) -> Self:
        """Apply a further request of the client. `new` is the question as the client sends it now.

        A question that is answered, or cannot be answered, does not change. If the question is in progress, its end is
        reported to the connection of the request. After a failure or the time limit, another attempt begins with the
        fields of the request. Only the conversation and the number of attempts stay.
        """
        if self.status is QuestionStatus.ANSWERED or (self.status is QuestionStatus.FAILED and not self.retryable):
            return self
        if self.status is QuestionStatus.FAILED or self.is_overdue(new.asked_ms, limit_ms):
            return new.model_copy(update={"session": self.session, "attempt": self.attempt})
        return self.model_copy(update={"connection": new.connection})

    def begin(self, worker: str) -> Self:
        """Let a worker begin, unless another worker has begun or the question has ended."""
        if self.status is not QuestionStatus.ACCEPTED:
            return self
        return self.model_copy(update={"status": QuestionStatus.RUNNING, "worker": worker, "attempt": self.attempt + 1})

    def is_run_by(self, worker: str) -> bool:
        return self.status is QuestionStatus.RUNNING and self.worker == worker

    def end(self, worker: str, status: QuestionStatus, **fields: object) -> Self:
        """Let a worker end the question with a status, unless it does not run the question any more."""
        return self.model_copy(update={"status": status, **fields}) if self.is_run_by(worker) else self

    def fail_if_overdue(self, now_ms: int, limit_ms: int) -> Self:
        """Fail the question if it is overdue. After that, its worker cannot end it any more."""
        changes = {"status": QuestionStatus.FAILED, "retryable": True, "worker": ""}
        return self.model_copy(update=changes) if self.is_overdue(now_ms, limit_ms) else self

    def mark_reported(self) -> Self:
        """Set `reported`, unless the client has asked again in the meantime, so that the question is in progress."""
        return self.model_copy(update={"reported": True}) if self.has_ended else self


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

        A lecture has only one key, unless an operator uploads a second object. S3 does not order the events of different
        keys, so the event that arrives last then counts.
        """
        return self.key != key or is_later(sequencer, self.sequencer)

    def apply_verdict(self, verdict: "Lecture") -> "Lecture":
        """Return the lecture after a verdict, which is a lecture without an owner. The owner of this lecture is kept. A
        verdict on an older version changes nothing.
        """
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
        """Return a lecture that guests can ask about. Raises QuestionNotAnswered for any other lecture."""
        lecture = self._records.read(lecture_key(lecture_id))
        if lecture is None:
            raise QuestionNotAnswered(VoiceQaErrorCode.LECTURE_UNKNOWN, "There is no lecture with this id.")
        if lecture.status is LectureState.REJECTED:
            raise QuestionNotAnswered(VoiceQaErrorCode.LECTURE_REJECTED, lecture.message or "It cannot be used.")
        if lecture.status is not LectureState.READY:
            raise QuestionNotAnswered(
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
