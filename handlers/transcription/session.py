"""Sessions of transcription: their settings, and the state of their utterances.

An utterance is a few seconds of speech in one message of a client. The client keeps it until it is done, and numbers its
attempts to have it transcribed: each time it sends the utterance, `attempt` is higher. The server starts an attempt only
if its number is higher than that of all attempts before, none of these is still in progress, the utterance is not done,
and one of the session's slots is free. So an utterance has at most one attempt at a time, and a session at most as many
streams as slots.

Each attempt in progress has a slot. The *holder* of a slot is a random text. The router, the function that answers
clients, takes the slot under one text, and passes it to one invocation of the audio processor. This invocation replaces
the text when it starts. So a second invocation with the same text does not start, and an attempt whose slot is released
or taken knows that it must not report anything. A slot that is not released, for example because the invocation was
killed, can be taken after its deadline.

An attempt belongs to the connection on which the session is open when the attempt starts. If the client has opened the
session on another connection since, the utterance is not done, because captions that were sent over the old connection
may not have arrived. The client then sends the utterance again.

Transitions are pure and are applied by `Records.change`. A session's item has few concurrent writers: one invocation for
each slot, of which there are at most eight, and the router. Each round of conflicting writes lets one of them succeed, so
the limit of attempts of `Records` is not reached.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from pydantic import field_serializer

from handlers.common.json_models import Message
from handlers.common.records import Record, Records
from handlers.transcription.audio import Encoding
from handlers.transcription.environment import SessionSettings

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_REMEMBERED_UTTERANCES = 64
"""Maximum number of ended utterances, and also of unfinished ones without an attempt, that a session remembers. 64
utterances are some minutes of speech."""
MAX_START_MS = 20_000
"""Time within which an invocation of the audio processor must start an attempt. Lambda itself would keep trying to run
the invocation for a minute, which is too long for live captions."""
MAX_SESSIONS_PER_HOUR = 120
"""Maximum number of sessions that a user may open in one hour. A client that works opens one in some hours."""
KEPT_SECONDS = 12 * 3600
"""Lifetime of an item of the live table after its last change. It is longer than any session."""


class SessionStatus(StrEnum):
    """Status of a session. Only an open session accepts audio."""

    OPEN = "open"
    CLOSED = "closed"


class Session(Record):
    """One transcription session: a user's settings for speech. It is used on one connection at a time."""

    session_id: str
    owner: str
    """Id of the user who opened the session."""
    status: SessionStatus
    language: str
    encoding: Encoding
    sample_rate: int
    settings: SessionSettings
    created_at: str
    """UTC in ISO 8601 with milliseconds."""
    ends_at: int
    """Time from which the session accepts nothing, in epoch seconds. It is compared with the clock, because DynamoDB may
    delete an expired item days late."""

    @field_serializer("settings")
    def _store_only_overrides(self, settings: SessionSettings) -> dict[str, Any]:
        return settings.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def is_open(self, now_ms: int) -> bool:
        return self.status is SessionStatus.OPEN and now_ms < self.ends_at * 1000


class ClientConnection(Record):
    """One WebSocket connection. It is stored because the client states its user only when it connects."""

    user: str


class OpenedSessions(Record):
    """Sessions that a user opened in one hour. The ids are stored, so that a repeated write does not count twice."""

    session_ids: tuple[str, ...] = ()

    def add(self, session_id: str) -> Self:
        """Add a session, unless the limit is reached."""
        if session_id in self.session_ids or len(self.session_ids) >= MAX_SESSIONS_PER_HOUR:
            return self
        return self.model_copy(update={"session_ids": (*self.session_ids, session_id)})


class UnfinishedUtterance(Message):
    """An utterance of which attempts have ended, but which is not done."""

    utterance: str
    attempt: int = 0
    """Highest number of an attempt so far."""
    failures: int = 0
    """Number of attempts that failed although Amazon Transcribe had a free stream, or were lost."""


class Slot(UnfinishedUtterance):
    """The slot of an attempt in progress. `attempt` is its number, and `failures` counts the attempts before it."""

    holder: str
    deadline_ms: int
    """Time from which the attempt counts as lost."""


class SessionUtterances(Record):
    """State of one session's utterances, and the connection on which the session is used."""

    connection: str = ""
    """Connection that may use the session and receives its captions: the one that opened the session last."""
    slots: tuple[Slot, ...] = ()
    unfinished: tuple[UnfinishedUtterance, ...] = ()
    done: tuple[str, ...] = ()
    """Names of utterances that ended, and whose captions were sent over this connection."""
    failed: tuple[str, ...] = ()
    """Utterances in `done` that were given up."""

    def find_slot(self, utterance: str) -> Slot | None:
        return next((slot for slot in self.slots if slot.utterance == utterance), None)

    def held_slot(self, holder: str) -> Slot | None:
        return next((slot for slot in self.slots if slot.holder == holder), None)

    def find_unfinished(self, utterance: str) -> UnfinishedUtterance:
        """Return the ended attempts of an utterance. There are none if it is new or has ended."""
        known = (item for item in self.unfinished if item.utterance == utterance)
        return next(known, UnfinishedUtterance(utterance=utterance))

    def is_current(self, holder: str, connection: str) -> bool:
        """Return True if the attempt has its slot, and the session is still used on the attempt's connection."""
        return self.held_slot(holder) is not None and self.connection == connection

    def move(self, connection: str) -> Self:
        """Move the session to the connection on which the client opens it.

        The ends of utterances may have been sent over the old connection and lost. So they are forgotten, and the client
        can send an utterance again whose end it has not received.
        """
        if connection == self.connection:
            return self
        return self.model_copy(update={"connection": connection, "done": (), "failed": ()})

    def overdue_count(self, now_ms: int) -> int:
        """Return the number of attempts that are lost."""
        return sum(slot.deadline_ms <= now_ms for slot in self.slots)

    def take_slot(self, utterance: str, attempt: int, holder: str, now_ms: int, max_slots: int) -> Self:
        """Release the slots of lost attempts, and take one for this attempt if it may start."""
        remaining = self
        for slot in self.slots:
            if slot.deadline_ms <= now_ms:
                remaining = remaining.release(slot.holder, is_failure=True)
        before = remaining.find_unfinished(utterance)
        if (
            utterance in self.done
            or remaining.find_slot(utterance)
            or attempt <= before.attempt
            or len(remaining.slots) >= max_slots
        ):
            return remaining
        slot = Slot(
            utterance=utterance,
            attempt=attempt,
            failures=before.failures,
            holder=holder,
            deadline_ms=now_ms + MAX_START_MS,
        )
        unfinished = tuple(item for item in remaining.unfinished if item.utterance != utterance)
        return remaining.model_copy(update={"slots": (*remaining.slots, slot), "unfinished": unfinished})

    def start(self, holder: str, new_holder: str, now_ms: int, deadline_ms: int) -> Self:
        """Give a slot to the invocation that starts its attempt, unless the old deadline is over."""
        slot = self.held_slot(holder)
        if slot is None or slot.deadline_ms <= now_ms:
            return self
        started = slot.model_copy(update={"holder": new_holder, "deadline_ms": deadline_ms})
        return self.model_copy(update={"slots": (*self._other_slots(holder), started)})

    def cancel(self, holder: str) -> Self:
        """Release the slot of an attempt that has not started. Its number can be used again."""
        slot = self.held_slot(holder)
        return self if slot is None else self._release(slot, slot.attempt - 1, slot.failures)

    def release(self, holder: str, *, is_failure: bool) -> Self:
        """End an attempt, if it has its slot. The utterance remains unfinished."""
        slot = self.held_slot(holder)
        return self if slot is None else self._release(slot, slot.attempt, slot.failures + is_failure)

    def _release(self, slot: Slot, attempt: int, failures: int) -> Self:
        unfinished = UnfinishedUtterance(utterance=slot.utterance, attempt=attempt, failures=failures)
        others = tuple(item for item in self.unfinished if item.utterance != slot.utterance)
        return self.model_copy(
            update={
                "slots": self._other_slots(slot.holder),
                "unfinished": (*others, unfinished)[-MAX_REMEMBERED_UTTERANCES:],
            }
        )

    def finish(self, holder: str, connection: str, *, failed: bool) -> Self:
        """End an utterance that is transcribed or given up, if the attempt has its slot.

        If the client has moved to another connection, the utterance remains unfinished.
        """
        slot = self.held_slot(holder)
        if slot is None or connection != self.connection:
            return self.release(holder, is_failure=False)
        done = (*self.done, slot.utterance)[-MAX_REMEMBERED_UTTERANCES:]
        failed_names = (*self.failed, slot.utterance) if failed else self.failed
        return self.model_copy(
            update={
                "slots": self._other_slots(holder),
                "done": done,
                "failed": tuple(name for name in failed_names if name in done),
            }
        )

    def _other_slots(self, holder: str) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.slots if slot.holder != holder)


class TranscriptionTables:
    """Gateway of both tables. No other module accesses them.

    The live table has the connections, the state of the sessions' utterances, and the counters of opened sessions.
    """

    def __init__(
        self, client: "DynamoDBClient", sessions_table: str, live_table: str, clock_ms: Callable[[], int]
    ) -> None:
        def expire(_: Record) -> dict[str, int]:
            return {"ttl": clock_ms() // 1000 + KEPT_SECONDS}

        self.sessions = Records(client, sessions_table, Session, lambda session: {"ttl": session.ends_at})
        self.connections = Records(client, live_table, ClientConnection, expire)
        self.opened_sessions = Records(client, live_table, OpenedSessions, expire)
        self.utterances = Records(client, live_table, SessionUtterances, expire)

    def read_utterances(self, session_id: str) -> SessionUtterances:
        return self.utterances.read(utterances_key(session_id)) or SessionUtterances()

    def change_utterances(
        self, session_id: str, transition: Callable[[SessionUtterances], SessionUtterances]
    ) -> SessionUtterances:
        """Change the state of a session's utterances, and return it as it is afterwards."""
        changed = self.utterances.change(
            utterances_key(session_id), lambda utterances: transition(utterances or SessionUtterances())
        )
        return changed or SessionUtterances()


def session_key(session_id: str) -> dict[str, str]:
    return {"session_id": session_id}


def connection_key(connection_id: str) -> dict[str, str]:
    return {"pk": f"connection#{connection_id}"}


def opened_sessions_key(user: str, now_ms: int) -> dict[str, str]:
    return {"pk": f"opened#{user}#{now_ms // 3_600_000}"}


def utterances_key(session_id: str) -> dict[str, str]:
    return {"pk": f"utterances#{session_id}"}
