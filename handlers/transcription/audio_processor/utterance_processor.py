"""Processing of one utterance: start an attempt, transcribe the audio, then report the end to the client and CloudWatch.

An utterance is a few seconds of speech. If an attempt to transcribe it fails, the client is asked to send it again,
which starts another attempt. The router, the function that answers clients, invokes this function for each attempt, and
gives the attempt one of the limited number of slots that a session has. An invocation is ignored if its attempt has
lost the slot, or if another invocation has started the attempt.

`event.attempt` is the number of the attempt in the whole session. `event.utterance_attempt` counts only the attempts at
this utterance, and leaves out those for which Amazon Transcribe had no free stream. Audio and text are kept only in
memory.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog, constant_for_log, hash_for_log
from handlers.common.websocket import WebSocketConnections
from handlers.transcription.audio import Utterance, check_utterance
from handlers.transcription.audio_processor.caption_delivery import CaptionDelivery, ClientGone
from handlers.transcription.audio_processor.captions import NO_STABILITY, CaptionCounts, Captions
from handlers.transcription.audio_processor.metrics import UtteranceMetrics
from handlers.transcription.audio_processor.stream import StreamRequest, TranscribeStream
from handlers.transcription.audio_processor.utterance_transcription import (
    STREAM_FAILED,
    EndCause,
    UtteranceEnd,
    UtteranceOutcome,
    UtteranceTranscription,
)
from handlers.transcription.caption_thresholds import CaptionThresholds
from handlers.transcription.live_table import LiveTable
from handlers.transcription.messages import Done, Failed, ProcessorEvent, Resend, ResendRequest, TranscriptionErrorCode
from handlers.transcription.names_shared_with_deployment import GIVEN_UP_EVENT
from handlers.transcription.session_table import Session, SessionTable
from handlers.transcription.session_utterance_state import SessionUtterances

OVERDUE_MS = 8_000
"""Time beyond the length of the audio after which a started attempt counts as lost. An attempt that is still running
never takes so long."""
RESERVE_MS = 3_000
"""Part of the invocation's time that is reserved for reporting the end of the utterance to the client."""

GIVE_UP_ATTEMPT = 3
"""Number of an attempt at an utterance. If this attempt or a later one fails, the utterance is given up, and the client
does not send it again.

If an attempt was lost, had no free stream, or had no client, the client must always send the utterance again. An
utterance that Amazon Transcribe rejects is given up at any attempt."""
WAIT_MS = 3_000
"""Minimum time that the client waits before it sends an utterance again, if no stream was free or if the first attempt
got no result. Most streams that are open now end within this time."""
WAIT_FACTOR = 4
"""Factor by which the wait grows with each attempt that got no result. With two waits, the attempts at an utterance span
at least 15 seconds. So they can outlast an outage of the network or of Amazon Transcribe that takes some seconds."""
RETRIED = "retried"
"""Reason for showing only final captions: this is not the first attempt at the utterance."""
FALLBACK_REASONS = (RETRIED, STREAM_FAILED, NO_STABILITY)

OpenStream = Callable[[StreamRequest, float], AbstractContextManager[TranscribeStream]]


@dataclass(frozen=True)
class ProcessorInvocation:
    event: ProcessorEvent
    audio: Utterance
    """Audio of the event, validated and divided into chunks."""
    entered_ms: int
    """Time at which the invocation started."""
    max_ms: int
    """Maximum duration of the transcription, counted from `entered_ms`."""


class _ReleasedAttempt(NamedTuple):
    """An attempt that has released its slot."""

    connection: str
    resend_request: ResendRequest | None
    """Request to the client to send the utterance again, or None if the utterance has ended."""


class UtteranceProcessor:
    def __init__(
        self,
        sessions: SessionTable,
        live: LiveTable,
        connections: WebSocketConnections,
        metrics: UtteranceMetrics,
        *,
        thresholds: CaptionThresholds,
        last_results_ms: int,
        open_stream: OpenStream,
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._connections = connections
        self._metrics = metrics
        self._thresholds = thresholds
        self._last_results_ms = last_results_ms
        self._open_stream = open_stream
        self._clock_ms = clock_ms
        self._log = log

    def handle(self, event: Mapping[str, Any], remaining_ms: int) -> UtteranceEnd | None:
        """Process one utterance, with `remaining_ms` left until the function's timeout.

        Return None if its session is missing or its attempt cannot be started.
        """
        entered_ms = self._clock_ms()
        parsed = ProcessorEvent.model_validate(event)
        session = self._sessions.find(parsed.session_id)
        if session is None:
            self._log.error("session_missing", session_hash=hash_for_log(parsed.session_id))
            return None
        audio = check_utterance(base64.b64decode(parsed.audio), session.encoding, session.sample_rate)
        connection = self._start_attempt(parsed, audio)
        if connection is None:
            self._log.warning("utterance_not_ours", session_hash=hash_for_log(parsed.session_id))
            return None
        invocation = ProcessorInvocation(parsed, audio, entered_ms, remaining_ms - RESERVE_MS)
        return self._transcribe(invocation, session, connection)

    def _start_attempt(self, event: ProcessorEvent, audio: Utterance) -> str | None:
        """Mark the attempt as running. Return the session's connection, or None if the attempt cannot be started."""

        def start(utterances: SessionUtterances) -> tuple[SessionUtterances, str | None]:
            now_ms = self._clock_ms()
            overdue_ms = now_ms + audio.duration_ms + OVERDUE_MS
            changed, started = utterances.start(event.utterance, event.attempt, now_ms, overdue_ms)
            return changed, utterances.connection if started else None

        return self._live.change_utterances(event.session_id, start)

    def _transcribe(self, invocation: ProcessorInvocation, session: Session, connection: str) -> UtteranceEnd:
        event = invocation.event
        thresholds = self._thresholds.for_session(session.settings)
        request = StreamRequest(session.language, session.sample_rate, session.encoding, stabilised=False)
        delivery = CaptionDelivery(
            event,
            session,
            connection,
            live=self._live,
            connections=self._connections,
            dedup_seconds=thresholds.dedup_cache_ttl,
            clock_ms=self._clock_ms,
            log=self._log,
        )
        transcription = UtteranceTranscription(
            invocation.audio,
            open_stream=lambda partials, seconds: self._open_stream(replace(request, stabilised=partials), seconds),
            create_captions=lambda finals_only: Captions(thresholds, finals_only=finals_only),
            delivery=delivery,
            clock_ms=self._clock_ms,
            last_results_ms=self._last_results_ms,
        )
        finals_only = event.utterance_attempt > 1 or not thresholds.partial_results_enabled
        try:
            outcome = transcription.run(
                invocation.entered_ms, event.from_ms, invocation.max_ms, finals_only=finals_only
            )
        except Exception as error:
            self._log.failure("utterance_broken", error, session_hash=hash_for_log(event.session_id))
            broken = UtteranceOutcome(UtteranceEnd.BROKEN, transcription.valid_ms, EndCause.INTERNAL)
            self._finish(invocation, transcription, delivery, broken)
            raise
        self._finish(invocation, transcription, delivery, outcome)
        return outcome.end

    def _finish(
        self,
        invocation: ProcessorInvocation,
        transcription: UtteranceTranscription,
        delivery: CaptionDelivery,
        outcome: UtteranceOutcome,
    ) -> None:
        """Release the slot, notify the client, log, and put the metrics, in this order."""
        event, all_counts = invocation.event, [captions.counts for captions in transcription.captions_by_stream]
        give_up_reason = _give_up_reason(event, outcome)

        def release_slot(utterances: SessionUtterances) -> tuple[SessionUtterances, _ReleasedAttempt | None]:
            """End the utterance, or record that it must be sent again. Return None if the attempt has lost its slot."""
            if not utterances.holds_slot(event.utterance, event.attempt):
                return utterances, None
            sent_elsewhere = delivery.was_sent_elsewhere(utterances.connection)
            if give_up_reason or not _must_repeat(event, outcome, sent_elsewhere=sent_elsewhere):
                finished = utterances.finish(event.utterance, event.attempt, failed=give_up_reason is not None)
                return finished, _ReleasedAttempt(utterances.connection, None)
            resend_request = ResendRequest(
                utterance=event.utterance,
                from_ms=0 if sent_elsewhere else outcome.from_ms,
                wait_ms=_wait_ms(event, outcome, has_results=transcription.has_results),
            )
            planned = utterances.plan_resend(
                event.utterance,
                event.attempt,
                resend_request.from_ms,
                wait_until_ms=self._clock_ms() + resend_request.wait_ms if resend_request.wait_ms else 0,
                is_counted=not outcome.throttled,
            )
            return planned, _ReleasedAttempt(utterances.connection, resend_request)

        # An attempt that has lost its slot must not change the state of the session, and sends no last message.
        slot_lost = outcome.end is UtteranceEnd.SLOT_LOST
        released = None if slot_lost else self._live.change_utterances(event.session_id, release_slot)
        if released and outcome.end is not UtteranceEnd.GONE:
            if give_up_reason:
                # Logged as an error, because an alarm counts this event, and errors are logged at every log level.
                self._log.error(
                    GIVEN_UP_EVENT,
                    session_hash=hash_for_log(event.session_id),
                    outcome=outcome.end,
                    cause=outcome.cause,
                )
            delivery.follow_client(released.connection)
            last_message = _last_message(
                event, all_counts, delivery.final_count, released.resend_request, give_up_reason
            )
            self._send(delivery, last_message)
        fallback = _fallback(event, all_counts)
        self._log.info(
            "utterance_ended",
            session_hash=hash_for_log(event.session_id),
            outcome=outcome.end,
            cause=outcome.cause,
            fallback=None if fallback is None else constant_for_log(fallback, FALLBACK_REASONS),
            milliseconds=self._clock_ms() - invocation.entered_ms,
            finals=delivery.final_count,
            partials=sum(counts.partials for counts in all_counts),
            dropped=sum(counts.dropped for counts in all_counts),
            duplicates=delivery.duplicate_count + sum(counts.duplicates for counts in all_counts),
            orphans=sum(counts.orphans for counts in all_counts),
        )
        try:
            self._metrics.put(delivery.latencies_ms, all_counts)
        except (ClientError, BotoCoreError) as error:
            self._log.failure("metrics_lost", error)

    def _send(self, delivery: CaptionDelivery, message: Message) -> None:
        try:
            delivery.send(message)
        except ClientGone:
            self._log.info("client_gone")
        except (ClientError, BotoCoreError) as error:
            # The answer to the client's next ping, or to its next `open`, contains how the utterance ended.
            self._log.failure("last_word_lost", error)


def _give_up_reason(event: ProcessorEvent, outcome: UtteranceOutcome) -> str | None:
    """Return the reason for giving the utterance up, as text for the client, or None if it is not given up."""
    if outcome.end is UtteranceEnd.REJECTED:
        return "Amazon Transcribe refuses this utterance. Sending it again would not help."
    if outcome.end is UtteranceEnd.BROKEN and event.utterance_attempt >= GIVE_UP_ATTEMPT and not outcome.throttled:
        return f"This utterance was sent at least {GIVE_UP_ATTEMPT} times without success and is given up."
    return None


def _wait_ms(event: ProcessorEvent, outcome: UtteranceOutcome, *, has_results: bool) -> int | None:
    """Return the minimum time that the client waits before it sends the utterance again, or None if it need not wait.

    The client adds a random time. If Amazon Transcribe has sent results in this attempt, it can be reached, so the next
    attempt may follow at once. The next attempt may also follow at once if only the client was gone.
    """
    if outcome.throttled:
        return WAIT_MS
    if outcome.end is UtteranceEnd.BROKEN and not has_results:
        return int(WAIT_MS * WAIT_FACTOR ** (event.utterance_attempt - 1))
    return None


def _must_repeat(event: ProcessorEvent, outcome: UtteranceOutcome, *, sent_elsewhere: bool) -> bool:
    """Return True if the client must send the utterance again. The caller has checked that it is not given up.

    The utterance is repeated if the attempt failed or the client was gone. It is also repeated if `sent_elsewhere` is
    True: messages were sent over a connection that the client no longer uses, so they may be lost. This last rule ends
    with attempt GIVE_UP_ATTEMPT.
    """
    if outcome.end in {UtteranceEnd.BROKEN, UtteranceEnd.GONE}:
        return True
    return sent_elsewhere and event.utterance_attempt < GIVE_UP_ATTEMPT


def _last_message(
    event: ProcessorEvent,
    all_counts: Sequence[CaptionCounts],
    final_count: int,
    resend_request: ResendRequest | None,
    give_up_reason: str | None,
) -> Message:
    if give_up_reason:
        return Failed(
            code=TranscriptionErrorCode.NOT_TRANSCRIBED,
            message=give_up_reason,
            session_id=event.session_id,
            utterance=event.utterance,
        )
    if resend_request is not None:
        return Resend(session_id=event.session_id, utterances=(resend_request,))
    return Done(
        session_id=event.session_id,
        utterance=event.utterance,
        sequence=event.sequence,
        finals=final_count,
        fallback=_fallback(event, all_counts),
    )


def _fallback(event: ProcessorEvent, all_counts: Sequence[CaptionCounts]) -> str | None:
    """Return the reason for showing only final captions, or None if there was no reason except the settings."""
    return next(
        (counts.fallback for counts in all_counts if counts.fallback), RETRIED if event.utterance_attempt > 1 else None
    )
