"""One utterance through one stream, bounded in time: sent as it was spoken, captions delivered as they come.

Amazon Transcribe works at the pace of speech however fast it is sent, so an utterance takes its own length, and a little
more for the last words. There is one thread: it sends what is due, waits for results until the next thing is due, and
never waits beyond the deadline. A stream that fails is tried once more, for finals only, if there is time for it.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from handlers.transcription.audio import CHUNK_MS, Encoding, Utterance
from handlers.transcription.captions import Caption, Captions, Kind
from handlers.transcription.delivery import ClientGone, Delivery
from handlers.transcription.results import NotResults, Result, results_of
from handlers.transcription.transcribe import FailureCode, StreamFailed

GRACE_MS = 1_600
"""What an utterance may take beyond its own length; with what comes before and after, an invocation stays below 2 s."""
TAIL_MS = 500
"""What a second attempt needs beyond the audio that it sends."""
ORPHAN_LOOK_MS = 5_000
"""Orphans are looked for at least this often."""
STREAM_FAILED = "stream_failed"


class Conversation(Protocol):
    """A conversation with Amazon Transcribe."""

    @property
    def ended(self) -> bool:
        """Whether the service said everything that it had to say."""
        ...

    def send(self, chunk: bytes) -> None:
        """Sends some audio."""
        ...

    def end(self) -> None:
        """Says that there is no more."""
        ...

    def receive(self, timeout_seconds: float) -> bytes | None:
        """The next transcript event; none where the time is over first."""
        ...


class End(StrEnum):
    """How an utterance ended."""

    DONE = "done"
    CUT = "cut"
    """The deadline came first; what was heard by then is delivered."""
    BROKEN = "broken"
    GONE = "gone"


@dataclass(frozen=True)
class Ending:
    """How an utterance ended, and where to go on if it has to be sent again."""

    end: End
    from_ms: int = 0
    cause: str | None = None


class Transcribing:
    """Transcribes one utterance."""

    def __init__(
        self,
        utterance: Utterance,
        *,
        open_stream: Callable[[bool, float], AbstractContextManager[Conversation]],
        captions_of: Callable[[bool], Captions],
        delivery: Delivery,
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
        """Up to here the captions are final."""
        self.used: list[Captions] = []
        """The rules of each stream, with their counts."""

    def run(self, from_ms: int, most_ms: int, *, finals_only: bool) -> Ending:
        """Transcribes from a moment of the utterance on, in at most so many milliseconds."""
        self._held_ms = from_ms
        self._deadline_ms = self._clock_ms() + min(self._length_ms(from_ms) + GRACE_MS, most_ms)
        try:
            try:
                return self._through(self._captions_of(finals_only))
            except StreamFailed as failure:
                self._delivery.take_back_open()
                self.used[-1].fall_back(STREAM_FAILED)
                if self._clock_ms() + self._length_ms(self._held_ms) + TAIL_MS > self._deadline_ms:
                    return Ending(End.BROKEN, self._held_ms, failure.code)
            try:
                return self._through(self._captions_of(True))
            except StreamFailed as failure:
                self._delivery.take_back_open()
                return Ending(End.BROKEN, self._held_ms, failure.code)
        except ClientGone:
            return Ending(End.GONE, self._held_ms)

    @property
    def held_ms(self) -> int:
        """Up to where the captions are final."""
        return self._held_ms

    def _through(self, captions: Captions) -> Ending:
        self.used.append(captions)
        offset_ms = self._first_chunk(self._held_ms) * CHUNK_MS
        skipped_ms = self._held_ms - offset_ms
        waiting = list(self._utterance.chunks[self._first_chunk(self._held_ms) :])
        waiting.reverse()
        seconds = (self._deadline_ms - self._clock_ms()) / 1000
        with self._open(not captions.final_only, seconds) as stream:
            begun_ms, sent, ending = self._clock_ms(), 0, False
            while not stream.ended and (now_ms := self._clock_ms()) < self._deadline_ms:
                while waiting and begun_ms + sent * CHUNK_MS <= now_ms:
                    stream.send(waiting.pop())
                    sent += 1
                if not waiting and not ending:
                    stream.end()
                    ending = True
                due_ms = [self._deadline_ms, now_ms + ORPHAN_LOOK_MS]
                due_ms += [begun_ms + sent * CHUNK_MS] if waiting else []
                due_ms += [one for one in [captions.next_due_ms()] if one is not None]
                payload = stream.receive(max(0, min(due_ms) - now_ms) / 1000)
                now_ms = self._clock_ms()
                for result in _results(payload):
                    # What an earlier stream has heard to its end is heard again where audio cannot be cut.
                    if (result.start_ms + result.end_ms) / 2 >= skipped_ms:
                        self._show(captions.take(result, now_ms), offset_ms)
                self._show(captions.due(now_ms), offset_ms)
            self._show(captions.finish(self._clock_ms()), offset_ms)
            return Ending(End.DONE if stream.ended else End.CUT, self._held_ms)

    def _show(self, captions: Iterable[Caption], offset_ms: int) -> None:
        for caption in captions:
            self._delivery.show(caption, offset_ms)
            if caption.kind is Kind.FINAL and not caption.orphan:
                self._held_ms = max(self._held_ms, caption.end_ms + offset_ms)

    def _first_chunk(self, from_ms: int) -> int:
        """Where a stream starts: only samples without a header can be cut anywhere."""
        return from_ms // CHUNK_MS if self._utterance.encoding is Encoding.PCM else 0

    def _length_ms(self, from_ms: int) -> int:
        return self._utterance.duration_ms - self._first_chunk(from_ms) * CHUNK_MS


def _results(payload: bytes | None) -> list[Result]:
    if payload is None:
        return []
    try:
        return results_of(payload)
    except NotResults as error:
        raise StreamFailed(FailureCode.MALFORMED) from error
