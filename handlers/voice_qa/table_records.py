"""Keys of the items in voice Q&A's table, and the states of connections, questions and allowances (limits of a guest).

The table's partition key is `sessionId`, and its sort key is `lectureId`. A guest (a browser user with unauthenticated
Cognito credentials) can read and write the items whose `sessionId` begins with the guest's own Cognito identity id and
`#`. These items are conversations. The keys of all other items begin with a word such as `query`, with which no
identity id begins, so guests cannot access them.

Anyone who knows an identity id can get the guest's credentials with it. So it is only stored in this table, in the
items of connections and questions and in the keys of conversations. These keys need it, because IAM policies can only
compare keys with the identity id. Everything else contains the guest id, a keyed hash of the identity id: other keys of
this table, S3 keys, and messages between Lambda functions.
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html

The content of the items of lectures and conversations is defined in `lecture_table` and `conversations`. A field's
alias is its stored name.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints

from handlers.common.ids import USER_ID_PATTERN
from handlers.common.json_models import Message
from handlers.common.versioned_items import VersionedState
from handlers.voice_qa.websocket_messages import QueryId, VoiceQaErrorCode

Key = dict[str, str]
TTL_ATTRIBUTE = "expiresAt"
NO_RANGE_KEY = "-"
"""Value of the sort key `lectureId` in items that belong to no lecture."""
DAY_SECONDS = 24 * 3600
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MAX_CALLS = 20
"""Maximum number of worker invocations for one question. Each invocation costs money, even if it only sends a stored
answer."""
CHECK_GRACE_SECONDS = 5
"""Time from a question's time limit to the check of this limit. In this time, a worker that reached the limit can still
report the failure itself. The time also exceeds the difference between the clocks of two Lambda functions."""
RETRY_MS = 50_000
"""Minimum time from the start of an invocation to its retry by Lambda, which retries a failed invocation after a
minute. A repeated invocation that begins earlier is a duplicate delivery, so the first invocation may still be
running."""


def lecture_key(lecture_id: str) -> Key:
    return {"sessionId": f"lecture#{lecture_id}", "lectureId": lecture_id}


def connection_key(connection_id: str) -> Key:
    return {"sessionId": f"connection#{connection_id}", "lectureId": NO_RANGE_KEY}


def query_key(guest_id: str, query_id: str) -> Key:
    return {"sessionId": f"query#{guest_id}#{query_id}", "lectureId": NO_RANGE_KEY}


def allowance_key(guest_id: str) -> Key:
    return {"sessionId": f"allowance#{guest_id}", "lectureId": NO_RANGE_KEY}


def conversation_key(identity: str, session: str, lecture_id: str) -> Key:
    """Return the key of a conversation, which its guest can read."""
    return {"sessionId": f"{identity}#{session}", "lectureId": lecture_id}


GuestId = Annotated[str, StringConstraints(pattern=rf"^{USER_ID_PATTERN}$")]
"""Guest id in the messages between functions: a keyed hash of the guest's Cognito identity id."""


class WorkerEvent(Message):
    """Event of the query worker, the Lambda function that answers questions: the question to answer."""

    schema_version: Literal[1] = 1
    guest_id: GuestId
    query_id: QueryId


class TimeLimitCheck(Message):
    """Message that SQS delivers after a question's time limit. Each invocation of the worker has such a message.

    The WebSocket handler then checks that the question has ended, and that its client was notified.
    """

    schema_version: Literal[1] = 1
    guest_id: GuestId
    query_id: QueryId
    call: Annotated[int, Field(ge=1)]
    """Number of the worker's invocation among those for the question, from 1."""


class GuestConnection(VersionedState):
    """The guest of one WebSocket connection, whom the signed handshake identified."""

    identity: str = Field(default="", repr=False)
    """Cognito identity id of the guest."""
    guest_id: str = ""
    """Keyed hash of the identity id."""


class QuestionStatus(StrEnum):
    """Status of a question."""

    NEW = "new"
    """The question has no record yet."""
    ACCEPTED = "accepted"
    """The question waits for a worker."""
    RUNNING = "running"
    """A worker is answering the question."""
    ANSWERED = "answered"
    """The answer is complete and stored."""
    FAILED = "failed"


class Listener(VersionedState):
    """The connection that receives an answer in numbered pieces, and the first piece that it needs."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    connection: str = ""
    """Id of the connection. Empty if no client listens."""
    attempt: int = 1
    """The answer attempt to which `resume_from` refers."""
    resume_from: int = 0
    request_count: int = Field(default=0, alias="times")
    """Number of requests for the answer so far. If a client repeats its request on the same connection, only this number
    changes, and the pieces are sent again."""

    def first_piece(self, attempt: int) -> int:
        """Return the number of the first piece of an attempt that the client needs. It is 0 if the client named another
        attempt.
        """
        return self.resume_from if attempt == self.attempt else 0


class QuestionRecord(VersionedState):
    """One question, its state, and the listener of its answer."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    status: QuestionStatus = QuestionStatus.NEW
    identity: str = Field(default="", repr=False)
    """Cognito identity id of the guest, for the key of the conversation."""
    lecture_id: str = ""
    session: str = ""
    """Id of the conversation."""
    audio_key: str | None = None
    """Key of a spoken question's audio."""
    text: str | None = None
    """Text of a written question."""
    language: str = "en-US"
    listener: Listener = Field(default=Listener(), alias="place")
    attempt: int = 0
    """Number of answer attempts so far."""
    running_until_ms: int = 0
    """Time at which the current attempt must have ended. After this time, a request starts a new attempt."""
    begun_ms: int = 0
    """Time at which the current attempt began."""
    begun_by: str = ""
    """Request id of the invocation that began the current attempt."""
    code: str = ""
    """Error code, if the question failed."""
    retryable: bool = False
    """True if a failed question can be asked again."""
    asked_ms: int = 0
    """Time at which the current attempt was requested."""
    calls: int = 0
    """Number of worker invocations for the question."""
    reported_calls: int = 0
    """Value of `calls` when a client was last notified of the end of the question."""

    def apply_request(self, new: "QuestionRecord", now_ms: int) -> tuple[Self, bool]:
        """Apply a client's request for the question. Return True if a worker must be invoked.

        `new` is the question as the client sends it now, perhaps not for the first time. Its listener always becomes
        the listener of the answer. Its other fields are only used if the question needs a new answer attempt and
        MAX_CALLS is not reached. The conversation and the number of attempts stay.
        """
        timed_out = self.status is QuestionStatus.RUNNING and self.running_until_ms <= now_ms
        failed = self.status is QuestionStatus.FAILED and self.retryable
        needs_attempt = self.status is QuestionStatus.NEW or timed_out or failed
        # The invocation for an accepted question may be lost. For an answered question, a worker sends the answer again.
        needs_worker = needs_attempt or self.status in {QuestionStatus.ACCEPTED, QuestionStatus.ANSWERED}
        invokes_worker = needs_worker and self.calls < MAX_CALLS
        changes = {
            "listener": new.listener.model_copy(update={"request_count": self.listener.request_count + 1}),
            "calls": self.calls + invokes_worker,
        }
        if needs_attempt and invokes_worker:
            kept_fields = {"session": self.session or new.session, "attempt": self.attempt}
            accepted = dict(new) | kept_fields | changes | {"status": QuestionStatus.ACCEPTED}
            return self.model_copy(update=accepted), True
        return self.model_copy(update=changes), invokes_worker

    def begin(self, now_ms: int, until_ms: int, request_id: str) -> tuple[Self, bool]:
        """Begin an answer attempt. Return False if another attempt is running or the question has ended.

        A retry by Lambda has the request id of the failed invocation. So an attempt that began with this id has died,
        and the retry replaces it. An invocation with another id cannot replace an attempt before `running_until_ms`.
        """
        died = self.begun_by == request_id and now_ms - self.begun_ms >= RETRY_MS
        attempt_over = self.status is QuestionStatus.RUNNING and (died or self.running_until_ms <= now_ms)
        if self.status is not QuestionStatus.ACCEPTED and not attempt_over:
            return self, False
        running = {
            "status": QuestionStatus.RUNNING,
            "running_until_ms": until_ms,
            "begun_ms": now_ms,
            "begun_by": request_id,
            "attempt": self.attempt + 1,
        }
        return self.model_copy(update=running), True

    def mark_answered(self) -> Self:
        """Mark the question as answered: its answer is complete and stored."""
        return self.model_copy(update={"status": QuestionStatus.ANSWERED})

    def mark_failed(self, code: str, *, retryable: bool) -> Self:
        return self.model_copy(update={"status": QuestionStatus.FAILED, "code": code, "retryable": retryable})

    def mark_reported(self, calls: int) -> Self:
        """Record that the client was notified of the end of the question, after this number of worker invocations."""
        return self.model_copy(update={"reported_calls": max(self.reported_calls, calls)})

    def fail_if_overdue(self, call: int, now_ms: int, limit_ms: int) -> tuple[Self, bool]:
        """Fail the question if it is in progress after its time limit. Return True if the client must get an error.

        `call` is the number of the checked invocation of the worker. If the question has ended, it is not changed. Its
        client must get an error nevertheless if this invocation is the latest and died before it notified the client.
        The client can then ask again, and gets the stored answer if there is one.
        """
        if self.status in {QuestionStatus.ACCEPTED, QuestionStatus.RUNNING}:
            overdue = self.asked_ms + limit_ms <= now_ms
            return (self.mark_failed(VoiceQaErrorCode.AGENT_FAILED, retryable=True) if overdue else self), overdue
        return self, self.reported_calls < call == self.calls

    def release(self) -> Self:
        """Allow the next invocation to begin an attempt, because an unexpected exception stopped the current attempt."""
        return (
            self.model_copy(update={"status": QuestionStatus.ACCEPTED})
            if self.status is QuestionStatus.RUNNING
            else self
        )


class Allowance(VersionedState):
    """Counters that limit a guest: questions that are being answered, and recent questions and lecture uploads."""

    running: tuple[tuple[str, int], ...] = ()
    """Ids of questions that are being answered, each with the time in milliseconds until which it counts."""
    asked_ms: tuple[int, ...] = ()
    """Times of questions in the last hour."""
    uploads_ms: tuple[int, ...] = ()
    """Times at which lecture uploads were requested in the last day."""

    def count_upload(self, now_ms: int, per_day: int) -> tuple[Self, bool]:
        """Count one more lecture. Return False if the daily limit is reached."""
        recent = tuple(uploaded_ms for uploaded_ms in self.uploads_ms if now_ms - uploaded_ms < DAY_MS)
        if len(recent) >= per_day:
            return self, False
        return self.model_copy(update={"uploads_ms": (*recent, now_ms)}), True

    def count_question(
        self, query_id: str, now_ms: int, until_ms: int, at_once: int, per_hour: int
    ) -> tuple[Self, bool]:
        """Count a question as being answered, until `until_ms`. Return False if a limit is reached.

        A question that already counts as being answered does not count once more towards the hourly limit.
        """
        others = tuple(
            (running_id, ends_ms) for running_id, ends_ms in self.running if running_id != query_id and ends_ms > now_ms
        )
        repeated = any(running_id == query_id and ends_ms > now_ms for running_id, ends_ms in self.running)
        recent_ms = tuple(asked_ms for asked_ms in self.asked_ms if now_ms - asked_ms < HOUR_MS)
        if len(others) >= at_once or (not repeated and len(recent_ms) >= per_hour):
            return self, False
        counted = recent_ms if repeated else (*recent_ms, now_ms)
        return self.model_copy(update={"running": (*others, (query_id, until_ms)), "asked_ms": counted}), True

    def end_question(self, query_id: str) -> Self:
        """Remove a question from those that are being answered."""
        return self.model_copy(update={"running": tuple(running for running in self.running if running[0] != query_id)})
