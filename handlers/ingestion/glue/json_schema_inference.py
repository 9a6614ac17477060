"""Schema inference for JSON records: while records are read, their names and the kinds of their values are collected.

The result is a shape, a tree with one node for each name at each level. `json_to_parquet_columns` turns it into
columns. The shapes of files are merged as a union, so the order of files and tasks does not matter, and a retried run
finds the same columns.

Two limits keep the number of columns small. If objects at a node have more than `MAX_NAMES` names, they are probably
maps, for example from user ids to values. And a run may have `MAX_NODES` nodes in all, because small objects nested in
each other can still make a million columns. A node above a limit becomes boundless: the nodes below it are dropped, and
its values are stored as JSON text. For the second limit, the nodes with the most children become boundless.

The second limit is applied after the shapes of all files are merged, because otherwise the result would depend on which
records are in which file. Only a file with several times `MAX_NODES` nodes is limited while it is read, so that its
shape does not fill the memory (see `file_scan`).
"""

from collections import Counter
from enum import IntFlag
from typing import Any

EXACT_IN_DOUBLE = 2**53
"""All integers from minus this number to this number are exact as a double."""
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
DECIMAL_MAX = 10**38 - 1
MAX_NAMES = 1000
"""Maximum number of names below one node."""
MAX_LEVELS = 16
"""Number of levels below the root that a shape describes. Objects and arrays at the last level make their node
boundless."""
MAX_NODES = 5000
"""Maximum number of nodes in the shape of a run. It is limited because a Parquet writer needs a buffer for each column,
and nobody can work with thousands of columns."""


class JsonKind(IntFlag):
    """Kinds of values seen at one node. A null has no kind."""

    BOOLEAN = 1
    INTEGER = 2  # exact as a double
    LONG = 4  # a larger integer of up to 64 bits, which a double may round
    BIG = 8  # an integer of up to 38 digits
    HUGE = 16  # a longer integer
    DOUBLE = 32
    TEXT = 64
    OBJECT = 128
    ARRAY = 256
    BOUNDLESS = 512  # too many names, or too deep to be described


# Plain integers, because operations on flags take most of the time of the first pass.
_BOOLEAN, _DOUBLE, _TEXT = int(JsonKind.BOOLEAN), int(JsonKind.DOUBLE), int(JsonKind.TEXT)
_OBJECT, _ARRAY, _BOUNDLESS = int(JsonKind.OBJECT), int(JsonKind.ARRAY), int(JsonKind.BOUNDLESS)
_INTEGER = int(JsonKind.INTEGER)


class JsonShape:
    """Node of a shape, with the nodes below it. It describes all values that were seen at one position in the records.

    The root describes whole records.
    """

    __slots__ = ("items", "kinds", "names")

    def __init__(self) -> None:
        self.kinds = 0
        """Union of `JsonKind` values."""
        self.names: dict[str, JsonShape] = {}
        """Node of each name that occurs in the objects at this position."""
        self.items: JsonShape | None = None
        """Node of the items of all arrays at this position, or None if there was no array."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, JsonShape)
            and (self.kinds, self.names) == (other.kinds, other.names)
            and self.items == other.items
        )

    __hash__ = None  # type: ignore[assignment] # a shape is mutable

    def observe(self, value: Any, levels: int = MAX_LEVELS) -> None:
        """Add a value to the shape, with at most `levels` levels below this node."""
        kind = type(value)
        if kind is str:
            self.kinds |= _TEXT
        elif kind is float:
            self.kinds |= _DOUBLE
        elif kind is int:
            self.kinds |= _INTEGER if -EXACT_IN_DOUBLE <= value <= EXACT_IN_DOUBLE else _large_integer_kind(value)
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
                    self.items = JsonShape()
                for item in value:
                    self.items.observe(item, levels - 1)

    def _observe_names(self, value: dict[str, Any], levels: int) -> None:
        if self.kinds & _BOUNDLESS:
            return
        if levels == 0:
            self.mark_boundless()
            return
        names = self.names
        for name, inner in value.items():
            shape = names.get(name)
            if shape is None:
                if len(names) == MAX_NAMES:
                    self.mark_boundless()
                    return
                shape = names[name] = JsonShape()
            shape.observe(inner, levels - 1)

    def merge(self, other: "JsonShape") -> None:
        """Add everything that another shape has seen."""
        self.kinds |= other.kinds
        if self.kinds & _BOUNDLESS:
            self.mark_boundless()
            return
        for name, shape in other.names.items():
            self.names.setdefault(name, JsonShape()).merge(shape)
        if len(self.names) > MAX_NAMES:
            self.mark_boundless()
            return
        if other.items is not None:
            if self.items is None:
                self.items = JsonShape()
            self.items.merge(other.items)

    def mark_boundless(self) -> None:
        """Mark the node as boundless for good, and drop the nodes below it."""
        self.kinds |= _BOUNDLESS
        self.names, self.items = {}, None


def _large_integer_kind(value: int) -> int:
    if LONG_MIN <= value <= LONG_MAX:
        return int(JsonKind.LONG)
    return int(JsonKind.BIG if -DECIMAL_MAX <= value <= DECIMAL_MAX else JsonKind.HUGE)


def count_nodes(shape: JsonShape) -> int:
    """Return the number of nodes of a shape, the root included."""
    return 1 + sum(map(count_nodes, _children(shape)))


def limit_nodes(shape: JsonShape, max_nodes: int) -> None:
    """Mark the widest nodes below the root as boundless, so that at most `max_nodes` nodes remain if possible.

    The width of a node is the number of its children: its names, and one child for the items of its arrays. Nodes of
    the same width are marked together, so the result does not depend on the order of files, lines and tasks. The root
    and its children always remain.

    Example: if the nodes below objects with 50 names no longer fit, but those below narrower objects do, then every
    object with 50 or more names becomes boundless.
    """
    counts = Counter({0: 1})
    for child in _children(shape):
        _count_by_widest_ancestor(child, 0, counts)
    remaining = max_nodes
    # `counts` has, for each width, the number of nodes whose widest ancestor has this width. From the smallest width on,
    # these nodes are kept as long as they fit. From the first width on that no longer fits, they are dropped.
    for width in sorted(counts):
        remaining -= counts[width]
        if remaining < 0:
            # A node without children has nothing to drop, so nodes are marked from a width of 1.
            _mark_wide_nodes(shape, max(1, width))
            return


def _count_by_widest_ancestor(shape: JsonShape, widest: int, counts: Counter[int]) -> None:
    """Count nodes by the width of their widest ancestor below the root. They disappear if it becomes boundless."""
    counts[widest] += 1
    children = _children(shape)
    for child in children:
        _count_by_widest_ancestor(child, max(widest, len(children)), counts)


def _mark_wide_nodes(shape: JsonShape, width: int) -> None:
    for child in _children(shape):
        if len(_children(child)) >= width:
            child.mark_boundless()
        else:
            _mark_wide_nodes(child, width)


def _children(shape: JsonShape) -> list[JsonShape]:
    return [*shape.names.values(), *([] if shape.items is None else [shape.items])]
