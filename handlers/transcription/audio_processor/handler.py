"""Transcribes one utterance and delivers its captions while they arise.

Called asynchronously, by the router alone, without retries: an utterance whose place cannot be taken was given up
already, or is being worked on by another call. Audio and text live in memory only.
"""

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws.clients import LIVE_CONFIG
from handlers.common.lambda_runtime import LambdaContext
from handlers.common.logging import EventLog, hashed
from handlers.common.time_and_ids import clock
from handlers.common.websocket.connections import Connections
from handlers.common.websocket.messages import Message
from handlers.transcription.audio_processor.caption_delivery import CaptionDelivery, ClientGone
from handlers.transcription.audio_processor.captions.caption_rules import CaptionCounts, Captions
from handlers.transcription.audio_processor.metrics import UtteranceMetrics
from handlers.transcription.audio_processor.transcribe_stream.stream_client import TranscribeStream
from handlers.transcription.audio_processor.utterance_transcription import (
    EndCause,
    UtteranceEnd,
    UtteranceOutcome,
    UtteranceTranscription,
)
from handlers.transcription.caption_thresholds import CaptionThresholds
from handlers.transcription.environment import GIVEN_UP_EVENT
from handlers.transcription.live_table import LiveTable, session_slots_key
from handlers.transcription.messages import Again, Done, Failed, ProcessorEvent, Resend, TranscriptionErrorCode
from handlers.transcription.sessions import Session, SessionTable
from handlers.transcription.stream_signing import StreamRequest, stream_url_signer
from handlers.transcription.utterance_audio import Utterance, utterance
from handlers.transcription.utterance_slots import SessionSlots

OVERDUE_MS = 8_000
"""Beyond an utterance's own length: from then on a running one is lost. Far more than it may take."""
RESERVE_MS = 3_000
"""Of the invocation's time, kept for telling the client how it ended."""
URL_SECONDS = 60

MAX_ATTEMPTS = 3
"""Of one utterance that had a stream: then it is given up, and its client told so."""
WAIT_MS = 3_000
"""Before an utterance comes again for which no stream was to be had: most that hold one are over by then."""
RETRIED = "retried"

OpenStream = Callable[[StreamRequest, float], AbstractContextManager[TranscribeStream]]


@dataclass(frozen=True)
class ProcessorInvocation:
    """One invocation."""

    work: ProcessorEvent
    spoken: Utterance
    entered_ms: int
    most_ms: int
    """What it may take."""


class Processor:
    """Works on utterances, one at a time."""

    def __init__(
        self,
        sessions: SessionTable,
        live: LiveTable,
        connections: Connections,
        metrics: UtteranceMetrics,
        *,
        thresholds: CaptionThresholds,
        open_stream: OpenStream,
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._connections = connections
        self._metrics = metrics
        self._thresholds = thresholds
        self._open_stream = open_stream
        self._clock_ms = clock_ms
        self._log = log

    def handle(self, event: Mapping[str, Any], remaining_ms: int) -> UtteranceEnd | None:
        """One utterance; none where it is not to be worked on."""
        entered_ms = self._clock_ms()
        work = ProcessorEvent.model_validate(event)
        session = self._sessions.find(work.session_id)
        if session is None:
            self._log.error("session_missing", session_hash=hashed(work.session_id))
            return None
        spoken = utterance(base64.b64decode(work.audio), session.encoding, session.sample_rate)
        connection = self._begin(work, spoken)
        if connection is None:
            self._log.warning("utterance_not_ours", session_hash=hashed(work.session_id))
            return None
        call = ProcessorInvocation(work, spoken, entered_ms, remaining_ms - RESERVE_MS)
        return self._transcribe(call, session, connection)

    def _begin(self, work: ProcessorEvent, spoken: Utterance) -> str | None:
        def begin(flight: SessionSlots) -> tuple[SessionSlots, str | None]:
            now_ms = self._clock_ms()
            overdue_ms = now_ms + spoken.duration_ms + OVERDUE_MS
            begun, mine = flight.start(work.utterance, work.attempt, now_ms, overdue_ms)
            return begun, flight.connection if mine else None

        return self._live.change(SessionSlots, session_slots_key(work.session_id), begin)

    def _transcribe(self, call: ProcessorInvocation, session: Session, connection: str) -> UtteranceEnd:
        work = call.work
        thresholds = self._thresholds.for_session(session.settings)
        request = StreamRequest(session.language, session.sample_rate, session.encoding.value, stabilised=False)
        delivery = CaptionDelivery(
            work,
            session,
            connection,
            live=self._live,
            connections=self._connections,
            dedup_seconds=thresholds.dedup_cache_ttl,
            clock_ms=self._clock_ms,
            log=self._log,
        )
        transcribing = UtteranceTranscription(
            call.spoken,
            open_stream=lambda partials, seconds: self._open_stream(replace(request, stabilised=partials), seconds),
            captions_of=lambda finals_only: Captions(thresholds, final_only=finals_only),
            delivery=delivery,
            clock_ms=self._clock_ms,
        )
        finals_only = work.attempts > 1 or not thresholds.partial_results_enabled
        try:
            ending = transcribing.run(call.entered_ms, work.from_ms, call.most_ms, finals_only=finals_only)
        except Exception:
            broken = UtteranceOutcome(UtteranceEnd.BROKEN, transcribing.held_ms, EndCause.INTERNAL)
            self._finish(call, transcribing, delivery, broken)
            raise
        self._finish(call, transcribing, delivery, ending)
        return ending.end

    def _finish(
        self,
        call: ProcessorInvocation,
        transcribing: UtteranceTranscription,
        delivery: CaptionDelivery,
        ending: UtteranceOutcome,
    ) -> None:
        """Gives the place back, tells the client, then the metrics."""
        work, counts = call.work, [one.counts for one in transcribing.used]
        given_up = _given_up(work, ending)
        lost = ending.end in {UtteranceEnd.BROKEN, UtteranceEnd.GONE} and not given_up

        def end(flight: SessionSlots) -> tuple[SessionSlots, tuple[str, Again | None] | None]:
            if not flight.holds_slot(work.utterance, work.attempt):
                return flight, None
            unheard = delivery.was_sent_elsewhere(flight.connection)
            if not (lost or (unheard and not given_up and work.attempts < MAX_ATTEMPTS)):
                landed = flight.finish(work.utterance, work.attempt, failed=given_up is not None)
                return landed, (flight.connection, None)
            again = Again(
                utterance=work.utterance,
                from_ms=0 if unheard else ending.from_ms,
                wait_ms=WAIT_MS if ending.throttled else None,
            )
            rests_until_ms = self._clock_ms() + WAIT_MS if ending.throttled else 0
            broke = flight.plan_resend(work.utterance, work.attempt, again.from_ms, rests_until_ms)
            return broke, (flight.connection, again)

        # An attempt that was overtaken, and had nothing to show that would have told it so, says nothing either.
        ours = (
            None
            if ending.end is UtteranceEnd.OVERTAKEN
            else self._live.change(SessionSlots, session_slots_key(work.session_id), end)
        )
        if ours and ending.end is not UtteranceEnd.GONE:
            connection, again = ours
            if given_up:
                # At a level that no setting leaves out: an alarm counts these.
                self._log.error(
                    GIVEN_UP_EVENT, session_hash=hashed(work.session_id), outcome=ending.end, cause=ending.cause or ""
                )
            delivery.follow_client(connection)
            self._tell(delivery, _last_word(work, counts, delivery.finals, again, given_up))
        fallback = _fallback(work, counts)
        self._log.info(
            "utterance_ended",
            session_hash=hashed(work.session_id),
            outcome=ending.end,
            cause=ending.cause or "",
            fallback=fallback or "",
            milliseconds=self._clock_ms() - call.entered_ms,
            finals=delivery.finals,
            partials=sum(one.partials for one in counts),
            dropped=sum(one.dropped for one in counts),
            duplicates=delivery.repeated + sum(one.duplicates for one in counts),
            orphans=sum(one.orphans for one in counts),
        )
        try:
            self._metrics.put(delivery.latencies_ms, counts)
        except (ClientError, BotoCoreError) as error:
            self._log.error("metrics_lost", error_type=type(error).__name__)

    def _tell(self, delivery: CaptionDelivery, message: Message) -> None:
        try:
            delivery.send(message)
        except ClientGone:
            self._log.info("client_gone")
        except (ClientError, BotoCoreError) as error:
            # How it ended is told with the answer to the client's next ping, or when it comes back.
            self._log.error("last_word_lost", error_type=type(error).__name__)


def _given_up(work: ProcessorEvent, ending: UtteranceOutcome) -> str | None:
    """Why the utterance is not to be sent again, if so."""
    if ending.end is UtteranceEnd.REJECTED:
        return "Amazon Transcribe refuses this utterance. Sending it again would not help."
    if ending.end is UtteranceEnd.BROKEN and work.attempts >= MAX_ATTEMPTS and not ending.throttled:
        return "This utterance failed three times and is given up."
    return None


def _last_word(
    work: ProcessorEvent, counts: Sequence[CaptionCounts], finals: int, again: Again | None, given_up: str | None
) -> Message:
    if given_up:
        return Failed(
            code=TranscriptionErrorCode.NOT_TRANSCRIBED,
            message=given_up,
            session_id=work.session_id,
            utterance=work.utterance,
        )
    if again is not None:
        return Resend(session_id=work.session_id, utterances=(again,))
    return Done(
        session_id=work.session_id,
        utterance=work.utterance,
        sequence=work.sequence,
        finals=finals,
        fallback=_fallback(work, counts),
    )


def _fallback(work: ProcessorEvent, counts: Sequence[CaptionCounts]) -> str | None:
    """Why only finals were shown, where partials were meant to be."""
    return next((one.fallback for one in counts if one.fallback), RETRIED if work.attempts > 1 else None)


@cache
def _processor() -> Processor:
    """Made once a container."""
    environment = CaptionThresholds.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=LIVE_CONFIG)
    sign = stream_url_signer(session, environment.aws_endpoint_url_transcribe_streaming)
    return Processor(
        SessionTable(dynamodb, environment.sessions_table_name, clock.now_ms),
        LiveTable(dynamodb, environment.live_table_name, clock.now_ms),
        Connections(session.client("apigatewaymanagementapi", config=LIVE_CONFIG)),
        UtteranceMetrics(session.client("cloudwatch", config=LIVE_CONFIG), os.environ["AWS_LAMBDA_FUNCTION_NAME"]),
        thresholds=environment,
        open_stream=lambda request, seconds: TranscribeStream.open(sign(request, URL_SECONDS), seconds),
        clock_ms=clock.now_ms,
        log=EventLog(environment.log_level, structured=environment.structured_logging),
    )


def handler(event: Mapping[str, Any], context: LambdaContext) -> str | None:
    """The entry point of the function."""
    return _processor().handle(event, context.get_remaining_time_in_millis())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _processor()  # while the container starts, which is faster and comes before anybody waits
