"""Text from users, models and AWS services: cleaning, search for quotes, and division of a transcript into windows.

A quote matches if all its words occur in the transcript, complete, in order, and without gaps. Case, spaces and
punctuation are ignored. In scripts without spaces between words, each character is compared like a word. A match
contains the transcript's own text, so text that a model wrote is never shown as a speaker's words. This text extends to
the nearest spaces, because it must include signs that are not compared: for the quote "fell 4", it may be "fell -4%".

A window is small enough for one model request. It consists of a core and an overlap. The cores of all windows together
are the transcript, without gaps and repetitions. The overlap repeats the passages after the core. So a statement that
begins at the end of a core is complete in its window, unless it is longer than the overlap. A statement that begins in
the overlap belongs to a later window. The last window has no overlap.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, NamedTuple, Protocol, TypeVar

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


class Passage(Protocol):
    """A passage of a transcript: text with a start and an end time."""

    @property
    def start_ms(self) -> int: ...

    @property
    def end_ms(self) -> int: ...

    @property
    def text(self) -> str: ...

    @property
    def speaker(self) -> str | None:
        """Label of the speaker, or None if it is unknown."""
        ...


_SPACE = re.compile(r"\s+")
_MAYBE_HIDDEN = re.compile(r"[^ -~\t\n]+")
"""Characters that `_is_visible` checks: all except printable ASCII, tab and line feed."""
_JOINERS = "\u200c\u200d\ufe0f"
"""Zero width non-joiner, zero width joiner, and the selector of emoji. They are invisible, but Persian, Indic scripts
and emoji need them."""
_INVISIBLE = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")
"""Fillers and variation selectors. They count as letters and marks, but are not shown. The last range has 240 selectors,
so a sequence of them can contain any text."""
MAX_MARKS = 30
"""Maximum number of consecutive combining marks, as in Unicode's stream-safe text format. NFC normalization sorts them
in quadratic time, which would take minutes for as many marks as an upload may contain."""
_MARK = r"[^\w\s\x00-\u02ff\u2010-\u20cf\u2100-\u2bff\u3001-\u3029\U0001f000-\U0001ffff]"
"""A character that may be a combining mark: no letter, digit or space, and in none of these ranges without such marks:
Latin, general punctuation and currency signs, symbols and arrows, CJK punctuation, emoji."""
_MARKS = re.compile(rf"({_MARK}{{{MAX_MARKS}}}){_MARK}+")
"""More marks than allowed. The group contains the marks that are kept."""


def clean_text(text: str) -> str:
    """Return the text as one line in NFC, without hidden characters and excess combining marks."""
    visible = _MARKS.sub(r"\1", remove_hidden_characters(_SPACE.sub(" ", text)))
    # Removing a character can leave two adjacent spaces.
    return _SPACE.sub(" ", unicodedata.normalize("NFC", visible)).strip()


def remove_hidden_characters(text: str) -> str:
    """Return the text without control characters, invisible characters and characters that change its direction.

    A reader does not see these characters, but a model reads them, and they can change the order in which a text is
    shown. DynamoDB and S3 do not accept lone surrogates. Tab and line feed are kept.
    """
    return _MAYBE_HIDDEN.sub(lambda match: "".join(filter(_is_visible, match[0])), text)


@lru_cache(maxsize=4096)
def _is_visible(character: str) -> bool:
    """Return False for controls, formats, surrogates, private and unassigned characters, and for invisible letters."""
    is_other = unicodedata.category(character).startswith("C")
    return character in _JOINERS or not (is_other or _INVISIBLE.match(character))


def _require_visible_text(text: str) -> str:
    visible = remove_hidden_characters(text).strip()
    if all(character in _JOINERS or character.isspace() for character in visible):
        raise PydanticCustomError("visible_text", "must have at least one visible character")
    return visible


VISIBLE_TEXT = AfterValidator(_require_visible_text)
"""Constraint for a string field, for use in `Annotated`. Hidden characters are removed from the text, and spaces from its
ends. A text of which nothing visible remains is refused."""

MIN_WORDS = 2
"""Minimum number of words in a quote. A single word proves nothing, because any speaker may use it."""
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, Hiragana, Katakana and Han."""
_LETTERS = rf"(?:[^\W{_UNSPACED}]|[\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0966-\u0dff])+"
"""Letters and digits of other scripts, and Latin, Hebrew, Arabic and Indic combining marks, which `re` does not count."""
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:['\u2019]{_LETTERS})*")
_NOT_COMPARED = re.compile(r"['\u2019\s]")
"""Apostrophes, and spaces that NFKC normalization makes of a few characters."""
_OPENING, _CLOSING = "(\"'[{\u201c\u2018\u201e\u00ab", ")\"']}\u201d\u2019\u00bb.,;:!?\u2026"
"""Punctuation that a quote neither begins nor ends with. A point before a number belongs to the number."""


class WordPosition(NamedTuple):
    """Position of a word in the searched passages."""

    passage: int
    """Index of the passage."""
    word: int
    """Index of the word in its passage."""
    start: int
    """Offset of the word in the text of its passage."""
    end: int


@dataclass(frozen=True)
class QuoteMatch:
    """Position and original text of a quote in a transcript."""

    first: WordPosition
    last: WordPosition
    start_ms: int
    """Start of the passage in which the quote begins."""
    end_ms: int
    """Latest end of the passages of the match."""
    quote: str = field(repr=False)
    """The transcript's text at this position."""
    words: str = field(repr=False)
    """The quote's words in the form in which they are compared. Spellings that match each other have the same words."""
    speaker: str | None = field(repr=False)
    """Speaker of all passages of the match; None if they have several speakers or an unknown one."""


class QuoteSearch:
    """Index of the words of some passages, for searching quotes."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._passage_words: list[list[str]] = []
        self._words: list[str] = []
        """All words in the form in which they are compared."""
        self._positions: list[WordPosition] = []
        """Position of each word."""
        for index, passage in enumerate(passages):
            words = list(split_words(passage.text))
            self._passage_words.append([word for word, _, _ in words])
            self._words += self._passage_words[-1]
            self._positions += [WordPosition(index, number, start, end) for number, (_, start, end) in enumerate(words)]

    def find(self, quote: str, near: int | None = None) -> QuoteMatch | None:
        """Return the match that is nearest to the passage with the index `near`, by default the first match.

        Return None if there is no match. A quote of fewer than `MIN_WORDS` words has none.
        """
        words = [text for text, _, _ in split_words(quote)]
        if len(words) < MIN_WORDS:
            return None
        matches = self._find_words(words)
        if near is not None:
            matches.sort(key=lambda match: abs(match[0].passage - near))
        return self._to_match(*matches[0], " ".join(words)) if matches else None

    def find_passages(self, quote: str) -> frozenset[int]:
        """Return the indexes of the passages that repeat the quote.

        These are the passages that contain a match or a part of it, and passages whose whole text occurs in the quote.
        A caller that looks for evidence for a quoted statement excludes these passages, because a statement is no
        evidence for itself. Unlike `find`, this method also searches for a quote of a single word.
        """
        words = [text for text, _, _ in split_words(quote)]
        repetitions = {index for index, passage in enumerate(self._passage_words) if _find_runs(passage, words)}
        for first, last in self._find_words(words):
            repetitions.update(range(first.passage, last.passage + 1))
        return frozenset(repetitions)

    def _find_words(self, words: list[str]) -> list[tuple[WordPosition, WordPosition]]:
        """Return the positions of the first and the last word of each place where these words follow each other."""
        positions = self._positions
        return [(positions[start], positions[start + len(words) - 1]) for start in _find_runs(words, self._words)]

    def _to_match(self, first: WordPosition, last: WordPosition, words: str) -> QuoteMatch:
        passages = self._passages[first.passage : last.passage + 1]
        texts = [passage.text for passage in passages]
        # The end is cut first: if the match is in one passage, cutting its start would shift the offset of its end.
        texts[-1] = texts[-1][: last.end] + texts[-1][last.end :].partition(" ")[0]
        texts[0] = texts[0][: first.start].rpartition(" ")[2] + texts[0][first.start :]
        speakers = {passage.speaker for passage in passages}
        return QuoteMatch(
            first=first,
            last=last,
            start_ms=passages[0].start_ms,
            end_ms=max(passage.end_ms for passage in passages),
            quote=" ".join(texts).lstrip(_OPENING).rstrip(_CLOSING),
            words=words,
            speaker=speakers.pop() if len(speakers) == 1 else None,
        )


def split_words(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the words of a text in their compared form, each with its start and end offset."""
    for match in _WORD.finditer(text):
        folded = unicodedata.normalize("NFKC", match[0]).casefold()
        yield _NOT_COMPARED.sub("", folded), match.start(), match.end()


def _find_runs(part: Sequence[str], words: Sequence[str]) -> list[int]:
    """Return the indexes from which `part` occurs in `words`. An empty part occurs nowhere."""
    return [
        start
        for start in range(len(words) - len(part) + 1)
        # A transcript has tens of thousands of words, so only places with the right first word are compared.
        if part and words[start] == part[0] and words[start : start + len(part)] == part
    ]


P = TypeVar("P", bound=Passage)


@dataclass(frozen=True)
class WindowSizes:
    """Size limits of windows."""

    characters: int
    """Maximum length of a core. A core that is a single passage may be longer. The core of the last window may be
    longer too, because it includes the passages that would otherwise be its overlap."""
    milliseconds: int
    """Maximum time between the starts of a core's first and last passage. End times are not used, because they may be
    wrong, for example a day too late. Such a passage would then become a separate window."""
    overlap_characters: int
    """Minimum length of an overlap. It ends with the passage that reaches this length."""


@dataclass(frozen=True)
class Window(Generic[P]):
    """Consecutive passages of a transcript: first the core, then the overlap."""

    index: int
    """Number of the window, from 0."""
    first: int
    """Index of the window's first passage in the transcript."""
    core_count: int
    """Number of passages in the core."""
    passages: tuple[P, ...] = field(repr=False)

    @property
    def start_ms(self) -> int:
        """Start of the first passage."""
        return self.passages[0].start_ms

    @property
    def end_ms(self) -> int:
        """Latest end of all passages. An earlier passage may end after the last passage."""
        return max(passage.end_ms for passage in self.passages)

    def owns_start(self, start_ms: int) -> bool:
        """Return True if this time lies before the overlap, so that a statement which begins then belongs to this window.

        The last window has no overlap, so it returns True for every time.
        """
        return self.core_count == len(self.passages) or start_ms < self.passages[self.core_count].start_ms


def split_into_windows(passages: Sequence[P], sizes: WindowSizes) -> tuple[Window[P], ...]:
    """Return the windows of a transcript whose passages are ordered by time.

    A transcript of d milliseconds and c characters has at most `1 + d / sizes.milliseconds + 2 * c / sizes.characters`
    windows, which limits their cost. The factor is 2 because a core is short if a long passage follows. Only both
    together exceed the limit, and this passage counts again in the next core.
    """
    windows: list[Window[P]] = []
    first = end = 0
    while end < len(passages):
        core_end = _find_core_end(passages, first, sizes)
        end = _find_overlap_end(passages, core_end, sizes.overlap_characters)
        is_last = end == len(passages)
        core_count = (end if is_last else core_end) - first
        passages_in_window = tuple(passages[first:end])
        windows.append(Window(len(windows), first=first, core_count=core_count, passages=passages_in_window))
        first = core_end
    return tuple(windows)


def _find_core_end(passages: Sequence[P], first: int, sizes: WindowSizes) -> int:
    """Return the index after the last passage of the core that begins with the passage `first`."""
    characters = len(passages[first].text)
    for end in range(first + 1, len(passages)):
        characters += len(passages[end].text)
        if characters > sizes.characters or passages[end].start_ms - passages[first].start_ms > sizes.milliseconds:
            return end
    return len(passages)


def _find_overlap_end(passages: Sequence[P], core_end: int, overlap_characters: int) -> int:
    """Return the index after the overlap's last passage, with which the overlap reaches its minimum length."""
    characters = 0
    for end in range(core_end, len(passages)):
        if characters >= overlap_characters:
            return end
        characters += len(passages[end].text)
    return len(passages)
