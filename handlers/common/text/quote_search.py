"""Finds a quote in what was said. Pure.

Case, spaces and punctuation do not count, words do: each must be there, whole, in its order, with none left out.
Writing without spaces between words is compared character by character. What is found is given back as the transcript
has it, so that nothing which a model wrote is ever shown as somebody's words; with the signs at its ends, since $5 and -40
are no 5 and no 40. In the comparison signs do not count either: a model that writes "4%" where "4 percent" was said
has made nothing up.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from handlers.common.text.passages import Passage

LEAST_WORDS = 2
"""One word is said by everybody; it is no claim."""
_SIGNS = "%\u2030\u2031"
"""Signs that Unicode counts as punctuation."""
_AMOUNTS = frozenset(f"{_SIGNS}\u00b0$\u00a2\u00a3\u00a5\u20a9\u20aa\u20ac\u20b9\u20ba\u20bd")
"""Signs of which what is before them is an amount."""
_BEFORE_DIGITS = "-\u2010\u2011\u2012\u2013.,"
"""What belongs to a number right behind it, unless it stands between two words: a minus, and the point of a fraction."""
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

    def saying(self, quote: str) -> frozenset[int]:
        """The passages that say a quote, wherever it is said, or nothing but a part of it."""
        wanted = [text for text, _, _ in words_of(quote)]
        saying = {at for at, texts in self._texts_by_passage() if _within(texts, wanted)}
        for at in self._places_of(wanted) if wanted else ():
            saying.update(range(self._words[at].passage, self._words[at + len(wanted) - 1].passage + 1))
        return frozenset(saying)

    def _texts_by_passage(self) -> Iterator[tuple[int, list[str]]]:
        for at, words in groupby(self._words, key=lambda word: word.passage):
            yield at, [word.text for word in words]

    def _places_of(self, wanted: list[str]) -> list[int]:
        """Where these words follow each other; looked for by the one that is said least often."""
        rarest = min(range(len(wanted)), key=lambda at: len(self._places.get(wanted[at], ())))
        starts = [at - rarest for at in self._places.get(wanted[rarest], ()) if at >= rarest]
        return [at for at in starts if self._texts[at : at + len(wanted)] == wanted]

    def _found(self, first: int, last: int) -> Found:
        begin, end = self._words[first], self._words[last]
        passages = self._passages[begin.passage : end.passage + 1]
        texts = [one.text for one in passages]
        texts[-1] = texts[-1][: _with_signs_behind(texts[-1], end.end)]
        texts[0] = texts[0][_with_signs_before(texts[0], begin.start) :]
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


def _within(some: list[str], whole: list[str]) -> bool:
    return any(whole[at : at + len(some)] == some for at in range(len(whole) - len(some) + 1))


def _with_signs_before(text: str, start: int) -> int:
    """Where what stands from `start` begins with its signs."""
    number = text[start].isdigit()
    while start and (_is_sign(text[start - 1]) or (number and _begins_number(text, start - 1))):
        start -= 1
    return start


def _begins_number(text: str, at: int) -> bool:
    before = text[at - 1 : at]
    return text[at] in _BEFORE_DIGITS and (not before or (_kind(before) == "other" and before != text[at]))


def _with_signs_behind(text: str, end: int) -> int:
    """Where what stands up to `end` ends with its signs; many languages have a blank before that of a number."""
    if text[end - 1].isdigit() and text[end : end + 1].isspace() and text[end + 1 : end + 2] in _AMOUNTS:
        end += 2
    while end < len(text) and _is_sign(text[end]):
        end += 1
    return end


def _is_sign(character: str) -> bool:
    return character in _SIGNS or unicodedata.category(character)[0] == "S"


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
