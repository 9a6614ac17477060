"""Keys of the items in voice Q&A's table, and the records of connections, questions and counters.

The table's partition key is `sessionId`, and its sort key is `lectureId`. A guest (a browser user with unauthenticated
Cognito credentials) can read and write the items whose `sessionId` begins with the guest's own Cognito identity id and
`#`. These items are conversations. The keys of all other items begin with a word such as `query`, with which no
identity id begins, so guests cannot access them.

Anyone who knows an identity id can get the guest's credentials with it. So it is only stored in this table, in the
items of connections and questions and in the keys of conversations. These keys need it, because IAM policies can only
compare keys with the identity id. Everything else contains the guest id, a keyed hash of the identity id: other keys of
this table, S3 keys, and messages between Lambda functions.
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html

The content of the items of lectures and conversations is defined in `lectures` and `query_worker/answers`.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import Field

from handlers.common.json_models import Message
from handlers.common.records import Record, Records

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

Key = dict[str, str]
TTL_ATTRIBUTE = "expiresAt"
NO_RANGE_KEY = "-"
"""Value of the sort key `lectureId` in items that belong to no lecture."""
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
    """Return the key of a guest's counter. `counted` names what it counts, and `period` numbers the hour or day."""
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
        """Count one more. Nothing is counted once the limit is exceeded."""
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
    """One question, its state, and the connection of the client that listens to its answer.

    Each try of a worker to answer the question is an attempt. Only the worker that began the current attempt can end it,
    except that the check of the time limit fails a question that has not ended.
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
    """Random name of the invocation that answers or answered the question."""
    pieces_key: str | None = None
    """Key of the stored answer, if the question is answered."""
    spoken_key: str | None = None
    """Key of the spoken answer as one file, if the question is answered and the answer has audio."""
    retryable: bool = False
    """True if a failed question can be asked again."""
    reported: bool = False
    """True if the client was notified of the end of the question, or is not connected any more."""

    @property
    def has_ended(self) -> bool:
        return self.status in {QuestionStatus.ANSWERED, QuestionStatus.FAILED}

    def is_overdue(self, now_ms: int, limit_ms: int) -> bool:
        """Return True if the question is in progress after its time limit. Its worker died, never started, or is too slow."""
        return not self.has_ended and self.asked_ms + limit_ms <= now_ms

    def apply_request(self, new: Self, limit_ms: int) -> Self:
        """Apply a further request of the client. `new` is the question as the client sends it now.

        A question that is answered, or cannot be answered, does not change. If the question is in progress, its end is
        reported to the connection of the request. After a failure, another attempt begins with the fields of the
        request. Only the conversation and the number of attempts stay.
        """
        if self.status is QuestionStatus.ANSWERED or (self.status is QuestionStatus.FAILED and not self.retryable):
            return self
        if self.status is QuestionStatus.FAILED or self.is_overdue(new.asked_ms, limit_ms):
            kept = {"session": self.session, "attempt": self.attempt, "revision": self.revision}
            return new.model_copy(update=kept)
        return self.model_copy(update={"connection": new.connection})

    def begin(self, worker: str) -> Self:
        """Let a worker begin, unless another worker has begun or the question has ended."""
        if self.status is not QuestionStatus.ACCEPTED:
            return self
        changes = {"status": QuestionStatus.RUNNING, "worker": worker, "attempt": self.attempt + 1}
        return self.model_copy(update=changes)

    def is_run_by(self, worker: str) -> bool:
        return self.status is QuestionStatus.RUNNING and self.worker == worker

    def end(self, worker: str, status: QuestionStatus, **fields: object) -> Self:
        """Let a worker end the question, unless it does not run the question any more."""
        return self.model_copy(update={"status": status, **fields}) if self.is_run_by(worker) else self

    def fail_if_overdue(self, now_ms: int, limit_ms: int) -> Self:
        """Fail the question if it is overdue. Its worker does not run it any more."""
        changes = {"status": QuestionStatus.FAILED, "retryable": True, "worker": ""}
        return self.model_copy(update=changes) if self.is_overdue(now_ms, limit_ms) else self

    def mark_reported(self) -> Self:
        """Record that the client was notified of the end, unless it has asked again in the meantime."""
        return self.model_copy(update={"reported": True}) if self.has_ended else self
