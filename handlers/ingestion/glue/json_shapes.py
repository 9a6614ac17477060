"""What a manifest's records look like, gathered while they are read. Pure.

A shape only ever grows, and merging shapes is union: the order in which files and tasks are merged cannot matter, so a
retried run finds the same columns. What a shape becomes as a column is `columns`' business.

A run's records may have so many places, each name at each level counted; beyond that the widest are data, not names. No
object need have too many names for that: a few lines whose names multiply with each level make a million columns. It is
judged once, when all that a run has seen is merged, since half of it would be judged otherwise; and by the merged shape
alone, so that it comes out the same in whatever order files, lines and tasks came. What is given up becomes JSON.
"""

from collections import Counter
from enum import IntFlag
from typing import Any

EXACT_IN_DOUBLE = 2**53
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
DECIMAL_MAX = 10**38 - 1
MAX_NAMES = 1000
"""More names than this in one object are data, not names: a map keyed by user, say."""
MAX_LEVELS = 16
MAX_NODES = 5000
"""Of a run. Whoever writes Parquet holds a buffer for each column, and who reads a table knows some hundreds at most."""


class Kind(IntFlag):
    """The kinds of value seen in one place; null is none of them."""

    BOOLEAN = 1
    INTEGER = 2  # exact as a double
    LONG = 4  # an integer of 64 bits, not exact as a double
    BIG = 8  # an integer of up to 38 digits
    HUGE = 16  # a longer one
    DOUBLE = 32
    TEXT = 64
    OBJECT = 128
    ARRAY = 256
    BOUNDLESS = 512  # too many names or too deep to be described


_BOOLEAN, _DOUBLE, _TEXT = int(Kind.BOOLEAN), int(Kind.DOUBLE), int(Kind.TEXT)
_OBJECT, _ARRAY, _BOUNDLESS = int(Kind.OBJECT), int(Kind.ARRAY), int(Kind.BOUNDLESS)
_INTEGER = int(Kind.INTEGER)


class Shape:
    """The kinds seen in one place, the names of its objects and what its arrays hold."""

    __slots__ = ("items", "kinds", "names")

    def __init__(self) -> None:
        self.kinds = 0
        self.names: dict[str, Shape] = {}
        self.items: Shape | None = None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Shape)
            and (self.kinds, self.names) == (other.kinds, other.names)
            and self.items == other.items
        )

    __hash__ = None  # type: ignore[assignment] # it changes

    def observe(self, value: Any, levels: int = MAX_LEVELS) -> None:
        """Takes one value in."""
        kind = type(value)
        if kind is str:
            self.kinds |= _TEXT
        elif kind is float:
            self.kinds |= _DOUBLE
        elif kind is int:
            self.kinds |= _INTEGER if -EXACT_IN_DOUBLE <= value <= EXACT_IN_DOUBLE else _integer(value)
        elif kind is bool:
            self.kinds |= _BOOLEAN
        elif kind is dict:
            self.kinds |= _OBJECT
            self._observe_names(value, levels)
        elif kind is list:
            self.kinds |= _ARRAY
            if levels == 0:
                self.mark_boundless()
            elif not self.kinds & _BOUNDLESS:
                if self.items is None:
                    self.items = Shape()
                for one in value:
                    self.items.observe(one, levels - 1)

    def _observe_names(self, value: dict[str, Any], levels: int) -> None:
        if self.kinds & _BOUNDLESS:
            return
        if levels == 0:
            self.mark_boundless()
            return
        names = self.names
        for name, one in value.items():
            known = names.get(name)
            if known is None:
                if len(names) == MAX_NAMES:
                    self.mark_boundless()
                    return
                known = names[name] = Shape()
            known.observe(one, levels - 1)

    def merge(self, other: "Shape") -> None:
        """Takes all that another has seen."""
        self.kinds |= other.kinds
        if self.kinds & _BOUNDLESS:
            self.mark_boundless()
            return
        for name, shape in other.names.items():
            self.names.setdefault(name, Shape()).merge(shape)
        if len(self.names) > MAX_NAMES:
            self.mark_boundless()
            return
        if other.items is not None:
            if self.items is None:
                self.items = Shape()
            self.items.merge(other.items)

    def mark_boundless(self) -> None:
        """What is here is data, whatever else is seen of it."""
        self.kinds |= _BOUNDLESS
        self.names, self.items = {}, None


def _integer(value: int) -> int:
    if LONG_MIN <= value <= LONG_MAX:
        return int(Kind.LONG)
    return int(Kind.BIG if -DECIMAL_MAX <= value <= DECIMAL_MAX else Kind.HUGE)


def places(shape: Shape) -> int:
    """How many there are: this one, and all inside."""
    return 1 + sum(map(places, _parts(shape)))


def narrow(shape: Shape, most: int) -> None:
    """Gives up what has the most names until no more places are left than that; the record itself is kept.

    Those with equally many go together, since nothing but chance would tell one from the other. An array counts as one name.
    """
    inside = Counter({0: 1})
    for one in _parts(shape):
        _count(one, 0, inside)
    left = most
    for width in sorted(inside):
        left -= inside[width]
        if left < 0:
            _give_up(shape, max(1, width))
            return


def _count(shape: Shape, widest: int, inside: Counter[int]) -> None:
    """Counts places by the widest one that they are inside of: with that they go."""
    inside[widest] += 1
    parts = _parts(shape)
    for one in parts:
        _count(one, max(widest, len(parts)), inside)


def _give_up(shape: Shape, width: int) -> None:
    """Whatever inside of this is so wide."""
    for one in _parts(shape):
        if len(_parts(one)) >= width:
            one.mark_boundless()
        else:
            _give_up(one, width)


def _parts(shape: Shape) -> list[Shape]:
    return [*shape.names.values(), *([] if shape.items is None else [shape.items])]
