"""What the router does with each message of a client: sessions are opened and closed, utterances sent on their way.

An utterance gets its place before the processor is called, so that no session has more streams than it may, and none
that is sent twice is transcribed twice. What was lost on the way is told with every answer, and by the sweep.
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.errors import FieldProblem, HandlerError
from handlers.common.logging import EventLog, hashed
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.websocket.messages import Answer
from handlers.transcription.environment import RouterEnvironment
from handlers.transcription.live_table import ClientConnection, LiveTable, connection_key, session_slots_key
from handlers.transcription.messages import (
    Accepted,
    Again,
    Audio,
    Close,
    Closed,
    Direct,
    DirectAddress,
    Open,
    Opened,
    Ping,
    Pong,
    ProcessorEvent,
    TranscriptionErrorCode,
)
from handlers.transcription.router.session_quota import SessionCounter
from handlers.transcription.sessions import Session, SessionStatus, SessionTable
from handlers.transcription.stream_signing import StreamRequest
from handlers.transcription.utterance_audio import BadAudio, utterance
from handlers.transcription.utterance_slots import SessionSlots, SlotDecision, SlotOutcome

START_MS = 20_000
"""An utterance that no processor has begun by then is lost: Lambda itself would keep trying for a minute."""
DIRECT_WITHIN_MS = 5 * 60 * 1000
"""As long as an address can be used."""


@dataclass(frozen=True)
class ConnectedUser:
    """Who sent a message, and by which connection."""

    user: str
    connection: str


class ClientMessageHandler:
    """Answers messages."""

    def __init__(
        self,
        sessions: SessionTable,
        live: LiveTable,
        environment: RouterEnvironment,
        *,
        hand_over: Callable[[ProcessorEvent], None],
        presign: Callable[[StreamRequest, int], str],
        clock_ms: Callable[[], int],
        new_id: Callable[[], str],
        log: EventLog,
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._environment = environment
        self._hand_over = hand_over
        self._presign = presign
        self._clock_ms = clock_ms
        self._new_id = new_id
        self._log = log
        self._counting = SessionCounter(live, environment.sessions_per_user, clock_ms)

    def open(self, caller: ConnectedUser, message: Open) -> Answer:
        """A new session, or one's own again on this connection."""
        session = self._own(caller.user, message.session_id) if message.session_id else self._new(caller.user, message)
        self._counting.opened(caller.user, session, caller.connection)
        if caller.connection:
            self._live.change(
                ClientConnection, connection_key(caller.connection), lambda one: (one.opened(session.session_id), None)
            )
        flight = self._seen(
            session.session_id, caller, lambda flight: flight.opened(caller.connection, message.unfinished)
        )
        return Opened(
            session_id=session.session_id,
            expires_at=_text(session.ends_at * 1000),
            in_flight=self._environment.in_flight,
            resend=self._broken(flight),
            done=flight.done,
            failed=flight.failed,
        )

    def audio(self, caller: ConnectedUser, message: Audio) -> Answer:
        """One utterance on its way."""
        session = self._own(caller.user, message.session_id)
        _checked(message, session)
        now_ms = self._clock_ms()

        def offer(flight: SessionSlots) -> tuple[SessionSlots, tuple[SlotDecision, tuple[str, ...], SessionSlots]]:
            swept, lost = _here(flight, caller).seen(caller.connection, now_ms).remove_overdue(now_ms)
            moved, taken = swept.take_slot(message.utterance, now_ms + START_MS, self._environment.in_flight, now_ms)
            return moved, (taken, lost, moved)

        key = session_slots_key(session.session_id)
        taken, lost, flight = self._live.change(SessionSlots, key, offer)
        self._tell_lost(session.session_id, lost)
        if taken.standing is SlotOutcome.BUSY:
            raise HandlerError(
                TranscriptionErrorCode.BUSY,
                f"{self._environment.in_flight} utterances of this session are on their way. Wait for one to be done.",
                429,
            )
        if taken.standing is SlotOutcome.EARLY:
            raise HandlerError(
                TranscriptionErrorCode.BUSY,
                "There is no stream to be had for it yet. Send it again a little later.",
                429,
            )
        if taken.standing is SlotOutcome.TAKEN:
            self._send(message, taken, key, now_ms)
        return Accepted(
            session_id=session.session_id,
            utterance=message.utterance,
            repeated=taken.standing is SlotOutcome.REPEATED,
            done=message.utterance in flight.done,
            failed=message.utterance in flight.failed,
            resend=tuple(one for one in self._broken(flight) if one.utterance != message.utterance),
        )

    def ping(self, caller: ConnectedUser, message: Ping) -> Answer:
        """Still there; and what has to be sent again."""
        if message.session_id is None:
            return Pong()
        session = self._own(caller.user, message.session_id)
        flight = self._seen(session.session_id, caller, lambda flight: _here(flight, caller))
        return Pong(resend=self._broken(flight), done=flight.done, failed=flight.failed)

    def close(self, caller: ConnectedUser, message: Close) -> Answer:
        """The end of a session; closing it again changes nothing. It counts until its last utterance is over."""
        if not self._sessions.close(message.session_id, caller.user):
            raise _unknown()
        self._counting.closed(caller.user, message.session_id)
        return Closed(session_id=message.session_id)

    def left(self, connection_id: str) -> None:
        """A connection is over. Its sessions can be taken up again, but soon count no more."""
        self._counting.left(connection_id)

    def direct(self, caller: ConnectedUser, message: Direct) -> Answer:
        """An address for streaming to Amazon Transcribe itself."""
        session = self._own(caller.user, message.session_id)
        now_ms, seconds = self._clock_ms(), self._environment.direct_seconds

        def count(flight: SessionSlots) -> tuple[SessionSlots, bool]:
            return _here(flight, caller).count_direct_url(now_ms, self._environment.in_flight, DIRECT_WITHIN_MS)

        if not self._environment.direct_enabled:
            raise HandlerError(TranscriptionErrorCode.DIRECT_REFUSED, "This stack gives no addresses out.", 403)
        if not self._live.change(SessionSlots, session_slots_key(session.session_id), count):
            raise HandlerError(
                TranscriptionErrorCode.DIRECT_REFUSED,
                f"{self._environment.in_flight} addresses in five minutes are the most.",
                429,
            )
        self._log.info("direct_issued", session_hash=hashed(session.session_id))
        request = StreamRequest(session.language, session.sample_rate, session.encoding.value, stabilised=True)
        return DirectAddress(url=self._presign(request, seconds), expires_seconds=seconds)

    def _seen(
        self, session_id: str, caller: ConnectedUser, checked: Callable[[SessionSlots], SessionSlots]
    ) -> SessionSlots:
        """The session's utterances, without those that are lost; its client is on this connection."""
        now_ms = self._clock_ms()

        def look(flight: SessionSlots) -> tuple[SessionSlots, tuple[SessionSlots, tuple[str, ...]]]:
            swept, lost = checked(flight).seen(caller.connection, now_ms).remove_overdue(now_ms)
            return swept, (swept, lost)

        flight, lost = self._live.change(SessionSlots, session_slots_key(session_id), look)
        self._tell_lost(session_id, lost)
        return flight

    def _broken(self, flight: SessionSlots) -> tuple[Again, ...]:
        """What has to be sent again, and from when on."""
        now_ms = self._clock_ms()
        return tuple(
            Again(
                utterance=one.utterance,
                from_ms=one.from_ms,
                wait_ms=one.rests_until_ms - now_ms if one.rests_until_ms > now_ms else None,
            )
            for one in flight.broken
            if not flight.has_slot(one.utterance)
        )

    def _tell_lost(self, session_id: str, lost: tuple[str, ...]) -> None:
        """Where an alarm counts them."""
        if lost:
            self._log.error("utterances_lost", session_hash=hashed(session_id), lost=len(lost))

    def _new(self, user: str, message: Open) -> Session:
        languages = self._environment.languages.split(",")
        if message.language not in languages:
            raise HandlerError(
                TranscriptionErrorCode.LANGUAGE_UNKNOWN, f"language must be one of {', '.join(languages)}."
            )
        now_ms = self._clock_ms()
        session = Session(
            session_id=self._new_id(),
            owner=user,
            status=SessionStatus.OPEN,
            language=message.language,
            encoding=message.encoding,
            sample_rate=message.sample_rate,
            settings=message.settings,
            secret=secrets.token_hex(32),
            created_at=_text(now_ms),
            ends_at=now_ms // 1000 + self._environment.session_seconds,
        )
        self._sessions.add(session)
        return session

    def _own(self, user: str, session_id: str) -> Session:
        """A session of this user's that takes audio. Somebody else's is as unknown as one that never was."""
        session = self._sessions.find(session_id)
        if session is None or session.owner != user:
            raise _unknown()
        if not session.is_open(self._clock_ms()):
            raise HandlerError(TranscriptionErrorCode.SESSION_CLOSED, "This session is closed. Open another one.", 409)
        return session

    def _send(self, message: Audio, taken: SlotDecision, key: str, accepted_ms: int) -> None:
        work = ProcessorEvent(
            session_id=message.session_id,
            utterance=message.utterance,
            attempt=taken.attempt,
            sequence=message.sequence,
            from_ms=taken.from_ms,
            attempts=taken.attempts,
            accepted_ms=accepted_ms,
            audio=message.audio,
        )
        try:
            self._hand_over(work)
        except (ClientError, BotoCoreError) as error:
            # Whether it was taken is unknown; without its place a call that was taken, and has not begun, does nothing.
            if not self._live.change(
                SessionSlots, key, lambda flight: flight.release_unstarted(message.utterance, taken.attempt)
            ):
                return
            # At a level that no setting leaves out: an alarm counts these.
            self._log.error("processor_not_called", error_type=type(error).__name__)
            raise HandlerError(
                TranscriptionErrorCode.UNAVAILABLE, "The utterance could not be taken. Send it again.", 503
            ) from None


def _here(flight: SessionSlots, caller: ConnectedUser) -> SessionSlots:
    """A session is used over the connection on which it was opened last: that is where it counts."""
    if flight.connection != caller.connection:
        raise HandlerError(
            TranscriptionErrorCode.SESSION_ELSEWHERE,
            "This session is not open on this connection. Open it with its sessionId.",
            409,
        )
    return flight


def _checked(message: Audio, session: Session) -> None:
    """Refuses audio that Amazon Transcribe would refuse, or not understand."""
    try:
        spoken = base64.b64decode(message.audio, validate=True)
    except (binascii.Error, ValueError):
        raise HandlerError(TranscriptionErrorCode.BAD_AUDIO, "audio is not base64.") from None
    try:
        utterance(spoken, session.encoding, session.sample_rate)
    except BadAudio as error:
        raise HandlerError(
            TranscriptionErrorCode.BAD_AUDIO, str(error), fields=[FieldProblem("audio", error.code)]
        ) from None


def _unknown() -> HandlerError:
    return HandlerError(TranscriptionErrorCode.SESSION_UNKNOWN, "There is no such session of yours.", 404)


def _text(moment_ms: int) -> str:
    return timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))
