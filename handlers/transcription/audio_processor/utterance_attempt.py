"""One attempt to transcribe one utterance, a few seconds of speech: stream the audio, deliver captions, report the end.

The audio processor's `handler.py` passes each event to `Processor.handle`. A session, a connection with settings, has
a limited number of slots. The router, the function that answers clients, has taken one of them for the attempt.

Amazon Transcribe works at the pace of speech however fast it receives audio. So the transcription takes as long as the
audio, and a little more for the last words. A single thread sends each chunk of audio when it is due, and receives
results until the next chunk is due. A result comes first as partials, which may still change, then as a final.

An attempt uses one stream. If it fails, the client sends the utterance again as the next attempt. That shows only finals,
unless Amazon Transcribe had no free stream for the failed attempt. Audio and text are kept only in memory.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.logging import EventLog, hash_for_log
from handlers.common.websocket import WebSocketConnections, WebSocketErrorCode
from handlers.transcription.audio import CHUNK_MS, check_utterance
from handlers.transcription.audio_processor.captions import Caption, Captions, Fallback
from handlers.transcription.audio_processor.results import parse_results
from handlers.transcription.audio_processor.stream import (
    StreamFailureCode,
    StreamRequest,
    TranscribeStream,
    TranscribeStreamFailed,
)
from handlers.transcription.environment import (
    DROPPED_METRIC,
    FALLBACK_METRIC,
    GIVEN_UP_EVENT,
    LATENCY_METRIC,
    METRICS_NAMESPACE,
    ORPHANS_METRIC,
    CaptionThresholds,
)
from handlers.transcription.messages import CaptionMessage, Done, Failed, ProcessorEvent, TranscriptionErrorCode
from handlers.transcription.session import Session, SessionTable, UtteranceStatus

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricDatumTypeDef

LAST_CAPTIONS_MS = 200
"""Time after an attempt's deadline in which the last captions may still be delivered."""
OPEN_SECONDS = 1.0
"""Maximum time for opening a stream."""
MAX_FAILURES = 3
"""Number of failed attempts after which an utterance is given up. An attempt does not count if Amazon Transcribe had no
free stream for it. An utterance that Amazon Transcribe rejects is given up at once."""
WAIT_MS = 3_000
"""Minimum time that the client waits before it sends an utterance again, if no stream was free or if the first attempt
got no result. Most streams that are open now end within this time."""
WAIT_FACTOR = 4
"""Factor by which the wait grows with each failed attempt. With two waits, the attempts at an utterance span at least 15
seconds. So they can outlast an outage of the network or of Amazon Transcribe that takes some seconds."""

OpenStream = Callable[[StreamRequest, float], AbstractContextManager[TranscribeStream]]
"""Open a stream within a number of seconds, or raise TranscribeStreamFailed."""


class AttemptEnd(StrEnum):
    """End of an attempt at an utterance, as it is logged, other than a failure of its stream."""

    DONE = "done"
    CUT = "cut"
    """The deadline came after all audio was sent, but before the stream ended. The captions so far are delivered."""
    LATE = "late"
    """The deadline came before all audio was sent, before any result arrived, or before all captions were delivered."""
    GONE = "gone"
    """The client has closed its connection, and with it the session."""
    INTERNAL_ERROR = "internal_error"
    """The processor raised an exception."""


Outcome = AttemptEnd | StreamFailureCode
TRANSCRIBED = {AttemptEnd.DONE, AttemptEnd.CUT}
"""Outcomes after which the utterance is done."""
FAILED = {*StreamFailureCode, AttemptEnd.LATE, AttemptEnd.INTERNAL_ERROR} - {StreamFailureCode.REJECTED}
"""Outcomes after which the client must send the utterance again, unless the utterance is given up. An utterance that
Amazon Transcribe rejects would be rejected again."""


class AttemptStopped(Exception):
    """The attempt is stopped before its stream ends: the deadline has passed, or the client is gone."""

    def __init__(self, end: AttemptEnd) -> None:
        super().__init__(end)
        self.end = end


@dataclass(frozen=True)
class Processor:
    """The audio processor with everything that its attempts use."""

    sessions: SessionTable
    connections: WebSocketConnections
    cloudwatch: "CloudWatchClient"
    function_name: str
    thresholds: CaptionThresholds
    last_results_ms: int
    """Time beyond the length of the audio that an attempt may take, counted from the start of the invocation."""
    open_stream: OpenStream
    clock_ms: Callable[[], int]
    log: EventLog

    def handle(self, event: Mapping[str, Any]) -> Outcome | None:
        """Run one attempt. Return None if its session is gone, or it has no slot, or it was started already."""
        entered_ms, is_started = self.clock_ms(), False
        parsed = ProcessorEvent.model_validate(event)

        def start(session: Session) -> Session:
            nonlocal is_started
            started = session.start(parsed.utterance, parsed.attempt, entered_ms)
            is_started = started is not session  # `start` returns the same session if the attempt may not start
            return started

        session = self.sessions.change(parsed.session_id, start)
        if session is None or not is_started:
            self.log.warning("utterance_not_ours", session_hash=hash_for_log(parsed.session_id))
            return None
        attempt = Attempt(self, parsed, session, entered_ms)
        try:
            outcome = attempt.run()
        except Exception as error:
            self.log.failure("utterance_broken", error, session_hash=hash_for_log(parsed.session_id))
            attempt.end(AttemptEnd.INTERNAL_ERROR)
            raise
        attempt.end(outcome)
        return outcome


class Attempt:
    """One attempt that has started. `run` is called once, then `end`."""

    def __init__(self, processor: Processor, event: ProcessorEvent, session: Session, entered_ms: int) -> None:
        """`entered_ms` is the time at which the invocation started."""
        self._processor = processor
        self._event = event
        self._session = session
        self._entered_ms = entered_ms
        self._clock_ms = processor.clock_ms
        self._audio = check_utterance(base64.b64decode(event.audio), session.encoding, session.sample_rate)
        self._deadline_ms = entered_ms + self._audio.duration_ms + processor.last_results_ms
        """Time at which the transcription stops."""
        self._failures = session.find(event.utterance).failures
        """Number of earlier attempts that failed, without those that had no free stream."""
        thresholds = processor.thresholds.for_session(session.settings)
        self._captions = Captions(thresholds, finals_only=self._failures > 0)
        self._final_count = 0
        self._latencies_ms: list[int] = []
        """For each delivered caption, the time from the end of its speech to its delivery. The user is assumed to have
        begun to speak when the router accepted the attempt."""

    def run(self) -> Outcome:
        """Transcribe the utterance, and return how the attempt ended."""
        try:
            return self._run_stream()
        except TranscribeStreamFailed as failure:
            return failure.code
        except AttemptStopped as ended:
            return ended.end

    def _run_stream(self) -> AttemptEnd:
        """Stream the audio, and deliver the captions.

        The nth chunk, counted from 0, is sent n times CHUNK_MS after the stream opened.
        """
        session = self._session
        request = StreamRequest(
            session.language, session.sample_rate, session.encoding, stabilised=not self._captions.finals_only
        )
        unsent = list(reversed(self._audio.chunks))
        seconds = min(OPEN_SECONDS, (self._deadline_ms - self._clock_ms()) / 1000)
        with self._processor.open_stream(request, seconds) as stream:
            next_chunk_ms, audio_ended = self._clock_ms(), False
            while not stream.ended and (now_ms := self._clock_ms()) < self._deadline_ms:
                if unsent and next_chunk_ms <= now_ms:
                    stream.send(unsent.pop())
                    next_chunk_ms += CHUNK_MS
                    continue
                if not unsent and not audio_ended:
                    stream.end()
                    audio_ended = True
                # Wait for an event, but only until the next chunk or a waiting caption is due, or the deadline comes.
                caption_due_ms = self._captions.next_due_ms()
                due_ms = min(
                    self._deadline_ms,
                    next_chunk_ms if unsent else self._deadline_ms,
                    self._deadline_ms if caption_due_ms is None else caption_due_ms,
                )
                self._receive(stream, (due_ms - now_ms) / 1000)
                self._show(self._captions.take_due(self._clock_ms()))
            # After the deadline, events that have already arrived are still processed, as long as there is time.
            while not stream.ended and self._check_deadline() and self._receive(stream, 0):
                pass
            if not stream.ended and not (audio_ended and self._captions.has_results):
                raise AttemptStopped(AttemptEnd.LATE)
            self._show(self._captions.finish(self._clock_ms()))
            return AttemptEnd.DONE if stream.ended else AttemptEnd.CUT

    def _receive(self, stream: TranscribeStream, seconds: float) -> bool:
        """Wait for one event and deliver its captions. Return False if none came in time."""
        payload = stream.receive(max(0, seconds))
        if payload is None:
            return False
        for result in parse_results(payload):
            self._show(self._captions.accept(result, self._clock_ms()))
        return True

    def _show(self, captions: Iterable[Caption]) -> None:
        """Deliver captions. After the deadline, deliver only finals, because the client removes other lines at the end."""
        for caption in captions:
            self._check_deadline()
            if caption.final or self._clock_ms() <= self._deadline_ms:
                self._deliver(caption)

    def _check_deadline(self) -> bool:
        """Return True, or raise AttemptStopped if there is no time left to deliver captions."""
        if self._clock_ms() > self._deadline_ms + LAST_CAPTIONS_MS:
            raise AttemptStopped(AttemptEnd.LATE)
        return True

    def _deliver(self, caption: Caption) -> None:
        event = self._event
        message = CaptionMessage(
            utterance=event.utterance, attempt=event.attempt, sequence=event.sequence, **asdict(caption)
        )
        try:
            if not self._processor.connections.post(event.session_id, message):
                raise AttemptStopped(AttemptEnd.GONE)
        except (ClientError, BotoCoreError) as error:
            # If a final cannot be delivered, the attempt fails, so that the client sends the utterance again. A partial
            # may be lost, because a newer version will follow.
            if caption.final:
                raise
            self._processor.log.failure("partial_not_posted", error, level="WARNING")
            return
        if not caption.text:
            return  # The caption removed its line.
        self._final_count += caption.final
        self._latencies_ms.append(self._clock_ms() - event.accepted_ms - caption.end_ms)

    def end(self, outcome: Outcome) -> None:
        """Release the slot, notify the client, log, and put the metrics."""
        event, log = self._event, self._processor.log
        session_hash = hash_for_log(event.session_id)
        # First, because the client may send its next message as soon as it is notified.
        session = self._processor.sessions.change(event.session_id, partial(self._end_attempt, outcome=outcome))
        state = session.find(event.utterance) if session else None
        # If the client has sent the utterance again, it waits for the end of a later attempt, and ignores this end.
        if state and state.attempt == event.attempt:
            if state.status is UtteranceStatus.GIVEN_UP:
                # Logged as an error, because an alarm counts this event, and errors are logged at every log level.
                log.error(GIVEN_UP_EVENT, session_hash=session_hash, outcome=outcome)
            try:
                self._processor.connections.post(event.session_id, self._last_message(state.status, outcome))
            except (ClientError, BotoCoreError) as error:
                # The client sends the utterance again after some time. The router's answer then states how it ended.
                log.failure("last_word_lost", error)
        log.info(
            "utterance_ended",
            session_hash=session_hash,
            outcome=outcome,
            fallback=self._fallback(),
            milliseconds=self._clock_ms() - self._entered_ms,
            finals=self._final_count,
            dropped=self._captions.dropped,
            orphans=self._captions.orphans,
        )
        try:
            self._put_metrics(is_fallback=self._captions.fallback is not None or outcome in FAILED)
        except (ClientError, BotoCoreError) as error:
            log.failure("metrics_lost", error)

    def _put_metrics(self, *, is_fallback: bool) -> None:
        """Put the metrics that are not zero in one call. Make no call if all are zero."""
        data: list[MetricDatumTypeDef] = []
        if self._latencies_ms:
            data.append({"MetricName": LATENCY_METRIC, "Values": self._latencies_ms, "Unit": "Milliseconds"})
        for name, value in (
            (DROPPED_METRIC, self._captions.dropped),
            (ORPHANS_METRIC, self._captions.orphans),
            (FALLBACK_METRIC, int(is_fallback)),
        ):
            if value:
                data.append({"MetricName": name, "Value": value, "Unit": "Count"})
        if data:
            for datum in data:
                datum["Dimensions"] = [{"Name": "FunctionName", "Value": self._processor.function_name}]
            self._processor.cloudwatch.put_metric_data(Namespace=METRICS_NAMESPACE, MetricData=data)

    def _end_attempt(self, session: Session, outcome: Outcome) -> Session:
        """Release the slot. The utterance is then done, given up, or waits for the client to send it again."""
        is_failure = outcome in FAILED and not self._is_throttled(outcome)
        status = UtteranceStatus.WAITING
        if outcome in TRANSCRIBED:
            status = UtteranceStatus.DONE
        elif outcome is StreamFailureCode.REJECTED or (is_failure and self._failures + 1 >= MAX_FAILURES):
            status = UtteranceStatus.GIVEN_UP
        return session.end(self._event.utterance, self._event.attempt, status, self._failures + is_failure)

    def _last_message(self, status: UtteranceStatus, outcome: Outcome) -> Done | Failed:
        """Return the message to the client about the end of the attempt."""
        event = self._event
        common = {"utterance": event.utterance, "attempt": event.attempt}
        if status is UtteranceStatus.DONE:
            return Done(**common, sequence=event.sequence, finals=self._final_count, fallback=self._fallback())
        if status is UtteranceStatus.GIVEN_UP:
            text = (
                "Amazon Transcribe refuses this utterance. Sending it again would not help."
                if outcome is StreamFailureCode.REJECTED
                else f"{MAX_FAILURES} attempts to transcribe this utterance failed, so it is given up."
            )
            return Failed(**common, code=TranscriptionErrorCode.NOT_TRANSCRIBED, message=text, retryable=False)
        return Failed(
            **common,
            code=WebSocketErrorCode.UNAVAILABLE,
            message="This attempt failed. Send the utterance again.",
            retryable=True,
            wait_ms=self._wait_ms(outcome),
        )

    def _wait_ms(self, outcome: Outcome) -> int | None:
        """Return the minimum time that the client waits before it sends the utterance again, or None if it need not wait."""
        if self._is_throttled(outcome):
            return WAIT_MS
        # After results in this attempt, Amazon Transcribe can be reached, so the next attempt may follow at once.
        return None if self._captions.has_results else int(WAIT_MS * WAIT_FACTOR**self._failures)

    def _is_throttled(self, outcome: Outcome) -> bool:
        """Return True if Amazon Transcribe had no free stream. A later attempt may get one."""
        return outcome is StreamFailureCode.THROTTLED and not self._captions.has_results

    def _fallback(self) -> Fallback | None:
        """Return the reason for showing only finals, other than the settings, or None."""
        return Fallback.RETRIED if self._failures else self._captions.fallback
