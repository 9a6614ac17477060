"""Sessions of transcription: the settings of a connection, and the state of its utterances.

An utterance is a few seconds of speech in one message of a client. The client keeps it until it is done, and numbers
its attempts to have it transcribed: each time it sends the utterance, `attempt` is higher. An attempt starts only if its
number is higher than all numbers before, no earlier attempt is running, and the utterance has not ended. It also needs one
of the session's slots. So an utterance has at most one attempt at a time, and a session has at most as many streams of
Amazon Transcribe as slots.

The router, the function that answers clients, takes a slot for an attempt, which is then accepted. The first invocation of
the audio processor, the function that transcribes an utterance, starts the attempt. A second invocation for the same
attempt does nothing. The audio processor releases the slot at the end. If it does not, for example because it was killed,
the attempt is lost. The router then releases the slot at the session's next utterance after the deadline.

A session belongs to one connection, and its id is that of the connection. So no client can name the session of another
one, and captions never go to an earlier connection. After a reconnection, the client opens another session, and sends
the utterances there that are not done.

A method of `Session` that changes it returns a changed copy. `Records.change` writes the copy. If another invocation wrote
first, it calls the method again, a limited number of times. A session has few concurrent writers: the router, and one
invocation for each slot, of which there are at most eight. One of them succeeds each time, so the limit is not reached.
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

MAX_REMEMBERED_UTTERANCES = 16
"""Maximum number of utterances without an attempt in progress that a session remembers: twice as many as can be in
progress. If a client sends one again that is forgotten, it is transcribed again."""
MAX_START_MS = 20_000
"""Time after which an accepted attempt counts as lost if no invocation of the audio processor has started it. A client
that gets no message about an utterance for as long sends it again."""
MAX_RUN_MS = 15_000
"""Time after which a started attempt counts as lost. An attempt that is still running never takes so long."""
KEPT_SECONDS = 3 * 3600
"""Lifetime of a session's item after its last change. API Gateway closes each connection after two hours."""


class UtteranceStatus(StrEnum):
    WAITING = "waiting"
    """No attempt is in progress. The client has to send the utterance again."""
    ACCEPTED = "accepted"
    """An attempt has a slot, and waits for an invocation of the audio processor."""
    RUNNING = "running"
    """An attempt has a slot, and an invocation has started it."""
    DONE = "done"
    GIVEN_UP = "given_up"


class UtteranceState(Message):
    """State of one utterance: its attempts, and how it ended."""

    name: str
    attempt: int = 0
    """Highest number of an attempt so far."""
    failures: int = 0
    """Number of attempts that failed or were lost. Those for which Amazon Transcribe had no free stream do not count."""
    status: UtteranceStatus = UtteranceStatus.WAITING
    deadline_ms: int = 0
    """Time in milliseconds since the epoch from which the attempt in progress counts as lost."""

    @property
    def has_slot(self) -> bool:
        return self.status in {UtteranceStatus.ACCEPTED, UtteranceStatus.RUNNING}

    @property
    def has_ended(self) -> bool:
        return self.status in {UtteranceStatus.DONE, UtteranceStatus.GIVEN_UP}


class Session(Record):
    """One transcription session: the settings of a connection for its speech, and the utterances sent over it."""

    language: str
    encoding: Encoding
    sample_rate: int
    settings: SessionSettings
    utterances: tuple[UtteranceState, ...] = ()
    """The remembered utterances, in the order of their last changes."""

    @field_serializer("settings")
    def _store_only_overrides(self, settings: SessionSettings) -> dict[str, Any]:
        return settings.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def find(self, name: str) -> UtteranceState:
        """Return the state of an utterance. An unknown utterance has the state of one without attempts."""
        return next((state for state in self.utterances if state.name == name), UtteranceState(name=name))

    def list_in_progress(self) -> list[UtteranceState]:
        """Return the utterances with an attempt in progress. Each uses a slot."""
        return [state for state in self.utterances if state.has_slot]

    def list_lost(self, now_ms: int) -> list[UtteranceState]:
        """Return the utterances whose attempts in progress are lost."""
        return [state for state in self.list_in_progress() if state.deadline_ms <= now_ms]

    def take_slot(self, name: str, attempt: int, now_ms: int, max_slots: int) -> Self:
        """Release the slots of lost attempts, and take one for this attempt if it may start.

        If an earlier attempt at the utterance is accepted but has not started, this attempt takes over its slot. The
        invocation for the earlier one may have failed.
        """
        session = self
        for lost in self.list_lost(now_ms):
            session = session.change_utterance(lost, status=UtteranceStatus.WAITING, failures=lost.failures + 1)
        before = session.find(name)
        may_start = before.status in {UtteranceStatus.WAITING, UtteranceStatus.ACCEPTED} and attempt > before.attempt
        if not may_start or not (before.has_slot or len(session.list_in_progress()) < max_slots):
            return session
        deadline_ms = now_ms + MAX_START_MS
        return session.change_utterance(
            before, attempt=attempt, status=UtteranceStatus.ACCEPTED, deadline_ms=deadline_ms
        )

    def start(self, name: str, attempt: int, now_ms: int) -> Self:
        """Let an accepted attempt run. Return the same session if this attempt is not waiting to run."""
        return self._change_attempt(
            name, attempt, UtteranceStatus.ACCEPTED, status=UtteranceStatus.RUNNING, deadline_ms=now_ms + MAX_RUN_MS
        )

    def end(self, name: str, attempt: int, status: UtteranceStatus, failures: int) -> Self:
        """Release the slot of a running attempt, after which the utterance has this status and number of failures."""
        return self._change_attempt(name, attempt, UtteranceStatus.RUNNING, status=status, failures=failures)

    def _change_attempt(self, name: str, number: int, before: UtteranceStatus, **changes: Any) -> Self:
        """Change an utterance if its current attempt has this number and its status is `before`."""
        state = self.find(name)
        return self.change_utterance(state, **changes) if (state.attempt, state.status) == (number, before) else self

    def change_utterance(self, state: UtteranceState, **changes: Any) -> Self:
        """Change the state of an utterance, and forget the oldest utterances without an attempt in progress."""
        others = [other for other in self.utterances if other.name != state.name]
        states = [*others, state.model_copy(update=changes)]
        forgotten = [other for other in states if not other.has_slot][:-MAX_REMEMBERED_UTTERANCES]
        return self.model_copy(update={"utterances": tuple(other for other in states if other not in forgotten)})


class SessionTable:
    """Gateway of the session table. No other module accesses it."""

    def __init__(self, client: "DynamoDBClient", table: str, clock_ms: Callable[[], int]) -> None:
        self._records = Records(client, table, Session, lambda _: {"ttl": clock_ms() // 1000 + KEPT_SECONDS})

    def read(self, session_id: str) -> Session | None:
        return self._records.read({"session_id": session_id})

    def create(self, session_id: str, session: Session) -> bool:
        """Store the session of a connection. Return False if it has one already."""
        had_session = False

        def keep_or_create(stored: Session | None) -> Session:
            nonlocal had_session
            had_session = stored is not None
            return stored or session

        self._records.change({"session_id": session_id}, keep_or_create)
        return not had_session

    def change(self, session_id: str, transition: Callable[[Session], Session]) -> Session | None:
        """Change a session, and return it as it is afterwards. Return None if there is none."""
        return self._records.change({"session_id": session_id}, lambda stored: stored and transition(stored))
