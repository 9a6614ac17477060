"""The words of a question at which the local agent fails, so that audio alone drives every failure of an agent.

It decides which word does what. Carrying it out is left to the service. A question's first such word counts.
"""

from collections.abc import Iterable
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong; the value is the word."""

    THROTTLED = "throttled"
    """429 with a Retry-After, once for each query's id: the next attempt is answered."""
    DROPPED = "dropped"
    """The connection breaks off in the middle of the answer."""
    MALFORMED = "malformed"
    """A line in the middle of the answer is no JSON."""
    ENDLESS = "endless"
    """From the middle of the answer on there is nothing but signs of life."""
    BROKEN = "broken"
    """503, each time."""


def fault_of(words: Iterable[str]) -> Fault | None:
    """What this question does, if it does anything."""
    return next((fault for word in words for fault in Fault if fault == word), None)
