"""Search for a quote in the passages of a transcript.

A quote matches if all its words occur in the transcript, complete, in order, and without gaps. Case, spaces and
punctuation are ignored. In scripts without spaces between words, each character is compared like a word.

A match contains the transcript's own text, so text that a model wrote is never shown as a speaker's words.

Signs such as $ and % are ignored too, so the quote "4 apples" matches "$4 apples". But a reader of the match must see
what was said. So the text of a match includes the signs directly before and after it in the transcript: "$4 apples".
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from handlers.common.text.transcript_passage import Passage

MIN_WORDS = 2
"""Minimum number of words in a quote. A single word proves nothing, because any speaker may use it."""
_PERCENT_SIGNS = "%\u2030\u2031"
"""Percent, per mille and per ten thousand. Unicode counts them as punctuation, although they are signs like $ and +."""
_UNITS = frozenset(f"{_PERCENT_SIGNS}\u00b0$\u00a2\u00a3\u00a5\u20a9\u20aa\u20ac\u20b9\u20ba\u20bd")
"""Signs that can follow a number and a space as the number's unit."""
_NUMBER_BEGINNINGS = "-\u2010\u2011\u2012\u2013.,"
"""Hyphens that can mean minus, and decimal points. They can begin a number (see `_begins_number`). The minus sign
U+2212 is not among them, because it is a symbol, which `_is_sign` recognises."""
_APOSTROPHES = "'\u2019\u02bc"
# Ranges of characters of scripts without spaces between words.
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
class QuoteMatch:
    """Position and original text of a quote in a transcript."""

    start_ms: int
    """Start of the passage in which the quote begins."""
    end_ms: int
    """Latest end of the passages of the match."""
    quote: str = field(repr=False)
    """The transcript's text at this position."""
    words: str = field(repr=False)
    """The quote's words in the form in which they are compared. Spellings that match each other have the same words."""
    first: int
    """Index of the passage in which the quote begins, among the searched passages."""
    last: int
    """Index of the passage in which the quote ends."""
    first_word: int
    """Index of the quote's first word in its passage."""
    last_word: int
    """Index of the quote's last word in its passage."""
    speaker: str | None = field(repr=False)
    """Speaker of all passages of the match; None if they have several speakers or an unknown one."""


@dataclass(frozen=True)
class _PassageWord:
    """A word of the searched passages, with its position."""

    text: str
    """Compared form of the word."""
    passage: int
    """Index of its passage among the searched passages."""
    number: int
    """Index of the word in its passage."""
    start: int
    """Offset of the word in the text of its passage."""
    end: int
    """Offset after the word in the text of its passage."""


class QuoteSearch:
    """Index of the words of some passages, for searching quotes."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._words = [
            _PassageWord(text, index, number, start, end)
            for index, passage in enumerate(passages)
            for number, (text, start, end) in enumerate(split_words(passage.text))
        ]
        self._texts = [word.text for word in self._words]
        self._positions: dict[str, list[int]] = {}
        for position, text in enumerate(self._texts):
            self._positions.setdefault(text, []).append(position)

    def find(self, quote: str, near: int | None = None) -> QuoteMatch | None:
        """Return the match that is nearest to the passage `near`. Without `near`, return the first match.

        Return None if there is no match. A quote of fewer than `MIN_WORDS` words has none.
        """
        quote_words = [text for text, _, _ in split_words(quote)]
        if len(quote_words) < MIN_WORDS:
            return None
        starts = self._find_words(quote_words)
        if not starts:
            return None
        start = starts[0] if near is None else min(starts, key=lambda at: abs(self._words[at].passage - near))
        return self._match(start, start + len(quote_words) - 1)

    def find_passages(self, quote: str) -> frozenset[int]:
        """Return the indexes of the passages that repeat the quote.

        These are the passages that contain a match or a part of it, and passages whose whole text occurs in the quote.
        A caller that looks for evidence for a quoted statement excludes these passages, because a statement is no
        evidence for itself. Unlike `find`, this method also searches for a quote of a single word.
        """
        quote_words = [text for text, _, _ in split_words(quote)]
        passages = {index for index, texts in self._texts_by_passage() if _contains(quote_words, texts)}
        for start in self._find_words(quote_words) if quote_words else ():
            passages.update(range(self._words[start].passage, self._words[start + len(quote_words) - 1].passage + 1))
        return frozenset(passages)

    def _texts_by_passage(self) -> Iterator[tuple[int, list[str]]]:
        for index, words in groupby(self._words, key=lambda word: word.passage):
            yield index, [word.text for word in words]

    def _find_words(self, quote_words: list[str]) -> list[int]:
        """Return the positions at which these words follow each other. Only those of the rarest word are tried."""
        rarest = min(range(len(quote_words)), key=lambda index: len(self._positions.get(quote_words[index], ())))
        starts = [position - rarest for position in self._positions.get(quote_words[rarest], ()) if position >= rarest]
        return [start for start in starts if self._texts[start : start + len(quote_words)] == quote_words]

    def _match(self, first: int, last: int) -> QuoteMatch:
        begin, end = self._words[first], self._words[last]
        passages = self._passages[begin.passage : end.passage + 1]
        texts = [passage.text for passage in passages]
        texts[-1] = texts[-1][: _extend_right(texts[-1], end.end)]
        texts[0] = texts[0][_extend_left(texts[0], begin.start) :]
        speakers = {passage.speaker for passage in passages}
        return QuoteMatch(
            start_ms=passages[0].start_ms,
            end_ms=max(passage.end_ms for passage in passages),
            quote=" ".join(texts),
            words=" ".join(word.text for word in self._words[first : last + 1]),
            first=begin.passage,
            last=end.passage,
            first_word=begin.number,
            last_word=end.number,
            speaker=speakers.pop() if len(speakers) == 1 else None,
        )


def _contains(texts: list[str], part: list[str]) -> bool:
    """Return True if the words `part` follow each other in `texts`."""
    return any(texts[start : start + len(part)] == part for start in range(len(texts) - len(part) + 1))


def _extend_left(text: str, start: int) -> int:
    """Return the start of a match, including the signs before its first word, which begins at `start`."""
    is_number = text[start].isdigit()
    while start and (_is_sign(text[start - 1]) or (is_number and _begins_number(text, start - 1))):
        start -= 1
    return start


def _begins_number(text: str, index: int) -> bool:
    """Return True for a minus sign or decimal point that begins a number, as in `-40` and `.5`.

    A hyphen in a word (`well-4`) begins no number, and neither does a repeated character (`--4`, `..5`).
    """
    if text[index] not in _NUMBER_BEGINNINGS:
        return False
    before = text[index - 1 : index]
    return not before or (_find_kind(before) == "other" and before != text[index])


def _extend_right(text: str, end: int) -> int:
    """Return the end of a match, including the signs after its last word, which ends at `end`.

    One space may be between a number and its unit, as many languages write it.
    """
    if text[end - 1].isdigit() and text[end : end + 1].isspace() and text[end + 1 : end + 2] in _UNITS:
        end += 2
    while end < len(text) and _is_sign(text[end]):
        end += 1
    return end


def _is_sign(character: str) -> bool:
    """Return True for Unicode's symbols (category S, for example $, + and degree signs) and for percent signs."""
    return character in _PERCENT_SIGNS or unicodedata.category(character)[0] == "S"


def split_words(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the words of a text in their compared form, each with its start and end offset."""
    start: int | None = None
    for index, character in enumerate(text):
        kind = _find_kind(character)
        if kind == "word" or (kind == "apostrophe" and start is not None):
            start = index if start is None else start
            continue
        if start is not None:
            yield from _compared_word(text, start, index)
            start = None
        if kind == "unspaced":
            yield from _compared_word(text, index, index + 1)
    if start is not None:
        yield from _compared_word(text, start, len(text))


def _compared_word(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Yield the word between two offsets in its compared form, or nothing if the compared form is empty."""
    while text[end - 1] in _APOSTROPHES:  # A closing quotation mark. A word never begins with one.
        end -= 1
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text[start:end]).casefold())
    compared = "".join(character for character in folded if character not in _APOSTROPHES)
    if compared:
        yield compared, start, end


@lru_cache(maxsize=4096)
def _find_kind(character: str) -> str:
    """Return `word` (part of a word), `apostrophe`, `unspaced` (compared like a word) or `other` (between words)."""
    if character in _APOSTROPHES:
        return "apostrophe"
    if unicodedata.category(character)[0] not in "LNM":
        return "other"
    point = ord(character)
    return "unspaced" if any(low <= point <= high for low, high in _UNSPACED) else "word"
