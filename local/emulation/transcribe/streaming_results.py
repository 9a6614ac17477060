"""Results that a stream of the local Transcribe (`streaming_service.py`) returns for recognised speech.

A result contains the text of a line so far. Partial versions are sent while the line grows, and the final version at
its end. With stabilisation, a flag marks the words and punctuation marks that no later partial version will change.

The speech model computes a line's text again after each piece of audio, and revises its last words often. So an item is
stable once it and all items before it have not changed for `STABLE_SECONDS`. Later partial versions keep the stable
items, as those of Amazon Transcribe do. The final version is the model's own text. It differs from the real service's
in that it may correct a stable item, because a kept mistake would double the number of wrong words.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from handlers.transcription.audio_processor.stream import encode_frame
from local.emulation.speech.recognition import SpokenLine
from local.emulation.speech.transcript_items import PUNCTUATION, TranscriptItem, join_items, split_items, time_items

STABLE_SECONDS = 0.2
"""Length of the audio after which an unchanged item is stable. It is shorter than the time between two updates, so one
update that does not change an item makes it stable. With two updates, the handlers, which ask for high stability, would
show few partial captions."""
MAX_MOVED_ITEMS = 2
"""Maximum number of items by which a stable item may move, because the model inserted or removed items before it."""


class StreamFailed(Exception):
    """Failure that ends the stream. The client gets an exception frame, with `kind` as the exception's name."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.frame = _frame("exception", kind, {"Message": message})


class StablePrefix:
    """Items at the beginning of one line that will not change before its final version."""

    def __init__(self) -> None:
        self._versions: list[tuple[float, Sequence[str]]] = []
        """Latest partial versions, each after the length of the audio in seconds at which it was computed."""
        self.stable: list[str] = []
        """Stable items."""

    def add(self, version: Sequence[str], audio_seconds: float) -> list[str]:
        """Return the items of the next partial version: the stable items, and the rest of the model's new version."""
        kept = [*self.stable, *version[_find_rest(self.stable, version) :]]
        self._versions.append((audio_seconds, kept))
        old_enough = [at for at, (seconds, _) in enumerate(self._versions) if audio_seconds - seconds >= STABLE_SECONDS]
        if old_enough:
            # An item is stable if it is the same in the newest version of at least this age and in all later ones.
            self._versions = self._versions[old_enough[-1] :]
            self.stable = _common_prefix([items for _, items in self._versions])
        return kept


def _find_rest(stable: Sequence[str], version: Sequence[str]) -> int:
    """Return the index in `version` of the first item after the stable items.

    The last stable item is searched near its old position. If it is not there, the model has changed it, so the item
    after that position is the first.
    """
    if not stable:
        return 0
    last = len(stable) - 1
    nearest = sorted(range(len(version)), key=lambda at: (abs(at - last), at))[: 2 * MAX_MOVED_ITEMS + 1]
    return next((at + 1 for at in nearest if version[at] == stable[-1]), last + 1)


def _common_prefix(versions: Sequence[Sequence[str]]) -> list[str]:
    """Return the items at the beginning that are the same in all versions."""
    prefix = []
    for items in zip(*versions, strict=False):
        if len(set(items)) > 1:
            break
        prefix.append(items[0])
    return prefix


class StreamResults:
    """Converter of the versions of a stream's lines to the event-stream frames that the client gets."""

    def __init__(self, *, stabilised: bool, new_id: Callable[[], str]) -> None:
        """`new_id` returns an id for the result of the next line."""
        self._stabilised = stabilised
        self._ids: defaultdict[int, str] = defaultdict(new_id)
        self._prefixes: defaultdict[int, StablePrefix] = defaultdict(StablePrefix)
        self._sent: dict[int, object] = {}
        """Latest version of each line that was sent, to send each version only once."""

    def add(self, line: SpokenLine) -> Iterator[bytes]:
        """Yield the frame to send for a version of a line, unless an equal one was sent."""
        contents = split_items(line.text)
        # The recogniser returns only lines with words, so there is a last item.
        if not line.is_complete and contents[-1] in PUNCTUATION:
            contents = contents[:-1]  # the model ends every version with a mark
        prefix = self._prefixes[line.id]
        if self._stabilised and not line.is_complete:
            contents = prefix.add(contents, line.audio_seconds)
        version = (contents, len(prefix.stable), line.is_complete)
        if self._sent.get(line.id) == version:
            return
        self._sent[line.id] = version
        yield self._make_result(line, contents)

    def _make_result(self, line: SpokenLine, contents: Sequence[str]) -> bytes:
        stable_count = len(contents) if line.is_complete else len(self._prefixes[line.id].stable)
        items = [
            {**_to_item(item), **({"Stable": at < stable_count} if self._stabilised else {})}
            for at, item in enumerate(time_items(contents, line))
        ]
        result = {
            "Alternatives": [{"Items": items, "Transcript": join_items(contents)}],
            "ChannelId": "ch_0",
            "EndTime": round(line.end, 3),
            "IsPartial": not line.is_complete,
            "ResultId": self._ids[line.id],
            "StartTime": round(line.start, 3),
        }
        return _frame("event", "TranscriptEvent", {"Transcript": {"Results": [result]}})


def _to_item(item: TranscriptItem) -> dict[str, object]:
    return {
        "Content": item.content,
        "EndTime": item.end,
        "StartTime": item.start,
        "Type": "punctuation" if item.is_punctuation else "pronunciation",
        "VocabularyFilterMatch": False,
    }


def _frame(message_type: str, kind: str, body: dict[str, object]) -> bytes:
    headers = {f":{message_type}-type": kind, ":content-type": "application/json", ":message-type": message_type}
    return encode_frame(headers, json.dumps(body).encode())
