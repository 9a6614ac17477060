"""Creates the results that a stream of the local Transcribe returns for recognised words.

A result contains the words of a sentence so far. A new partial version is sent for each word, and the final version at
the end of the sentence. With stabilisation, a flag marks the words that no later version will change.

For tests, the words of `StreamFault` cause a fault of the stream. All of them except `broken` do so only with
stabilisation. So a client that repeats a failed stream without stabilisation gets a complete transcript.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum

from handlers.transcription.audio_processor.transcribe_stream.event_stream_frames import encode_frame
from local.emulation.speech.tone_words import Pause, SpokenWord

ADDED_WORD = "well,"
"""Additional word at the beginning of the second version of a repeated final result."""


class StreamFault(StrEnum):
    """Words that cause a fault of the stream."""

    THROTTLED = "throttled"
    """The stream ends with LimitExceededException."""
    DROPPED = "dropped"
    """The connection is closed without a message."""
    MALFORMED = "malformed"
    """The partial result with this word is sent in a frame with a wrong checksum."""
    UNFLAGGED = "unflagged"
    """Results have no `Stable` flags from this word on."""
    REPEATING = "repeating"
    """The final result of the word's sentence is sent twice, with the same id and times. The second has an additional
    word."""
    ENDLESS = "endless"
    """The final result of the word's sentence is never sent."""
    BROKEN = "broken"
    """The stream ends with InternalFailureException."""


class StreamFailed(Exception):
    """Failure that ends the stream. The client gets an exception frame."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.frame = exception_frame(kind, message)


class ConnectionDropped(Exception):
    """Simulated fault, in which the server closes the connection without a message."""


class StreamResults:
    def __init__(self, *, stabilised: bool, new_id: Callable[[], str]) -> None:
        """`new_id` returns an id for the result of the next sentence."""
        self._stabilised = stabilised
        self._has_stable_flags = stabilised
        self._new_id = new_id
        self._begin_sentence()

    def add(self, item: SpokenWord | Pause) -> Iterator[bytes]:
        """Yield the frames to send after a recognised word or pause. Raise an exception if the stream must end."""
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
        """End the current sentence. Yield the frames of its final result, if it has any words."""
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
        """Return the frame of the current sentence's result.

        `added_word` is put before the words of the sentence, with the times of the first word.
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
    return _frame("event", "TranscriptEvent", {"Transcript": {"Results": list(results)}})


def exception_frame(kind: str, message: str) -> bytes:
    return _frame("exception", kind, {"Message": message})


def _frame(message_type: str, kind: str, body: dict[str, object]) -> bytes:
    headers = {f":{message_type}-type": kind, ":content-type": "application/json", ":message-type": message_type}
    return encode_frame(headers, json.dumps(body).encode())
