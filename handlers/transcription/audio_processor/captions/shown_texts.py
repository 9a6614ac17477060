"""Which texts were shown lately, and by which result. Pure.

Two texts are the same where a reader would call them so: spelling variants of Unicode, capitals, punctuation and
spacing make no difference.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_TEXTS = 2000
"""At the highest rate and the longest memory, 1200 partials are remembered; the rest is for finals."""

_NO_WORD = re.compile(r"[^\w\s]|_")


def normalize_text(text: str) -> str:
    """The text as it is compared. Where it is nothing but punctuation, that is what it says."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    spaced = _NO_WORD.sub(_space_for_punctuation, folded)
    return " ".join(spaced.split()) or " ".join(folded.split())


def _space_for_punctuation(match: re.Match[str]) -> str:
    # Vowel signs of Indic scripts are no letters to the pattern, and without them different words would look the same.
    return " " if unicodedata.category(match[0]).startswith("P") else match[0]


@dataclass(frozen=True, slots=True)
class ShownText:
    """By whom a text was shown, and whether it stays."""

    result_id: str
    at_ms: int
    final: bool


class ShownTexts:
    """Remembers each normalised text for as long as nobody else may show it. Times never go back."""

    def __init__(self, ttl_ms: int) -> None:
        self._ttl_ms = ttl_ms
        # A text that is shown again moves to the end, so what expires next always stands first.
        self._texts: dict[str, ShownText] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def shown_by_other(self, text: str, result_id: str, now_ms: int) -> ShownText | None:
        """Which result other than this one has shown it."""
        shown = self._texts.get(text)
        if shown is None or shown.result_id == result_id or now_ms - shown.at_ms >= self._ttl_ms:
            return None
        return shown

    def show(self, text: str, result_id: str, now_ms: int, *, final: bool = False) -> None:
        """Notes that this result shows it now."""
        if not self._ttl_ms:
            return
        self._texts.pop(text, None)
        self._texts[text] = ShownText(result_id, now_ms, final)
        while len(self._texts) > MAX_TEXTS or self._first().at_ms + self._ttl_ms <= now_ms:
            del self._texts[next(iter(self._texts))]

    def _first(self) -> ShownText:
        return next(iter(self._texts.values()))
