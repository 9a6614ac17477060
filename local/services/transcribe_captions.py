"""What the local Transcribe answers to the words that it hears: results that grow, become final, or fail. Pure.

It decides results and their frames, and what a fault does to them. Hearing is the recogniser's business, and sending
the server's. A stable word never changes: it is written the same in every result, the final one included.
"""

import json
from collections.abc import Callable, Iterator
from enum import StrEnum

from handlers.transcription.event_stream import encode
from local.services.tones import Pause, Word
from local.services.transcribe_faults import Fault, fault_of

REWORDED = "well,"
"""How a repeated final begins."""


class Ending(StrEnum):
    """How the server ends a stream early."""

    CLOSED = "closed"
    DROPPED = "dropped"


Answer = bytes | Ending
"""A frame to send, or the end."""


class Captions:
    """The results of one stream."""

    def __init__(self, *, stabilised: bool, new_id: Callable[[], str]) -> None:
        self._stabilised = stabilised
        self._flagging = stabilised
        self._new_id = new_id
        self._begin()

    def hear(self, heard: Word | Pause) -> Iterator[Answer]:
        """What to answer at once."""
        if isinstance(heard, Pause):
            yield from self.end()
            return
        fault = fault_of(heard.text, stabilised=self._stabilised)
        self._words.append(heard)
        match fault:
            case Fault.THROTTLED:
                yield exception("LimitExceededException", "You have too many streams at once.")
                yield Ending.CLOSED
            case Fault.BROKEN:
                yield exception("InternalFailureException", "A problem occurred while processing the audio.")
                yield Ending.CLOSED
            case Fault.DROPPED:
                yield Ending.DROPPED
            case Fault.MALFORMED:
                frame = self._result(self._written(), partial=True)
                yield frame[:-1] + bytes([frame[-1] ^ 0xFF])
            case _:
                self._faults.add(fault)
                self._flagging = self._flagging and fault is not Fault.UNFLAGGED
                yield self._result(self._written(), partial=True)

    def end(self) -> Iterator[Answer]:
        """The final result of what has been said, if anything has."""
        if self._words and Fault.ENDLESS not in self._faults:
            yield self._result(self._written(), partial=False)
            if Fault.REPEATING in self._faults:
                yield self._result([REWORDED.capitalize(), *(word.text for word in self._words)], partial=False)
        self._begin()

    def _begin(self) -> None:
        self._id = self._new_id()
        self._words: list[Word] = []
        self._faults: set[Fault | None] = set()

    def _written(self) -> list[str]:
        first, *rest = (word.text for word in self._words)
        return [first.capitalize(), *rest]

    def _result(self, written: list[str], *, partial: bool) -> bytes:
        heard = [self._words[0]] * (len(written) - len(self._words)) + self._words
        items = [
            self._item(text, word.start, word.end, stable=not partial or at < len(written) - 1)
            for at, (text, word) in enumerate(zip(written, heard, strict=True))
        ]
        if not partial:
            items.append({**self._item(".", heard[-1].end, heard[-1].end, stable=True), "Type": "punctuation"})
        return event(
            {
                "Alternatives": [{"Items": items, "Transcript": " ".join(written) + ("" if partial else ".")}],
                "ChannelId": "ch_0",
                "EndTime": heard[-1].end,
                "IsPartial": partial,
                "ResultId": self._id,
                "StartTime": heard[0].start,
            }
        )

    def _item(self, content: str, start: float, end: float, *, stable: bool) -> dict[str, object]:
        return {
            "Content": content,
            "EndTime": end,
            "StartTime": start,
            "Type": "pronunciation",
            "VocabularyFilterMatch": False,
            **({"Stable": stable} if self._flagging else {}),
        }


def event(*results: dict[str, object]) -> bytes:
    """A transcript event's frame."""
    return _frame("event", "TranscriptEvent", {"Transcript": {"Results": list(results)}})


def exception(kind: str, message: str) -> bytes:
    """An exception's frame."""
    return _frame("exception", kind, {"Message": message})


def _frame(message_type: str, kind: str, body: dict[str, object]) -> bytes:
    headers = {f":{message_type}-type": kind, ":content-type": "application/json", ":message-type": message_type}
    return encode(headers, json.dumps(body).encode())
