"""One attempt to transcribe one utterance, a few seconds of speech: stream the audio, deliver captions, report the end.

Amazon Transcribe works at the pace of speech however fast it receives audio. So the transcription takes as long as the
audio, and a little more for the last words. A single thread sends each chunk of audio when it is due, and receives
results until the next chunk is due. A result comes first as partials, which may still change, then as a final.

An attempt uses one stream. If it fails, the client sends the utterance again, and the next attempt shows only finals.
`session` has the rules of attempts. Audio and text are kept only in memory.
"""

import base64
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.websocket import WebSocketConnections, WebSocketErrorCode
from handlers.transcription.audio import CHUNK_MS, Utterance, check_utterance
from handlers.transcription.audio_processor.captions import Caption, Captions, Fallback
from handlers.transcription.audio_processor.metrics import UtteranceMetrics
from handlers.transcription.audio_processor.results import parse_results
from handlers.transcription.audio_processor.stream import (
    StreamFailureCode,
    StreamRequest,
    TranscribeStream,
    TranscribeStreamFailed,
)
from handlers.transcription.environment import GIVEN_UP_EVENT, CaptionThresholds
from handlers.transcription.messages import CaptionMessage, Done, Failed, ProcessorEvent, TranscriptionErrorCode
from handlers.transcription.session import Session, SessionTable

OVERDUE_MS = 8_000
"""Time beyond the length of the audio after which a started attempt counts as lost. An attempt that is still running
never takes so long."""
LAST_CAPTIONS_MS = 200
"""Time after the deadline in which the last captions may still be delivered."""
OPEN_SECONDS = 1.0
"""Maximum time for opening a stream."""
GIVE_UP_ATTEMPT = 3
"""Number of failed attempts after which an utterance is given up. An attempt does not count if it had no free stream. An
utterance that Amazon Transcribe rejects is given up at once."""
WAIT_MS = 3_000
"""Minimum time that the client waits before it sends an utterance again, if no stream was free or if the first attempt
got no result. Most streams that are open now end within this time."""
WAIT_FACTOR = 4
"""Factor by which the wait grows with each failed attempt. With two waits, the attempts at an utterance span at least 15
seconds. So they can outlast an outage of the network or of Amazon Transcribe that takes some seconds."""

OpenStream = Callable[[StreamRequest, float], AbstractContextManager[TranscribeStream]]


class UtteranceEnd(StrEnum):
    """Outcome of an attempt at an utterance, as it is logged."""

    DONE = "done"
    DEADLINE = "cut"
    """The deadline came after all audio was sent, but before the stream ended. The captions so far are delivered."""
    BROKEN = "broken"
    """The attempt failed. The client must send the utterance again, unless the utterance is given up."""
    REJECTED = "rejected"
    """Amazon Transcribe refuses the utterance, and would refuse it again."""
    GONE = "gone"
    """The client has closed its connection."""


class EndCause(StrEnum):
    """Cause of a failed attempt, if it is not a failure code of the stream."""

    LATE = "late"
    """The deadline came before all audio was sent, before any result arrived, or before all captions were delivered."""
    INTERNAL = "internal_error"
    """The processor raised an exception."""


@dataclass
class Outcome:
    """Outcome of an attempt, with the cause of a failure."""

    end: UtteranceEnd
    cause: StrEnum | None = None
    """Failure code of the stream or an `EndCause`. None if nothing failed."""


class AttemptEnded(Exception):
    """The attempt ends before its stream: the deadline has passed, or the client is gone."""

    def __init__(self, end: UtteranceEnd, cause: EndCause | None = None) -> None:
        super().__init__(end)
        self.outcome = Outcome(end, cause)


@dataclass(frozen=True)
class Processor:
    """The audio processor with everything that its attempts use."""

    sessions: SessionTable
    connections: WebSocketConnections
    metrics: UtteranceMetrics
    thresholds: CaptionThresholds
    last_results_ms: int
    """Time beyond the length of the audio that an attempt may take, counted from the start of the invocation."""
    open_stream: OpenStream
    clock_ms: Callable[[], int]
    log: EventLog

    def handle(self, event: Mapping[str, Any]) -> UtteranceEnd | None:
        """Process one utterance. Return None if its attempt cannot be started."""
        entered_ms = self.clock_ms()
        parsed = ProcessorEvent.model_validate(event)
        holder, overdue_ms = secrets.token_hex(8), entered_ms + parsed.duration_ms + OVERDUE_MS
        session = self.sessions.change(
            parsed.session_id, lambda current: current.start(parsed.holder, holder, entered_ms, overdue_ms)
        )
        if session is None or session.find_held(holder) is None:
            self.log.warning("utterance_not_ours", session_hash=hash_for_log(parsed.session_id))
            return None
        audio = check_utterance(base64.b64decode(parsed.audio), session.encoding, session.sample_rate)
        deadline_ms = entered_ms + audio.duration_ms + self.last_results_ms
        attempt = Attempt(self, parsed, session, audio, holder=holder, deadline_ms=deadline_ms)
        try:
            outcome = attempt.run()
        except Exception as error:
            self.log.failure("utterance_broken", error, session_hash=hash_for_log(parsed.session_id))
            attempt.end(Outcome(UtteranceEnd.BROKEN, EndCause.INTERNAL), entered_ms)
            raise
        attempt.end(outcome, entered_ms)
        return outcome.end


class Attempt:
    """One attempt that has started. `run` is called once, then `end`."""

    def __init__(
        self,
        processor: Processor,
        event: ProcessorEvent,
        session: Session,
        audio: Utterance,
        holder: str,
        deadline_ms: int,
    ) -> None:
        """`holder` is the text that proves that the attempt has its slot. `deadline_ms` is the time at which the
        transcription stops.
        """
        self._processor = processor
        self._event = event
        self._session = session
        self._audio = audio
        self._holder = holder
        self._deadline_ms = deadline_ms
        self._clock_ms = processor.clock_ms
        thresholds = processor.thresholds.for_session(session.settings)
        self._finals_only = event.failures > 0 or not thresholds.partial_results_enabled
        self._captions = Captions(thresholds, finals_only=self._finals_only)
        self._final_count = 0
        self._latencies_ms: list[int] = []
        """For each delivered caption, the time from the end of its speech to its delivery. The user is assumed to have
        begun to speak when the router accepted the attempt."""

    def run(self) -> Outcome:
        """Transcribe the utterance, and return how the attempt ended."""
        try:
            return self._run_stream()
        except TranscribeStreamFailed as failure:
            is_rejected = failure.code is StreamFailureCode.REJECTED
            return Outcome(UtteranceEnd.REJECTED if is_rejected else UtteranceEnd.BROKEN, failure.code)
        except AttemptEnded as ended:
            return ended.outcome

    def _run_stream(self) -> Outcome:
        """Stream the audio, and deliver the captions.

        The nth chunk, counted from 0, is sent n times CHUNK_MS after the stream opened.
        """
        session = self._session
        request = StreamRequest(
            session.language, session.sample_rate, session.encoding, stabilised=not self._finals_only
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
                raise AttemptEnded(UtteranceEnd.BROKEN, EndCause.LATE)
            self._show(self._captions.finish(self._clock_ms()))
            return Outcome(UtteranceEnd.DONE if stream.ended else UtteranceEnd.DEADLINE)

    def _receive(self, stream: TranscribeStream, seconds: float) -> bool:
        """Wait for one event and deliver its captions. Return False if none came in time."""
        payload = stream.receive(max(0, seconds))
        if payload is None:
            return False
        for result in parse_results(payload):
            self._show(self._captions.accept(result, self._clock_ms()))
        return True

    def _show(self, captions: Iterable[Caption]) -> None:
        """Deliver captions, but no partial after the deadline."""
        for caption in captions:
            self._check_deadline()
            if caption.final or not caption.text or self._clock_ms() <= self._deadline_ms:
                self._deliver(caption)

    def _check_deadline(self) -> bool:
        """Return True, or raise AttemptEnded if there is no time left to deliver captions."""
        if self._clock_ms() > self._deadline_ms + LAST_CAPTIONS_MS:
            raise AttemptEnded(UtteranceEnd.BROKEN, EndCause.LATE)
        return True

    def _deliver(self, caption: Caption) -> None:
        event = self._event
        message = CaptionMessage(
            utterance=event.utterance,
            attempt=event.attempt,
            sequence=event.sequence,
            result_id=caption.result_id,
            text=caption.text,
            final=caption.final,
            start_ms=caption.start_ms,
            end_ms=caption.end_ms,
            stability=caption.stability,
            orphan=caption.orphan,  # a partial that never became final, shown as it was last received
        )
        try:
            self._post(message)
        except (ClientError, BotoCoreError) as error:
            # If a final does not arrive, the attempt fails and the utterance is repeated. A partial may be lost, because
            # a newer version will follow.
            if caption.final:
                raise
            self._processor.log.failure("partial_not_posted", error, level="WARNING")
            return
        if not caption.text:
            return  # The caption removed its line.
        self._final_count += caption.final
        # The router's clock may be a little ahead of this one.
        self._latencies_ms.append(max(0, self._clock_ms() - event.accepted_ms - caption.end_ms))

    def _post(self, message: Message) -> None:
        if not self._processor.connections.post(self._event.session_id, message):
            raise AttemptEnded(UtteranceEnd.GONE)

    def end(self, outcome: Outcome, entered_ms: int) -> None:
        """Release the slot, notify the client, log, and put the metrics, in this order."""
        event, log, counts = self._event, self._processor.log, self._captions.counts
        session_hash = hash_for_log(event.session_id)
        had_slot = False

        def end_attempt(session: Session) -> Session:
            nonlocal had_slot
            had_slot = session.find_held(self._holder) is not None
            return self._end_attempt(session, outcome)

        session = self._processor.sessions.change(event.session_id, end_attempt)
        # The client ignores an attempt that has lost its slot, because it has sent the utterance again, or will do so.
        message = self._last_message(session, outcome) if session and had_slot else None
        if isinstance(message, Failed) and not message.retryable:
            # Logged as an error, because an alarm counts this event, and errors are logged at every log level.
            log.error(GIVEN_UP_EVENT, session_hash=session_hash, outcome=outcome.end, cause=outcome.cause)
        if message is not None:
            self._post_last(message)
        log.info(
            "utterance_ended",
            session_hash=session_hash,
            outcome=outcome.end,
            cause=outcome.cause,
            fallback=self._fallback(),
            milliseconds=self._clock_ms() - entered_ms,
            finals=self._final_count,
            partials=counts.partials,
            dropped=counts.dropped,
            duplicates=counts.duplicates,
            orphans=counts.orphans,
        )
        is_fallback = counts.fallback is not None or outcome.end is UtteranceEnd.BROKEN
        try:
            self._processor.metrics.put(self._latencies_ms, counts, is_fallback=is_fallback)
        except (ClientError, BotoCoreError) as error:
            log.failure("metrics_lost", error)

    def _end_attempt(self, session: Session, outcome: Outcome) -> Session:
        is_failure = outcome.end is UtteranceEnd.BROKEN and not self._is_throttled(outcome)
        if outcome.end in {UtteranceEnd.DONE, UtteranceEnd.DEADLINE}:
            return session.finish(self._holder, failed=False)
        if outcome.end is UtteranceEnd.REJECTED or (is_failure and self._event.failures + 1 >= GIVE_UP_ATTEMPT):
            return session.finish(self._holder, failed=True)
        return session.release(self._holder, is_failure=is_failure)

    def _last_message(self, session: Session, outcome: Outcome) -> Done | Failed:
        """Return the message about the end, for the client that waits for it."""
        event, state = self._event, session.find(self._event.utterance)
        common = {"utterance": event.utterance, "attempt": event.attempt}
        if state.failed:
            text = (
                "Amazon Transcribe refuses this utterance. Sending it again would not help."
                if outcome.end is UtteranceEnd.REJECTED
                else f"{GIVE_UP_ATTEMPT} attempts to transcribe this utterance failed, so it is given up."
            )
            return Failed(**common, code=TranscriptionErrorCode.NOT_TRANSCRIBED, message=text, retryable=False)
        if state.done:
            return Done(**common, sequence=event.sequence, finals=self._final_count, fallback=self._fallback())
        return Failed(
            **common,
            code=WebSocketErrorCode.UNAVAILABLE,
            message="This attempt failed. Send the utterance again.",
            retryable=True,
            wait_ms=self._wait_ms(outcome),
        )

    def _post_last(self, message: Message) -> None:
        try:
            self._processor.connections.post(self._event.session_id, message)
        except (ClientError, BotoCoreError) as error:
            # The client sends the utterance again after some time, and the answer states how the utterance ended.
            self._processor.log.failure("last_word_lost", error)

    def _wait_ms(self, outcome: Outcome) -> int | None:
        """Return the minimum time that the client waits before it sends the utterance again, or None if it need not wait.

        If Amazon Transcribe has sent results in this attempt, it can be reached, so the next attempt may follow at once.
        """
        if self._is_throttled(outcome):
            return WAIT_MS
        return None if self._captions.has_results else int(WAIT_MS * WAIT_FACTOR**self._event.failures)

    def _is_throttled(self, outcome: Outcome) -> bool:
        """Return True if Amazon Transcribe had no free stream. A later attempt may get one."""
        return outcome.cause is StreamFailureCode.THROTTLED and not self._captions.has_results

    def _fallback(self) -> Fallback | None:
        return Fallback.RETRIED if self._event.failures else self._captions.counts.fallback
