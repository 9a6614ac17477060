"""Word error rate, by which the flows and tests compare recognised texts with the spoken texts."""

import re

MAX_WORD_ERROR_RATE = 0.15
"""Maximum word error rate at which a text counts as recognised: one wrong word in seven."""
_WORD = re.compile(r"[a-z0-9']+")


def word_error_rate(spoken: str, recognised: str) -> float:
    """Return the wrong, missing and additional words as a share of the spoken words. Case and punctuation do not count."""
    expected, actual = _WORD.findall(spoken.lower()), _WORD.findall(recognised.lower())
    errors = list(range(len(expected) + 1))  # by the number of spoken words, before the first recognised word
    for count, word in enumerate(actual, start=1):
        previous, errors = errors, [count]
        for index, other in enumerate(expected):
            errors.append(min(errors[-1] + 1, previous[index + 1] + 1, previous[index] + (word != other)))
    return errors[-1] / max(len(expected), 1)
