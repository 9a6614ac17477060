"""One utterance through one stream, bounded in time: sent as it was spoken, captions delivered as they come.

Amazon Transcribe works at the pace of speech however fast it is sent, so an utterance takes its own length, and a
little more for the last words. There is one thread: it sends what is due, waits for results until the next thing is
due, and never waits beyond the deadline. A stream that fails is tried once more, for finals only, if there is time for
it, and unless there are no more streams.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from handlers.transcription.audio_processor.caption_delivery import CaptionDelivery, ClientGone, NewerAttemptStarted
from handlers.transcription.audio_processor.captions.caption_rules import Caption, CaptionKind, Captions
from handlers.transcription.audio_processor.transcribe_stream.stream_client import (
    StreamFailureCode,
    TranscribeStream,
    TranscribeStreamFailed,
)
from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import (
    InvalidTranscriptEvent,
    Result,
    parse_results,
)
from handlers.transcription.utterance_audio import CHUNK_MS, Encoding, Utterance

GRACE_MS = 1_500
"""What an utterance may take beyond its own length, from the invocation's begin on; the answer fits into 2 s."""
LAST_WORDS_MS = 200
"""What showing the rest may take after that."""
OPEN_SECONDS = 1.0
"""What opening a stream may take: as long again is left for another."""
TAIL_MS = 500
"""What a second attempt needs beyond the audio that it sends."""
ORPHAN_LOOK_MS = 5_000
"""Orphans are looked for at least this often."""
STREAM_FAILED = "stream_failed"


class UtteranceEnd(StrEnum):
    """How an utterance ended."""

    DONE = "done"
    CUT = "cut"
    """The deadline came first; what was heard by then is delivered."""
    BROKEN = "broken"
    """It has to be sent again."""
    REJECTED = "rejected"
    """Amazon Transcribe can do nothing with it, however often it is sent."""
    GONE = "gone"
    OVERTAKEN = "overtaken"


class EndCause(StrEnum):
    """Why an utterance ended as it did, where the stream did not say."""

    LATE = "late"
    """The deadline came before the audio was out, or before anything was heard."""
    INTERNAL = "internal_error"


@dataclass(frozen=True)
class UtteranceOutcome:
    """How an utterance ended, and where to go on if it has to be sent again."""

    end: UtteranceEnd
    from_ms: int = 0
    cause: str | None = None
    throttled: bool = False
    """There was no stream to be had: there may be a little later, and no sooner."""


class DeadlinePassed(Exception):
    """There is no more time to show anything."""


class UtteranceTranscription:
    """Transcribes one utterance."""

    def __init__(
        self,
        utterance: Utterance,
        *,
        open_stream: Callable[[bool, float], AbstractContextManager[TranscribeStream]],
        captions_of: Callable[[bool], Captions],
        delivery: CaptionDelivery,
        clock_ms: Callable[[], int],
    ) -> None:
        """`open_stream` takes whether partial results are wanted, and the seconds it has; `captions_of`: finals only."""
        self._utterance = utterance
        self._open = open_stream
        self._captions_of = captions_of
        self._delivery = delivery
        self._clock_ms = clock_ms
        self._deadline_ms = 0
        self._held_ms = 0
        self.used: list[Captions] = []
        """The rules of each stream, with their counts."""

    def run(self, begun_ms: int, from_ms: int, most_ms: int, *, finals_only: bool) -> UtteranceOutcome:
        """Transcribes from a moment of the utterance on, in at most so many milliseconds since the invocation began."""
        self._held_ms = from_ms
        self._deadline_ms = begun_ms + min(self._length_ms() + GRACE_MS, most_ms)
        try:
            return self._twice(finals_only=finals_only)
        except DeadlinePassed:
            self.used[-1].counts.failed = True
            return UtteranceOutcome(UtteranceEnd.BROKEN, self.held_ms, EndCause.LATE)
        except ClientGone:
            return UtteranceOutcome(UtteranceEnd.GONE, self.held_ms)
        except NewerAttemptStarted:
            return self._silenced()

    def _silenced(self) -> UtteranceOutcome:
        """Another attempt has the word: whatever of this one might grow takes up its place."""
        with suppress(ClientGone, DeadlinePassed):
            self._take_back(finals=False)
        return UtteranceOutcome(UtteranceEnd.OVERTAKEN)

    def _twice(self, *, finals_only: bool) -> UtteranceOutcome:
        """One stream, and if it fails and there is time, another for finals only."""
        if self._all_held:
            return UtteranceOutcome(UtteranceEnd.DONE, self.held_ms)
        first = self._once(finals_only=finals_only)
        if (
            first.end is not UtteranceEnd.BROKEN
            or first.throttled
            or self._clock_ms() + self._length_ms() + TAIL_MS > self._deadline_ms
        ):
            return first
        again = self._once(finals_only=True)
        return replace(again, cause=again.cause or first.cause, throttled=False)  # the first one was had

    def _once(self, *, finals_only: bool) -> UtteranceOutcome:
        try:
            return self._through(self._captions_of(finals_only))
        except TranscribeStreamFailed as failure:
            end = UtteranceEnd.REJECTED if failure.code is StreamFailureCode.REJECTED else UtteranceEnd.BROKEN
            throttled = failure.code is StreamFailureCode.THROTTLED and not self.used[-1].has_results
            return replace(self._given_up(end, failure.code), throttled=throttled)

    def _given_up(self, end: UtteranceEnd, cause: str) -> UtteranceOutcome:
        """What was shown of a stream that is gone, and will be said again, is taken back, as long as there is time.

        Without, the client does it: it is told to send the utterance again, and up to where its lines hold. Where they
        hold to the end, there is nothing to say again.
        """
        if end is UtteranceEnd.BROKEN:
            self.used[-1].fall_back(STREAM_FAILED)
            self.used[-1].counts.failed = True
        self._take_back(finals=end is UtteranceEnd.BROKEN and not self._cuttable)
        return UtteranceOutcome(UtteranceEnd.DONE if self._all_held else end, self.held_ms, cause)

    def _take_back(self, *, finals: bool) -> None:
        """Takes away lines that are no finals, or all."""
        for result_id in self._delivery.lines(finals=finals):
            self._in_time()
            self._delivery.retract(result_id)

    @property
    def held_ms(self) -> int:
        """Up to where the captions hold, whatever becomes of the rest.

        Nothing holds of audio that cannot be cut: it is sent again from its beginning, and its sentences may be cut
        otherwise then.
        """
        return self._held_ms if self._cuttable else 0

    @property
    def _all_held(self) -> bool:
        """Whether all of the utterance is on display."""
        return self.held_ms >= self._utterance.duration_ms

    @property
    def _cuttable(self) -> bool:
        """Only samples without a header can be cut anywhere."""
        return self._utterance.encoding is Encoding.PCM

    def _through(self, captions: Captions) -> UtteranceOutcome:
        self.used.append(captions)
        offset_ms = self._first_chunk() * CHUNK_MS
        waiting = list(reversed(self._utterance.chunks[self._first_chunk() :]))
        seconds = min(OPEN_SECONDS, (self._deadline_ms - self._clock_ms()) / 1000)
        with self._open(not captions.final_only, seconds) as stream:
            begun_ms, sent, ended = self._clock_ms(), 0, False
            while not stream.ended and (now_ms := self._clock_ms()) < self._deadline_ms:
                if waiting and begun_ms + sent * CHUNK_MS <= now_ms:
                    stream.send(waiting.pop())
                    sent += 1
                    continue
                if not waiting and not ended:
                    stream.end()
                    ended = True
                due_ms = [self._deadline_ms, now_ms + ORPHAN_LOOK_MS]
                due_ms += [begun_ms + sent * CHUNK_MS] if waiting else []
                due_ms += [one for one in [captions.next_due_ms()] if one is not None]
                self._hear(stream, captions, (min(due_ms) - now_ms) / 1000, offset_ms)
                self._show(captions.due(self._clock_ms()), offset_ms)
            # What has come by now still counts, as long as there is time to show it.
            while not stream.ended and self._in_time() and self._hear(stream, captions, 0, offset_ms):
                pass
            complete = stream.ended or (ended and captions.has_results)
            if not complete:
                # Audio that did not get out, or silence from the other side, is no end. Events without results are silence.
                return self._given_up(UtteranceEnd.BROKEN, EndCause.LATE)
            self._show(captions.finish(self._clock_ms()), offset_ms)
            return UtteranceOutcome(UtteranceEnd.DONE if stream.ended else UtteranceEnd.CUT, self.held_ms)

    def _hear(self, stream: TranscribeStream, captions: Captions, seconds: float, offset_ms: int) -> bool:
        """Waits for one event and shows what it brings; whether one came."""
        payload = stream.receive(max(0, seconds))
        for result in _results(payload):
            self._show(captions.take(result, self._clock_ms()), offset_ms)
        return payload is not None

    def _show(self, captions: Iterable[Caption], offset_ms: int) -> None:
        for caption in captions:
            self._in_time()
            if caption.kind is CaptionKind.PARTIAL and self._clock_ms() > self._deadline_ms:
                continue
            self._delivery.show(caption, offset_ms)
            if caption.kind is CaptionKind.FINAL and not caption.orphan:
                self._held_ms = max(self._held_ms, caption.end_ms + offset_ms)

    def _in_time(self) -> bool:
        if self._clock_ms() > self._deadline_ms + LAST_WORDS_MS:
            raise DeadlinePassed
        return True

    def _first_chunk(self) -> int:
        """Where a stream starts."""
        return self.held_ms // CHUNK_MS

    def _length_ms(self) -> int:
        return self._utterance.duration_ms - self._first_chunk() * CHUNK_MS


def _results(payload: bytes | None) -> list[Result]:
    if payload is None:
        return []
    try:
        return parse_results(payload)
    except InvalidTranscriptEvent as error:
        raise TranscribeStreamFailed(StreamFailureCode.MALFORMED) from error
