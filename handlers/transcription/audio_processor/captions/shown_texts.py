"""Memory of the texts that one stream showed recently, so that no other result of Amazon Transcribe repeats them.

A result is a piece of recognised speech, which comes in several versions: first partials, then a final. Texts are
compared without regard to Unicode variants, capitals, punctuation and spacing.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_TEXTS = 2000
"""Maximum number of remembered texts. The settings allow up to 20 partials in a second and a lifetime of up to 60 s,
which gives 1200 texts of partials. The rest is for finals."""

_NO_WORD = re.compile(r"[^\w\s]|_")
"""A character that is no letter, digit or space. The underscore is named because `\\w` includes it."""


def normalize_text(text: str) -> str:
    """Return the text in the form that is compared. If a text has only punctuation, the punctuation stays."""
    # Normalised again, because case folding can leave a form that NFKC changes.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    spaced = _NO_WORD.sub(_space_for_punctuation, folded)
    return " ".join(spaced.split()) or " ".join(folded.split())


def _space_for_punctuation(match: re.Match[str]) -> str:
    # The pattern also matches symbols and the vowel signs of Indic scripts. Different words would be equal without them.
    return " " if unicodedata.category(match[0]).startswith("P") else match[0]


@dataclass(frozen=True, slots=True)
class ShownText:
    """The result that last showed a text."""

    result_id: str
    at_ms: int
    final: bool
    """True if a final showed the text, so that its line will not change any more."""


class ShownTexts:
    """Texts, in normalised form, that no other result may show for some time. Times must never go back."""

    def __init__(self, ttl_ms: int) -> None:
        self._ttl_ms = ttl_ms
        # A text that is shown again moves to the end, so the first text expires next.
        self._texts: dict[str, ShownText] = {}

    def shown_by_other(self, normalized_text: str, result_id: str, now_ms: int) -> ShownText | None:
        """Return the other result that has shown the text recently, or None."""
        shown = self._texts.get(normalized_text)
        if shown is None or shown.result_id == result_id or now_ms - shown.at_ms >= self._ttl_ms:
            return None
        return shown

    def show(self, normalized_text: str, result_id: str, now_ms: int, *, final: bool = False) -> None:
        if not self._ttl_ms:
            return
        self._texts.pop(normalized_text, None)
        self._texts[normalized_text] = ShownText(result_id, now_ms, final)
        while len(self._texts) > MAX_TEXTS or self._first().at_ms + self._ttl_ms <= now_ms:
            del self._texts[next(iter(self._texts))]

    def _first(self) -> ShownText:
        return next(iter(self._texts.values()))
