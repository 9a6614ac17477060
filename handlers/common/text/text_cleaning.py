"""Cleaning of text from users, models and AWS services before it is stored or shown."""

import re
import unicodedata

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
