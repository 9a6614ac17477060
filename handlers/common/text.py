"""Text from users, models and AWS services: cleaning, search for quotes, and division of a transcript into windows.

A quote matches if all its words occur in the transcript, complete, in order, and without gaps. Case, spaces and
punctuation are ignored. In scripts without spaces between words, each character is compared like a word. A match
contains the transcript's own text, so text that a model wrote is never shown as a speaker's words.

Signs such as $ and % are ignored too, so the quote "4 apples" matches "$4 apples". But a reader of the match must see
what was said. So the text of a match includes the signs directly before and after it in the transcript: "$4 apples".

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
from itertools import groupby
from typing import Generic, Protocol, TypeVar

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
# Ranges of characters, as the content of a character class.
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
"""Control characters except tab and line feed, and lone surrogates. DynamoDB and S3 do not accept lone surrogates."""
_DIRECTIONS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
"""Marks, embeddings, overrides and isolates of the text direction, and deprecated format characters."""
_INVISIBLES = (
    r"\xad\u034f\u115f\u1160\u17b4\u17b5\u200b\u2060-\u2065\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters that are not shown: characters with Unicode's property Default_Ignorable_Code_Point, and annotation
characters. U+E0000 to U+E0FFF can encode whole sentences, so they could hide instructions to a model in a text that
looks harmless."""
_PICTURES = (
    r"\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u2328\u232b-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f"
    r"\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
"""Symbols that can be emoji. The variation selectors U+FE0E and U+FE0F select their text form or their emoji form."""
_MONGOLIAN = r"\u1807\u1820-\u18aa"
"""Mongolian letters, whose forms depend on the selectors and on the vowel separator in U+180B to U+180F."""
_HIDDEN = re.compile(
    rf"[{_CONTROLS}{_DIRECTIONS}{_INVISIBLES}]"
    # Mongolian selectors and the vowel separator, unless they follow a Mongolian letter.
    rf"|(?<![{_MONGOLIAN}])[\u180b-\u180f]"
    # The selectors U+FE0E and U+FE0F, unless they follow a symbol or are part of a keycap emoji. A keycap emoji is a
    # digit, # or *, then U+FE0F, then U+20E3.
    rf"|(?<![{_PICTURES}])(?!(?<=[0-9#*])\ufe0f\u20e3)[\ufe0e\ufe0f]"
)
"""Characters to remove."""
_JOINER = re.compile(r"[\u200c\u200d]")
"""Zero width non-joiner or zero width joiner."""
_JOINED = re.compile(rf"[\u0590-\u10ff\u1200-\u1cff\ua800-\uabff\U00010a00-\U00011fff\ufe0e\ufe0f{_PICTURES}]")
"""Characters after which a joiner is kept. For example, families of emoji contain joiners, Persian needs the non-joiner
for its spelling, and Sinhala needs the joiner. The ranges also contain scripts without joiners, such as Georgian."""
CONTEXT_CHARACTERS = 32
"""Number of preceding characters from which `remove_hidden_characters` can decide whether a joiner at the start of a
text is kept: a letter or symbol, and its combining marks."""
MAX_MARKS = 30
"""Maximum number of consecutive combining marks, as in Unicode's stream-safe text format. No script needs more. NFC
normalization sorts them in quadratic time, which would take minutes for as many marks as an upload may contain."""
_MARKS = re.compile(rf"\w?[^\w\x00-\u02ff]{{{MAX_MARKS // 3},}}")
"""Sequences that may contain too many marks: ten or more characters that may be marks, with the letter before them.
A character may be a mark if it is above U+02FF and no letter.

A shorter sequence cannot contain too many: a mark decomposes to at most two marks, so nine of them become at most 18.
The letter before them may decompose to a letter and a few marks, and the sum stays below `MAX_MARKS`."""


def clean_text(text: str) -> str:
    """Return the text as one line in NFC, without hidden characters and excess combining marks."""
    limited = _MARKS.sub(_limit_marks, remove_hidden_characters(_SPACE.sub(" ", text)))
    # Removing a character can leave two adjacent spaces.
    return _SPACE.sub(" ", unicodedata.normalize("NFC", limited)).strip()


def remove_hidden_characters(text: str, previous: str = "") -> str:
    """Return the text without control characters, invisible characters and characters that change its direction.

    A reader does not see these characters, but a model reads them, and they can change the order in which a text is
    shown. Tab and line feed are kept. A joiner is kept after a letter or symbol that can be joined. Of several
    consecutive joiners, only the first is kept.

    If a text is cleaned in parts, `previous` is the end of the text that was cleaned before, with up to
    `CONTEXT_CHARACTERS` characters. It is not part of the result.
    """
    start = len(previous)
    visible = _HIDDEN.sub(lambda match: match[0] if match.start() < start else "", previous + text)
    return _JOINER.sub(lambda match: match[0] if match.start() < start else _keep_joiner(match), visible)[start:]


def _keep_joiner(match: re.Match[str]) -> str:
    """Return the matched joiner if the preceding letter or symbol can be joined, otherwise nothing."""
    text, position = match.string, match.start() - 1
    # Combining marks are skipped to find their letter. They cannot decide, because normalization can change their order.
    while position >= 0 and unicodedata.combining(unicodedata.normalize("NFD", text[position])[0]):
        position -= 1
    return match[0] if position >= 0 and _JOINED.match(text, position) else ""


def _limit_marks(match: re.Match[str]) -> str:
    """Return the matched text with at most `MAX_MARKS` consecutive marks. Further marks are removed."""
    characters: list[str] = []
    marks = 0
    for character in match[0]:
        # Some characters become marks only when they are decomposed, and some letters decompose to a letter and marks.
        decomposed = unicodedata.normalize("NFD", character)
        mark_count = sum(unicodedata.combining(part) > 0 for part in decomposed)
        marks = marks + mark_count if unicodedata.combining(decomposed[0]) else mark_count
        if marks <= MAX_MARKS:
            characters.append(character)
    return "".join(characters)


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

    There are at most `1 + duration / sizes.milliseconds + 2 * characters / sizes.characters` windows, so the cost of a
    transcript is limited. The factor 2 has this reason: if the number of characters ends a core, the core and the next
    passage together have more than `sizes.characters`. So each passage may count for two cores.
    """
    windows: list[Window[P]] = []
    first = end = 0
    while end < len(passages):
        core_end = _find_core_end(passages, first, sizes)
        end = _find_overlap_end(passages, core_end, sizes.overlap_characters)
        is_last = end == len(passages)
        core_count = (end if is_last else core_end) - first
        windows.append(Window(len(windows), first, core_count, tuple(passages[first:end])))
        first = core_end
    return tuple(windows)


def _find_core_end(passages: Sequence[P], first: int, sizes: WindowSizes) -> int:
    characters = len(passages[first].text)
    for end in range(first + 1, len(passages)):
        characters += len(passages[end].text)
        if characters > sizes.characters or passages[end].start_ms - passages[first].start_ms > sizes.milliseconds:
            return end
    return len(passages)


def _find_overlap_end(passages: Sequence[P], core_end: int, overlap_characters: int) -> int:
    """Return the end of the overlap, which includes the passage that reaches the overlap's minimum length."""
    characters = 0
    for end in range(core_end, len(passages)):
        if characters >= overlap_characters:
            return end
        characters += len(passages[end].text)
    return len(passages)


def _require_visible_text(text: str) -> str:
    visible = remove_hidden_characters(text).strip()
    if not visible:
        raise PydanticCustomError("visible_text", "Input should have at least one visible character")
    return visible


VISIBLE_TEXT = AfterValidator(_require_visible_text)
"""Constraint for a string field, for use in `Annotated`."""
