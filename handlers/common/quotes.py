"""Finds a quote in what was said. Pure.

Case, spaces and punctuation do not count, words do: each must be there, whole, in its order, with none left out.
Writing without spaces between words is compared character by character. What is found is given back as the transcript
has it, so that nothing which a model wrote is ever shown as somebody's words.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from handlers.common.passages import Passage

LEAST_WORDS = 2
"""One word is said by everybody; it is no claim."""
_APOSTROPHES = "'\u2019\u02bc"
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


@dataclass(frozen=True)
class Found:
    """Where a quote is."""

    start_ms: int
    end_ms: int
    quote: str = field(repr=False)
    words: str = field(repr=False)
    """What the comparison saw of it: the same for each way to write it."""
    first: int
    """The passage that it begins in, counted from the first that was looked through."""
    last: int
    first_word: int
    """The word of that passage that it begins with, counted from 0."""
    last_word: int
    speaker: str | None = field(repr=False)


@dataclass(frozen=True)
class _Word:
    text: str
    passage: int
    number: int
    start: int
    end: int


class Spoken:
    """The words of some passages, in which quotes can be found."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._words = [
            _Word(text, at, number, start, end)
            for at, one in enumerate(passages)
            for number, (text, start, end) in enumerate(words_of(one.text))
        ]
        self._texts = [word.text for word in self._words]
        self._places: dict[str, list[int]] = {}
        for at, text in enumerate(self._texts):
            self._places.setdefault(text, []).append(at)

    def find(self, quote: str, near: int | None = None) -> Found | None:
        """Where it is said; of several places the one that is nearest to the passage `near`, or else the first."""
        wanted = [text for text, _, _ in words_of(quote)]
        if len(wanted) < LEAST_WORDS:
            return None
        places = self._places_of(wanted)
        if not places:
            return None
        at = places[0] if near is None else min(places, key=lambda place: abs(self._words[place].passage - near))
        return self._found(at, at + len(wanted) - 1)

    def _places_of(self, wanted: list[str]) -> list[int]:
        """Where these words follow each other; looked for by the one that is said least often."""
        rarest = min(range(len(wanted)), key=lambda at: len(self._places.get(wanted[at], ())))
        starts = [at - rarest for at in self._places.get(wanted[rarest], ()) if at >= rarest]
        return [at for at in starts if self._texts[at : at + len(wanted)] == wanted]

    def _found(self, first: int, last: int) -> Found:
        begin, end = self._words[first], self._words[last]
        passages = self._passages[begin.passage : end.passage + 1]
        texts = [one.text for one in passages]
        texts[-1] = texts[-1][: end.end]
        texts[0] = texts[0][begin.start :]
        speakers = {one.speaker for one in passages}
        return Found(
            start_ms=passages[0].start_ms,
            end_ms=max(one.end_ms for one in passages),
            quote=" ".join(texts),
            words=" ".join(word.text for word in self._words[first : last + 1]),
            first=begin.passage,
            last=end.passage,
            first_word=begin.number,
            last_word=end.number,
            speaker=speakers.pop() if len(speakers) == 1 else None,
        )


def words_of(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of a text as they are compared, and where each stands."""
    start: int | None = None
    for at, character in enumerate(text):
        kind = _kind(character)
        if kind == "word" or (kind == "apostrophe" and start is not None):
            start = at if start is None else start
            continue
        if start is not None:
            yield from _word(text, start, at)
            start = None
        if kind == "alone":
            yield from _word(text, at, at + 1)
    if start is not None:
        yield from _word(text, start, len(text))


def _word(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    while text[end - 1] in _APOSTROPHES:  # one that closes; a word never begins with one
        end -= 1
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text[start:end]).casefold())
    compared = "".join(_without_apostrophes(folded))
    if compared:
        yield compared, start, end


def _without_apostrophes(text: str) -> Iterable[str]:
    return (character for character in text if character not in _APOSTROPHES)


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    if character in _APOSTROPHES:
        return "apostrophe"
    if unicodedata.category(character)[0] not in "LNM":
        return "other"
    point = ord(character)
    return "alone" if any(low <= point <= high for low, high in _UNSPACED) else "word"
