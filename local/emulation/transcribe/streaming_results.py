"""Creates the results that the local Transcribe returns for recognised words, and the faults of its streams.

A result grows with each word, and becomes final at the end of the sentence. A stable word is the same in every later
version of the result. Some words cause a fault of the stream, so tests control every fault through the audio. All of
them except `broken` have this effect only if partial results are stabilised. So a client that sends the same audio
again without stabilisation meets no fault, and gets the transcript of all words.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum

from handlers.transcription.audio_processor.transcribe_stream.event_stream_frames import encode_frame
from local.emulation.speech.tone_words import Pause, SpokenWord

ADDED_WORD = "well,"
"""Word at the beginning of a repeated final result."""


class StreamFault(StrEnum):
    """Words that cause a fault of the stream."""

    THROTTLED = "throttled"
    """LimitExceededException, and the stream ends."""
    DROPPED = "dropped"
    """The connection is closed without a message."""
    MALFORMED = "malformed"
    """The partial result is sent in a frame with a wrong checksum."""
    UNFLAGGED = "unflagged"
    """From here on, no item has the `Stable` flag."""
    REPEATING = "repeating"
    """The final result of this sentence is sent twice, with the same id and times. The second one has one more word."""
    ENDLESS = "endless"
    """The final result of this sentence is never sent."""
    BROKEN = "broken"
    """InternalFailureException, and the stream ends."""


class StreamFailed(Exception):
    """Failure that ends the stream with an exception frame."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.frame = exception_frame(kind, message)


class ConnectionDropped(Exception):
    """Failure that closes the connection without a message."""


class StreamResults:
    """Results of one stream. `new_id` returns the id of a new result."""

    def __init__(self, *, stabilised: bool, new_id: Callable[[], str]) -> None:
        self._stabilised = stabilised
        self._has_stable_flags = stabilised
        self._new_id = new_id
        self._begin_sentence()

    def add(self, item: SpokenWord | Pause) -> Iterator[bytes]:
        """Yield the frames that a recognised word or pause causes."""
        if isinstance(item, Pause):
            yield from self.end()
            return
        fault = next(
            (word for word in StreamFault if word == item.text and (self._stabilised or word is StreamFault.BROKEN)),
            None,
        )
        self._words.append(item)
        match fault:
            case StreamFault.THROTTLED:
                raise StreamFailed("LimitExceededException", "You have too many streams at once.")
            case StreamFault.BROKEN:
                raise StreamFailed("InternalFailureException", "A problem occurred while processing the audio.")
            case StreamFault.DROPPED:
                raise ConnectionDropped
            case StreamFault.MALFORMED:
                frame = self._result(partial=True)
                yield frame[:-1] + bytes([frame[-1] ^ 0xFF])
            case _:
                self._faults.add(fault)
                self._has_stable_flags = self._has_stable_flags and fault is not StreamFault.UNFLAGGED
                yield self._result(partial=True)

    def end(self) -> Iterator[bytes]:
        """Yield the final result of the current sentence, if it has any words."""
        if self._words and StreamFault.ENDLESS not in self._faults:
            yield self._result(partial=False)
            if StreamFault.REPEATING in self._faults:
                yield self._result(partial=False, added_word=ADDED_WORD)
        self._begin_sentence()

    def _begin_sentence(self) -> None:
        self._id = self._new_id()
        self._words: list[SpokenWord] = []
        self._faults: set[StreamFault | None] = set()

    def _result(self, *, partial: bool, added_word: str | None = None) -> bytes:
        """Return the frame of the sentence's result.

        `added_word` precedes the words of the sentence, and has the times of the first one.
        """
        added = [] if added_word is None else [replace(self._words[0], text=added_word)]
        words = [*added, *self._words]
        first, *others = (word.text for word in words)
        texts = [first.capitalize(), *others]
        items = [
            self._item(text, word.start, word.end, stable=not partial or at < len(texts) - 1)
            for at, (text, word) in enumerate(zip(texts, words, strict=True))
        ]
        if not partial:
            items.append({**self._item(".", words[-1].end, words[-1].end, stable=True), "Type": "punctuation"})
        return _event_frame(
            {
                "Alternatives": [{"Items": items, "Transcript": " ".join(texts) + ("" if partial else ".")}],
                "ChannelId": "ch_0",
                "EndTime": words[-1].end,
                "IsPartial": partial,
                "ResultId": self._id,
                "StartTime": words[0].start,
            }
        )

    def _item(self, content: str, start: float, end: float, *, stable: bool) -> dict[str, object]:
        return {
            "Content": content,
            "EndTime": end,
            "StartTime": start,
            "Type": "pronunciation",
            "VocabularyFilterMatch": False,
            **({"Stable": stable} if self._has_stable_flags else {}),
        }


def _event_frame(*results: dict[str, object]) -> bytes:
    """Return the frame of a transcript event."""
    return _frame("event", "TranscriptEvent", {"Transcript": {"Results": list(results)}})


def exception_frame(kind: str, message: str) -> bytes:
    """Return the frame of an exception."""
    return _frame("exception", kind, {"Message": message})


def _frame(message_type: str, kind: str, body: dict[str, object]) -> bytes:
    headers = {f":{message_type}-type": kind, ":content-type": "application/json", ":message-type": message_type}
    return encode_frame(headers, json.dumps(body).encode())
