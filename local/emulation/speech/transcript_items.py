"""Items of a transcript, as Amazon Transcribe divides a text: words and punctuation marks.

Both local Transcribe services use them. The speech model gives the times of lines only, so the times of a line's words
are estimated from their lengths.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from local.emulation.speech.recognition import SpokenLine

PUNCTUATION = ".,?!;:"
# Marks inside a word, for example in "4.5", belong to the word.
_ITEM = re.compile(rf"(?P<word>[^\s{PUNCTUATION}]+(?:[{PUNCTUATION}]+[^\s{PUNCTUATION}]+)*)|[{PUNCTUATION}]+")


@dataclass(frozen=True)
class TranscriptItem:
    """A word or a punctuation mark, with its times."""

    content: str
    start: float
    """Seconds from the beginning of the audio to the beginning of the item."""
    end: float

    @property
    def is_punctuation(self) -> bool:
        return self.content in PUNCTUATION


def split_items(text: str) -> list[str]:
    """Return the words and punctuation marks of a text.

    In Transcribe's results, one mark follows a word. So of several consecutive marks, only the last is returned, and
    marks before the first word are dropped.
    """
    found = [match[0] if match["word"] else match[0][-1] for match in _ITEM.finditer(text)]
    return found[1:] if found and found[0] in PUNCTUATION else found


def join_items(contents: Sequence[str]) -> str:
    """Return the text of words and punctuation marks."""
    return "".join(content if content in PUNCTUATION else f" {content}" for content in contents).lstrip()


def time_items(contents: Sequence[str], line: SpokenLine) -> list[TranscriptItem]:
    """Return items with times. A word has a share of the line's time by its length, and a mark has no length."""
    lengths = [0 if content in PUNCTUATION else len(content) for content in contents]
    seconds_per_character = (line.end - line.start) / max(sum(lengths), 1)
    ends = [round(line.start + seconds_per_character * sum(lengths[: at + 1]), 3) for at in range(len(lengths))]
    starts = [round(line.start, 3), *ends][: len(ends)]
    return [
        TranscriptItem(content, end if content in PUNCTUATION else start, end)
        for content, start, end in zip(contents, starts, ends, strict=True)
    ]
