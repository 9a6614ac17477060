"""The words at which the local Transcribe fails, so that audio alone drives every failure, the same one each time.

It decides which word does what, and when. Carrying it out is left to the service's captions. All but one do nothing
where partial results are not stabilised: who says the same again and wants final results only is understood.
"""

from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong; the value is the word."""

    THROTTLED = "throttled"
    """LimitExceededException, and the stream is over."""
    DROPPED = "dropped"
    """The connection breaks off without a word."""
    MALFORMED = "malformed"
    """The partial result comes in a frame whose checksum is wrong."""
    UNFLAGGED = "unflagged"
    """From here on, no item says whether it is stable."""
    REPEATING = "repeating"
    """The final result of this sentence comes twice, the second time worded differently, with id and times the same."""
    ENDLESS = "endless"
    """The final result of this sentence never comes."""
    BROKEN = "broken"
    """InternalFailureException, and the stream is over. It happens always."""


ALWAYS = frozenset([Fault.BROKEN])


def fault_of(word: str, *, stabilised: bool) -> Fault | None:
    """What this word does to a stream, if it does anything."""
    fault = next((one for one in Fault if one == word), None)
    return fault if stabilised or fault in ALWAYS else None
