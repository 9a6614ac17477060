"""Text from outside, made harmless. Pure."""

import re
import unicodedata

_SPACE = re.compile(r"\s+")
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of pairs, which no store would take."""


def cleaned(text: str) -> str:
    """One line, without what is no character of any writing."""
    wanted = _UNWANTED.sub("", _SPACE.sub(" ", text))
    # Taking a character out may leave two spaces side by side.
    return _SPACE.sub(" ", unicodedata.normalize("NFC", wanted)).strip()
