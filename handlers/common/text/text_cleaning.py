"""Text from outside, made harmless. Pure."""

import re
import unicodedata

_SPACE = re.compile(r"\s+")
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of pairs, which no store would take."""
MAX_MARKS = 30
"""Combining marks in a row, as in Unicode's stream-safe format: no writing has more. Normalising puts them in order,
which takes the square of their number: minutes, for as many as an upload may have."""
_MARKS = re.compile(rf"\w?[^\w\x00-\u02ff]{{{MAX_MARKS // 3},}}")
"""Where there may be too many: a mark is no letter, is behind U+02FF, and is one or two when it is taken apart."""


def cleaned(text: str) -> str:
    """One line, without what is no character of any writing."""
    wanted = _MARKS.sub(_fewer, _UNWANTED.sub("", _SPACE.sub(" ", text)))
    # Taking a character out may leave two spaces side by side.
    return _SPACE.sub(" ", unicodedata.normalize("NFC", wanted)).strip()


def _fewer(found: re.Match[str]) -> str:
    """The same without the marks that are too many. What is left out counts, so a row has one end."""
    kept: list[str] = []
    marks = 0
    for one in found[0]:
        # Some characters are marks only when they are taken apart, and some letters bring marks of their own.
        apart = unicodedata.normalize("NFD", one)
        own = sum(unicodedata.combining(part) > 0 for part in apart)
        marks = marks + own if unicodedata.combining(apart[0]) else own
        if marks <= MAX_MARKS:
            kept.append(one)
    return "".join(kept)
