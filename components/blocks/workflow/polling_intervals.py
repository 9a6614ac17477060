"""Growing pause between two status requests with which a workflow polls a long job.

A job that has run for a long time will probably run on, so the pause grows with the time already waited. The end is
noticed late by at most a twentieth of that time, or by the shortest pause if that is longer. A job of several hours
needs about a hundred requests.
"""

from typing import Final

PAUSE_DIVISOR: Final = 20
"""The pause is the time waited divided by this, or the shortest pause if that is longer."""


def count_polls(seconds: int, min_pause: int) -> int:
    """Return the maximum number of status requests until `seconds` have passed."""
    waited = count = 0
    while waited < seconds:
        waited += max(min_pause, waited // PAUSE_DIVISOR)
        count += 1
    return count


def pause_expression(waited: str, min_pause: int) -> str:
    """Return the next pause in seconds as JSONata. `waited` is an expression for the seconds waited so far."""
    return f"$max([{min_pause}, $floor(({waited}) / {PAUSE_DIVISOR})])"


def max_detection_seconds(seconds: int) -> int:
    """Return the latest time at which polling notices that `seconds` have passed, in seconds since the start.

    This is only correct after the pause has started to grow. Before that, polling may be late by up to one shortest
    pause, and callers must allow for it.
    """
    return seconds + seconds // PAUSE_DIVISOR
