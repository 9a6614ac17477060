"""Choices of a schedule: taken from a seed, or repeated from an earlier schedule, which can be shortened.

A schedule is the list of its choices. A choice is the number of an option, and option 0 is the harmless one. After the
end of a repeated list, all choices are 0, so a shorter list is a simpler schedule.
"""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class ScheduleChoices:
    """Source of choices: random ones if there is a seed, otherwise those of a list. It records its choices."""

    def __init__(self, seed: int | None = None, repeated: Sequence[int] = ()) -> None:
        self._random = random.Random(seed) if seed is not None else None  # noqa: S311 # repeatable, not secret
        self._repeated = repeated
        self.recorded: list[int] = []

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options. The caller must list the harmless one first."""
        if self._random is not None:
            number = self._random.randrange(len(options))
        else:
            position = len(self.recorded)
            number = self._repeated[position] % len(options) if position < len(self._repeated) else 0
        self.recorded.append(number)
        return options[number]


def to_text(choices: Sequence[int]) -> str:
    """Return choices as text: position and value of each choice that is not 0."""
    return ",".join(f"{position}:{value}" for position, value in enumerate(choices) if value)


def from_text(text: str) -> list[int]:
    """Return the choices of a text."""
    values = {int(position): int(value) for position, value in (entry.split(":") for entry in text.split(",") if entry)}
    return [values.get(position, 0) for position in range(max(values, default=-1) + 1)]


def shorten(choices: Sequence[int], fails: Callable[[Sequence[int]], bool]) -> list[int]:
    """Return a simpler list of choices that still fails: a shorter one, with more choices that are 0."""
    best = list(choices)
    while best and fails(best[: len(best) // 2]):
        best = best[: len(best) // 2]
    size = max(1, len(best) // 2)  # number of adjacent choices that are set to 0 together
    while size:
        for start in range(0, len(best), size):
            candidate = [*best[:start], *[0] * len(best[start : start + size]), *best[start + size :]]
            if candidate != best and fails(candidate):
                best = candidate
        size //= 2
    return from_text(to_text(best))
