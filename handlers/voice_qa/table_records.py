"""Voice Q&A's table: where everything is, and its records besides lectures and conversations. Pure.

The table's keys are `sessionId` and `lectureId`. A guest may read and write items whose `sessionId` begins with his own
identity and `#`: conversations. No identity begins with the words that begin the keys here, so these are ours alone.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import StringConstraints

from handlers.common.aws.versioned_items import State
from handlers.common.websocket.messages import Message
from handlers.voice_qa.client_messages import QueryId

Key = dict[str, str]
TTL_ATTRIBUTE = "expiresAt"
NO_RANGE_KEY = "-"
DAY_SECONDS = 24 * 3600
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MAX_CALLS = 20
"""Of workers for one question, however often it is asked: each costs, also where it only plays what was kept."""
RETRY_MS = 50_000
"""Lambda waits a minute before it makes a failed call again; what comes sooner is one call that was delivered twice."""


def lecture_key(lecture_id: str) -> Key:
    """Where a lecture is."""
    return {"sessionId": f"lecture#{lecture_id}", "lectureId": lecture_id}


def connection_key(connection_id: str) -> Key:
    """Where a connection is."""
    return {"sessionId": f"connection#{connection_id}", "lectureId": NO_RANGE_KEY}


def query_key(identity: str, query_id: str) -> Key:
    """Where a question is."""
    return {"sessionId": f"query#{identity}#{query_id}", "lectureId": NO_RANGE_KEY}


def allowance_key(identity: str) -> Key:
    """Where it is counted what an identity asks."""
    return {"sessionId": f"allowance#{identity}", "lectureId": NO_RANGE_KEY}


def conversation_key(identity: str, session: str, lecture_id: str) -> Key:
    """Where a conversation is: the guest's own to read."""
    return {"sessionId": f"{identity}#{session}", "lectureId": lecture_id}


class WorkerEvent(Message):
    """The event of the query worker: which question it is called for."""

    schema_version: Literal[1] = 1
    identity: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_-]{1,128}$")]
    query_id: QueryId


class GuestConnection(State):
    """One WebSocket connection, and whose it is: the signed handshake said so."""

    identity: str = ""


class QuestionStatus(StrEnum):
    """How a question stands."""

    NEW = "new"
    ACCEPTED = "accepted"
    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"


class Listener(State):
    """Where an answer is heard, and from which piece on."""

    connection: str = ""
    attempt: int = 1
    """The attempt at an answer that `resume_from` counts in."""
    resume_from: int = 0
    times: int = 0
    """How often was asked: so that the same wish, said again, is one."""

    def first(self, attempt: int) -> int:
        """The first piece that is wanted of an attempt: all of one that was not heard."""
        return self.resume_from if attempt == self.attempt else 0


class QuestionRecord(State):
    """One question, and who listens to its answer."""

    status: QuestionStatus = QuestionStatus.NEW
    lecture_id: str = ""
    session: str = ""
    audio_key: str | None = None
    text: str | None = None
    language: str = "en-US"
    place: Listener = Listener()
    attempt: int = 0
    """How often an answer was begun."""
    running_until_ms: int = 0
    """Whoever works on it has gone by then."""
    begun_ms: int = 0
    begun_by: str = ""
    """The call, by Lambda's name for it."""
    code: str = ""
    retryable: bool = False
    asked_ms: int = 0
    calls: int = 0
    """How often a worker was called for it."""

    def asked(self, new: "QuestionRecord", now_ms: int) -> tuple[Self, bool]:
        """Asked, perhaps again: with the listener's new place, and whether a worker must be called."""
        lost = self.status is QuestionStatus.RUNNING and self.running_until_ms <= now_ms
        again = self.status is QuestionStatus.NEW or lost or (self.status is QuestionStatus.FAILED and self.retryable)
        called = self.calls < MAX_CALLS and (again or self.status in {QuestionStatus.ACCEPTED, QuestionStatus.ANSWERED})
        listening = {
            "place": new.place.model_copy(update={"times": self.place.times + 1}),
            "calls": self.calls + called,
        }
        if not (again and called):
            return self.model_copy(update=listening), called
        kept = {"status": QuestionStatus.ACCEPTED, "session": self.session or new.session, "attempt": self.attempt}
        return self.model_copy(update=dict(new) | kept | listening), True

    def begin(self, now_ms: int, until_ms: int, call: str) -> tuple[Self, bool]:
        """A worker begins; false where another works on it, or nothing is to be done.

        A call that Lambda makes again keeps its name: whoever began under it has died. Were it to get a new one, the
        question would stay with the dead until its time is up.
        """
        died = self.begun_by == call and now_ms - self.begun_ms >= RETRY_MS
        lost = self.status is QuestionStatus.RUNNING and (died or self.running_until_ms <= now_ms)
        if self.status is not QuestionStatus.ACCEPTED and not lost:
            return self, False
        running = {
            "status": QuestionStatus.RUNNING,
            "running_until_ms": until_ms,
            "begun_ms": now_ms,
            "begun_by": call,
            "attempt": self.attempt + 1,
        }
        return self.model_copy(update=running), True

    def mark_answered(self) -> Self:
        """The answer is whole and kept."""
        return self.model_copy(update={"status": QuestionStatus.ANSWERED})

    def failed(self, code: str, *, retryable: bool) -> Self:
        """There is no answer."""
        return self.model_copy(update={"status": QuestionStatus.FAILED, "code": code, "retryable": retryable})

    def release(self) -> Self:
        """Whoever worked on it stopped for a mistake of ours: the next call may begin."""
        return (
            self.model_copy(update={"status": QuestionStatus.ACCEPTED})
            if self.status is QuestionStatus.RUNNING
            else self
        )


class Allowance(State):
    """What an identity asks: at once, and in the last hour."""

    running: tuple[tuple[str, int], ...] = ()
    """Questions being answered, and until when each counts."""
    asked_ms: tuple[int, ...] = ()
    uploads_ms: tuple[int, ...] = ()
    """Lectures of the last day."""

    def uploaded(self, now_ms: int, per_day: int) -> tuple[Self, bool]:
        """One lecture more, unless it is one too many."""
        lately = tuple(one for one in self.uploads_ms if now_ms - one < DAY_MS)
        if len(lately) >= per_day:
            return self, False
        return self.model_copy(update={"uploads_ms": (*lately, now_ms)}), True

    def taken(self, query_id: str, now_ms: int, until_ms: int, at_once: int, per_hour: int) -> tuple[Self, bool]:
        """One question more, unless it is one too many; one that is being answered already counts once."""
        running = tuple(one for one in self.running if one[1] > now_ms and one[0] != query_id)
        repeated = len(running) < sum(one[1] > now_ms for one in self.running)
        asked = tuple(one for one in self.asked_ms if now_ms - one < HOUR_MS)
        if len(running) >= at_once or (not repeated and len(asked) >= per_hour):
            return self, False
        counted = asked if repeated else (*asked, now_ms)
        return self.model_copy(update={"running": (*running, (query_id, until_ms)), "asked_ms": counted}), True

    def ended(self, query_id: str) -> Self:
        """A question is answered, or will not be."""
        return self.model_copy(update={"running": tuple(one for one in self.running if one[0] != query_id)})
