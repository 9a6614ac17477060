"""Cleaning of text from users, models and AWS services before it is stored or shown."""

import re
import unicodedata

_SPACE = re.compile(r"\s+")
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates. DynamoDB and S3 do not accept lone surrogates."""
MAX_MARKS = 30
"""Maximum number of consecutive combining marks, as in Unicode's stream-safe text format. No script needs more. NFC
normalization sorts them in quadratic time, which would take minutes for as many marks as an upload may contain."""
_MARKS = re.compile(rf"\w?[^\w\x00-\u02ff]{{{MAX_MARKS // 3},}}")
"""Sequences that may contain too many marks: ten or more characters that may be marks, with the letter before them.

Every mark is above U+02FF and is no letter. Shorter sequences need no check. A mark decomposes to at most two marks, so
nine marks decompose to at most 18. The letter before them can decompose to a letter and a few marks, which leaves the
sum below `MAX_MARKS`."""


def clean_text(text: str) -> str:
    """Return the text as one line in NFC, without control characters, lone surrogates and excess combining marks."""
    limited = _MARKS.sub(_limit_marks, _UNWANTED.sub("", _SPACE.sub(" ", text)))
    # Removing a character can leave two adjacent spaces.
    return _SPACE.sub(" ", unicodedata.normalize("NFC", limited)).strip()


def _limit_marks(match: re.Match[str]) -> str:
    """Return the matched text without the marks after the first `MAX_MARKS` consecutive ones."""
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
