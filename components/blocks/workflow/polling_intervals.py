"""Pause between two requests with which a workflow polls the status of a long job.

A job that has run for a long time will probably run on. So the pause is a twentieth of the time already waited, but not
shorter than a minimum. The workflow notices the job's end at most one pause late. A job of several hours needs about a
hundred requests.
"""

from typing import Final

PAUSE_DIVISOR: Final = 20


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
    """Return the latest time, in seconds since the start, at which the workflow notices the end of a job that takes
    `seconds`.

    For a short job (a twentieth of `seconds` is shorter than the minimum pause), the workflow may notice the end up to
    one minimum pause later than this. Callers must add that pause.
    """
    return seconds + seconds // PAUSE_DIVISOR
