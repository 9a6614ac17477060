"""Transcription of one utterance before a deadline: sends audio at the pace of speech, and delivers captions meanwhile.

An utterance is a few seconds of speech. Amazon Transcribe works at the pace of speech however fast it receives audio.
So the transcription takes as long as the audio, and a little more for the last words. A single thread sends each chunk
of audio when it is due, and receives results until the next chunk is due.

A result comes first as partials, which may still change, then as a final. If the stream fails, a second one is opened,
unless there is too little time or Amazon Transcribe had no free stream. Only finals of the second stream are shown.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from handlers.transcription.audio import CHUNK_MS, Encoding, Utterance
from handlers.transcription.audio_processor.caption_delivery import CaptionDelivery, ClientGone, SlotLost
from handlers.transcription.audio_processor.captions import Caption, Captions
from handlers.transcription.audio_processor.results import parse_results
from handlers.transcription.audio_processor.stream import (
    StreamFailureCode,
    TranscribeStream,
    TranscribeStreamFailed,
)

LAST_CAPTIONS_MS = 200
"""Time after the deadline in which the last captions may still be delivered."""
OPEN_SECONDS = 1.0
"""Maximum time for opening a stream. It is short, so that a second stream can still be opened."""
TAIL_MS = 500
"""Time that a second stream needs in addition to the length of its audio."""
STREAM_FAILED = "stream_failed"
"""Reason for showing only final captions: a stream failed."""


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
    """The client has no open connection."""
    SLOT_LOST = "overtaken"
    """The attempt no longer holds the utterance's slot, which is the entry of the live table for an utterance in
    progress. A newer attempt took the slot, or the slot's deadline was over."""


class EndCause(StrEnum):
    """Cause of a failed attempt, if it is not a failure code of the stream."""

    LATE = "late"
    """The deadline came before all audio was sent, before any result arrived, or before all captions were delivered."""
    INTERNAL = "internal_error"
    """The processor raised an exception."""


@dataclass(frozen=True)
class UtteranceOutcome:
    end: UtteranceEnd
    from_ms: int = 0
    """Position from which the utterance must be repeated."""
    cause: StrEnum | None = None
    """Failure code of the stream or an `EndCause`. None if nothing failed."""
    throttled: bool = False
    """True if Amazon Transcribe had no free stream. A later attempt may get one."""


class DeadlinePassed(Exception):
    """There is no time left to deliver captions."""


class UtteranceTranscription:
    """One attempt to transcribe one utterance. `run` is called once."""

    def __init__(
        self,
        utterance: Utterance,
        *,
        open_stream: Callable[[bool, float], AbstractContextManager[TranscribeStream]],
        create_captions: Callable[[bool], Captions],
        delivery: CaptionDelivery,
        clock_ms: Callable[[], int],
        last_results_ms: int,
    ) -> None:
        """`open_stream` takes True if partial results are wanted, and a timeout in seconds. `create_captions` takes True
        if only finals are shown. `last_results_ms` is the time beyond the length of the audio that the transcription may
        take, counted from the start of the invocation.
        """
        self._utterance = utterance
        self._open_stream = open_stream
        self._create_captions = create_captions
        self._delivery = delivery
        self._clock_ms = clock_ms
        self._last_results_ms = last_results_ms
        self._deadline_ms = 0
        """Time at which the transcription stops. `run` sets it."""
        self._final_until_ms = 0
        """Position in the utterance up to which finals were delivered, in earlier attempts or in this one."""
        self.captions_by_stream: list[Captions] = []
        """Caption decisions of each stream that was tried, with their counts."""

    def run(self, begun_ms: int, from_ms: int, max_ms: int, *, finals_only: bool) -> UtteranceOutcome:
        """Transcribe the utterance from the position `from_ms` on, and return how the attempt ended.

        The attempt takes at most `max_ms`, counted from `begun_ms`, the time at which the invocation started.
        """
        self._final_until_ms = from_ms
        self._deadline_ms = begun_ms + min(self._remaining_audio_ms() + self._last_results_ms, max_ms)
        try:
            return self._try_twice(finals_only=finals_only)
        except DeadlinePassed:
            self.captions_by_stream[-1].counts.failed = True
            return UtteranceOutcome(UtteranceEnd.BROKEN, self.valid_ms, EndCause.LATE)
        except ClientGone:
            return UtteranceOutcome(UtteranceEnd.GONE, self.valid_ms)
        except SlotLost:
            # Lines that are not final are retracted, because another attempt will transcribe the utterance again.
            with suppress(ClientGone, DeadlinePassed):
                self._retract_lines(include_finals=False)
            return UtteranceOutcome(UtteranceEnd.SLOT_LOST)

    def _try_twice(self, *, finals_only: bool) -> UtteranceOutcome:
        """Use one stream. If it fails and a second one could end in time, use a second one for final captions only."""
        if self._is_complete:
            return UtteranceOutcome(UtteranceEnd.DONE, self.valid_ms)
        first = self._try_stream(finals_only=finals_only)
        if (
            first.end is not UtteranceEnd.BROKEN
            or first.throttled
            or self._clock_ms() + self._remaining_audio_ms() + TAIL_MS > self._deadline_ms
        ):
            return first
        second = self._try_stream(finals_only=True)
        # The attempt had a free stream, the first one. So it is not `throttled`, even if the second stream was.
        return replace(second, cause=second.cause or first.cause, throttled=False)

    def _try_stream(self, *, finals_only: bool) -> UtteranceOutcome:
        """Use one stream, and return the outcome even if the stream fails."""
        try:
            return self._run_stream(self._create_captions(finals_only))
        except TranscribeStreamFailed as failure:
            end = UtteranceEnd.REJECTED if failure.code is StreamFailureCode.REJECTED else UtteranceEnd.BROKEN
            throttled = failure.code is StreamFailureCode.THROTTLED and not self.captions_by_stream[-1].has_results
            return replace(self._end_failed_stream(end, failure.code), throttled=throttled)

    def _end_failed_stream(self, end: UtteranceEnd, cause: StrEnum) -> UtteranceOutcome:
        """Retract lines of a failed stream, as long as there is time, and return the outcome.

        Lines that are not final are retracted. For PCM audio, final lines stay, because the next stream can continue
        after them. Other encodings must be repeated from the beginning. So their final lines are retracted too, unless
        Amazon Transcribe rejected the utterance. If final lines cover the whole utterance, the outcome is `DONE`.
        """
        if end is UtteranceEnd.BROKEN:
            self.captions_by_stream[-1].fall_back(STREAM_FAILED)
            self.captions_by_stream[-1].counts.failed = True
        self._retract_lines(include_finals=end is UtteranceEnd.BROKEN and not self._can_resume_anywhere)
        return UtteranceOutcome(UtteranceEnd.DONE if self._is_complete else end, self.valid_ms, cause)

    def _retract_lines(self, *, include_finals: bool) -> None:
        """Retract all lines, or only those that are not final. Raise DeadlinePassed if there is no time left."""
        for result_id in self._delivery.shown_result_ids(include_finals=include_finals):
            self._check_deadline()
            self._delivery.retract(result_id)

    @property
    def has_results(self) -> bool:
        """True if Amazon Transcribe has sent results on any stream of this attempt."""
        return any(captions.has_results for captions in self.captions_by_stream)

    @property
    def valid_ms(self) -> int:
        """Position in the utterance up to which the delivered final captions remain valid if the rest is repeated.

        It is 0 for encodings that must be repeated from the beginning, because Amazon Transcribe may divide the sentences
        differently the next time.
        """
        return self._final_until_ms if self._can_resume_anywhere else 0

    @property
    def _is_complete(self) -> bool:
        return self.valid_ms >= self._utterance.duration_ms

    @property
    def _can_resume_anywhere(self) -> bool:
        """True for PCM, the only encoding that can be streamed from any position, because it has no header."""
        return self._utterance.encoding is Encoding.PCM

    def _run_stream(self, captions: Captions) -> UtteranceOutcome:
        """Stream the audio from the position `valid_ms` on, and deliver the captions.

        The nth chunk, counted from 0, is sent n times CHUNK_MS after the stream opened.
        """
        self.captions_by_stream.append(captions)
        offset_ms = self._first_chunk() * CHUNK_MS
        unsent = list(reversed(self._utterance.chunks[self._first_chunk() :]))
        seconds = min(OPEN_SECONDS, (self._deadline_ms - self._clock_ms()) / 1000)
        with self._open_stream(not captions.finals_only, seconds) as stream:
            begun_ms, sent_count, audio_ended = self._clock_ms(), 0, False
            while not stream.ended and (now_ms := self._clock_ms()) < self._deadline_ms:
                if unsent and begun_ms + sent_count * CHUNK_MS <= now_ms:
                    stream.send(unsent.pop())
                    sent_count += 1
                    continue
                if not unsent and not audio_ended:
                    stream.end()
                    audio_ended = True
                # Wait for an event, but only until the next chunk or a waiting caption is due, or the deadline comes.
                due_ms = [self._deadline_ms]
                if unsent:
                    due_ms.append(begun_ms + sent_count * CHUNK_MS)
                if (caption_due_ms := captions.next_due_ms()) is not None:
                    due_ms.append(caption_due_ms)
                self._receive(stream, captions, (min(due_ms) - now_ms) / 1000, offset_ms)
                self._show(captions.take_due(self._clock_ms()), offset_ms)
            # After the deadline, events that have already arrived are still processed, as long as there is time.
            while not stream.ended and self._check_deadline() and self._receive(stream, captions, 0, offset_ms):
                pass
            complete = stream.ended or (audio_ended and captions.has_results)
            if not complete:
                # The stream counts as failed, because not all audio was sent or no result has arrived.
                return self._end_failed_stream(UtteranceEnd.BROKEN, EndCause.LATE)
            self._show(captions.finish(self._clock_ms()), offset_ms)
            return UtteranceOutcome(UtteranceEnd.DONE if stream.ended else UtteranceEnd.DEADLINE, self.valid_ms)

    def _receive(self, stream: TranscribeStream, captions: Captions, seconds: float, offset_ms: int) -> bool:
        """Wait for one event and deliver its captions. Return False if none came in time."""
        payload = stream.receive(max(0, seconds))
        for result in parse_results(payload) if payload else ():
            self._show(captions.accept(result, self._clock_ms()), offset_ms)
        return payload is not None

    def _show(self, captions: Iterable[Caption], offset_ms: int) -> None:
        """Deliver captions, but no partial after the deadline. The stream started at `offset_ms` of the utterance."""
        for caption in captions:
            self._check_deadline()
            is_partial = caption.text and not caption.final
            if is_partial and self._clock_ms() > self._deadline_ms:
                continue
            self._delivery.show(caption, offset_ms)
            if caption.final and not caption.orphan:
                self._final_until_ms = max(self._final_until_ms, caption.end_ms + offset_ms)

    def _check_deadline(self) -> bool:
        """Return True, or raise DeadlinePassed if there is no time left to deliver captions."""
        if self._clock_ms() > self._deadline_ms + LAST_CAPTIONS_MS:
            raise DeadlinePassed
        return True

    def _first_chunk(self) -> int:
        return self.valid_ms // CHUNK_MS

    def _remaining_audio_ms(self) -> int:
        """Return the length of the audio that the next stream has to transcribe."""
        return self._utterance.duration_ms - self._first_chunk() * CHUNK_MS
