"""How often something is asked about that tells nobody when it ends. Pure.

What has taken long will mostly take long still: so the pause between two questions grows with the time that was waited,
and the answer is late by a twentieth of it at the most. Hours are asked about some dozen times, not hundreds.
"""

from typing import Annotated, Final

from pydantic import Field

PollSeconds = Annotated[int, Field(ge=5, le=600)]
"""The shortest pause between two questions about the same thing: it grows with what was waited."""
SHARE: Final = 20
"""A pause is this part of the time before it, if that is longer than the pause that was asked for."""


def count_polls(seconds: int, first: int) -> int:
    """How often it is asked at the most until so many seconds have passed; `first` is the shortest pause."""
    waited = count = 0
    while waited < seconds:
        waited += max(first, waited // SHARE)
        count += 1
    return count


def pause_expression(waited: str, first: int) -> str:
    """The next pause in seconds, in JSONata; `waited`: an expression for the seconds until now."""
    return f"$max([{first}, $floor(({waited}) / {SHARE})])"


def max_detection_seconds(seconds: int) -> int:
    """The seconds that pass before so many are seen to have passed."""
    return seconds + seconds // SHARE
