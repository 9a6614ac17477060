"""Handling of client messages in the router: open and close sessions, and pass utterances to the audio processor.

The router is the Lambda function that answers clients, and the audio processor the one that transcribes utterances. An
utterance is a few seconds of speech in one message. A session has a limited number of slots, and each utterance in
progress takes one. The router takes the slot before it invokes the processor. So a session has no more concurrent
streams than slots, and a repeated message is transcribed once.

Later, the utterance ends, or the client must send it again, for example because it was lost. The message about this may
be lost too. So the answers to the client's next messages list the utterances that ended (`done`), those of them that
were given up (`failed`), and those that must be sent again (`resend`).
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp
from handlers.common.json_models import WrongField
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.websocket import ReplyMessage
from handlers.transcription.audio import BadAudio, check_utterance
from handlers.transcription.live_table import LiveTable
from handlers.transcription.messages import (
    Accepted,
    Audio,
    Close,
    Closed,
    Open,
    Opened,
    Ping,
    Pong,
    ProcessorEvent,
    ResendRequest,
    TranscriptionErrorCode,
)
from handlers.transcription.router.environment import RouterEnvironment
from handlers.transcription.session_table import Session, SessionStatus, SessionTable
from handlers.transcription.session_utterance_state import SessionUtterances, SlotDecision, SlotOutcome

MAX_START_MS = 20_000
"""Time after which an utterance counts as lost if no invocation of the processor has started it. Lambda itself
would keep trying to run the invocation for a minute, which is too long for live captions."""


@dataclass(frozen=True)
class ConnectedUser:
    """The user who sent a message, and the connection over which it came."""

    user: str
    connection: str
    """Id of the connection."""


class ClientMessageHandler:
    """Handler of parsed client messages. Each method handles one kind and returns the answer, or raises HandlerError."""

    def __init__(
        self,
        sessions: SessionTable,
        live: LiveTable,
        environment: RouterEnvironment,
        *,
        invoke_processor: Callable[[ProcessorEvent], None],
        clock_ms: Callable[[], int],
        new_id: Callable[[], str],
        log: EventLog,
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._environment = environment
        self._invoke_processor = invoke_processor
        self._clock_ms = clock_ms
        self._new_id = new_id
        self._log = log

    def open_session(self, caller: ConnectedUser, message: Open) -> ReplyMessage:
        """Open a new session, or move one of the user's sessions to this connection."""
        if message.session_id:
            session = self._own_session(caller.user, message.session_id)
        else:
            session = self._create_session(caller.user, message)
        utterances = self._update_utterances(
            session.session_id, lambda utterances: utterances.move(caller.connection, message.unfinished)
        )
        return Opened(
            session_id=session.session_id,
            expires_at=_timestamp(session.ends_at * 1000),
            in_flight=self._environment.in_flight,
            resend=self._list_resends(utterances),
            done=utterances.done,
            failed=utterances.failed,
        )

    def accept_utterance(self, caller: ConnectedUser, message: Audio) -> ReplyMessage:
        """Take a slot for an utterance and invoke the processor, unless the message is a repetition."""
        session = self._own_session(caller.user, message.session_id)
        _check_audio(message, session)
        now_ms = self._clock_ms()

        def take_slot(
            utterances: SessionUtterances,
        ) -> tuple[SessionUtterances, tuple[SlotDecision, tuple[str, ...], SessionUtterances]]:
            remaining, lost = _check_connection(utterances, caller).remove_overdue(now_ms)
            changed, decision = remaining.take_slot(
                message.utterance, now_ms + MAX_START_MS, self._environment.in_flight, now_ms
            )
            return changed, (decision, lost, changed)

        decision, lost, utterances = self._live.change_utterances(session.session_id, take_slot)
        self._log_lost(session.session_id, lost)
        if decision.outcome is SlotOutcome.BUSY:
            raise HandlerError(
                TranscriptionErrorCode.BUSY,
                f"{self._environment.in_flight} utterances of this session are in progress, which is the maximum."
                " Wait for the end of an utterance.",
            )
        if decision.outcome is SlotOutcome.EARLY:
            # In the last attempt, Amazon Transcribe had no free stream or gave no result. The wait is not over.
            raise HandlerError(
                TranscriptionErrorCode.BUSY,
                "This utterance must wait before the next attempt. Send it again later.",
            )
        if decision.outcome is SlotOutcome.TAKEN:
            self._start_attempt(message, decision, now_ms)
        return Accepted(
            session_id=session.session_id,
            utterance=message.utterance,
            repeated=decision.outcome is SlotOutcome.REPEATED,
            done=message.utterance in utterances.done,
            failed=message.utterance in utterances.failed,
            resend=tuple(
                request for request in self._list_resends(utterances) if request.utterance != message.utterance
            ),
        )

    def ping(self, caller: ConnectedUser, message: Ping) -> ReplyMessage:
        """Return a session's pending resends and ended utterances, if the message names a session."""
        if message.session_id is None:
            return Pong()
        session = self._own_session(caller.user, message.session_id)
        utterances = self._update_utterances(
            session.session_id, lambda utterances: _check_connection(utterances, caller)
        )
        return Pong(resend=self._list_resends(utterances), done=utterances.done, failed=utterances.failed)

    def close_session(self, caller: ConnectedUser, message: Close) -> ReplyMessage:
        """Close a session. It may be closed already. Utterances in progress are still transcribed."""
        if not self._sessions.close(message.session_id, caller.user):
            raise _unknown_session()
        return Closed(session_id=message.session_id)

    def _update_utterances(
        self, session_id: str, change: Callable[[SessionUtterances], SessionUtterances]
    ) -> SessionUtterances:
        """Apply a change, and replace overdue slots by pending resends."""
        now_ms = self._clock_ms()

        def update(
            utterances: SessionUtterances,
        ) -> tuple[SessionUtterances, tuple[SessionUtterances, tuple[str, ...]]]:
            remaining, lost = change(utterances).remove_overdue(now_ms)
            return remaining, (remaining, lost)

        utterances, lost = self._live.change_utterances(session_id, update)
        self._log_lost(session_id, lost)
        return utterances

    def _list_resends(self, utterances: SessionUtterances) -> tuple[ResendRequest, ...]:
        """Return the utterances that the client must send again, except those in progress."""
        now_ms = self._clock_ms()
        return tuple(
            ResendRequest(
                utterance=resend.utterance,
                from_ms=resend.from_ms,
                wait_ms=resend.wait_until_ms - now_ms if resend.wait_until_ms > now_ms else None,
            )
            for resend in utterances.resends
            if not utterances.has_slot(resend.utterance)
        )

    def _log_lost(self, session_id: str, lost: tuple[str, ...]) -> None:
        """Log lost utterances as an error, because errors are logged at every log level."""
        if lost:
            self._log.error("utterances_lost", session_hash=hash_for_log(session_id), lost=len(lost))

    def _create_session(self, user: str, message: Open) -> Session:
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
            created_at=_timestamp(now_ms),
            ends_at=now_ms // 1000 + self._environment.session_seconds,
        )
        self._sessions.add(session)
        return session

    def _own_session(self, user: str, session_id: str) -> Session:
        """Return an open session of this user. Another user's session gives the same error as an unknown one."""
        session = self._sessions.find(session_id)
        if session is None or session.owner != user:
            raise _unknown_session()
        if not session.is_open(self._clock_ms()):
            raise HandlerError(TranscriptionErrorCode.SESSION_CLOSED, "This session is closed. Open another session.")
        return session

    def _start_attempt(self, message: Audio, decision: SlotDecision, accepted_ms: int) -> None:
        event = ProcessorEvent(
            session_id=message.session_id,
            utterance=message.utterance,
            attempt=decision.attempt,
            sequence=message.sequence,
            from_ms=decision.from_ms,
            utterance_attempt=decision.utterance_attempt,
            accepted_ms=accepted_ms,
            audio=message.audio,
        )
        try:
            self._invoke_processor(event)
        except (ClientError, BotoCoreError) as error:
            # The invocation may have succeeded. If the processor has started, the utterance counts as accepted.
            # Otherwise its slot is released, and without the slot the processor does nothing.
            if not self._live.change_utterances(
                message.session_id, lambda utterances: utterances.release_unstarted(message.utterance, decision.attempt)
            ):
                return
            # Logged as an error, because an alarm counts this event, and errors are logged at every log level.
            self._log.failure("processor_not_called", error)
            raise HandlerError(
                TranscriptionErrorCode.UNAVAILABLE, "The utterance could not be accepted. Send it again."
            ) from None


def _check_connection(utterances: SessionUtterances, caller: ConnectedUser) -> SessionUtterances:
    """Return the utterances unchanged, or raise HandlerError if the session was last opened on another connection.

    Without this check, a client could go on over another connection without opening the session there. Its captions
    would still go to the old connection.
    """
    if utterances.connection != caller.connection:
        raise HandlerError(
            TranscriptionErrorCode.SESSION_ELSEWHERE,
            "This session is not open on this connection. Open it with its sessionId.",
        )
    return utterances


def _check_audio(message: Audio, session: Session) -> None:
    """Raise HandlerError for audio that Amazon Transcribe would refuse or misinterpret."""
    try:
        audio = base64.b64decode(message.audio, validate=True)
    except (binascii.Error, ValueError):
        raise HandlerError(TranscriptionErrorCode.BAD_AUDIO, "audio is not base64.") from None
    try:
        check_utterance(audio, session.encoding, session.sample_rate)
    except BadAudio as error:
        raise HandlerError(
            TranscriptionErrorCode.BAD_AUDIO, str(error), fields=[WrongField(field="audio", rule=str(error))]
        ) from None


def _unknown_session() -> HandlerError:
    return HandlerError(TranscriptionErrorCode.SESSION_UNKNOWN, "You have no session with this id.")


def _timestamp(moment_ms: int) -> str:
    return timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))
