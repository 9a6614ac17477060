"""How many places a run's records may have, each name at each level counted: beyond that the widest are data, not names. Pure.

No object need have too many names for that: a few lines whose names multiply with each level make a million columns. It
is judged once, when all that a run has seen is merged, since half of it would be judged otherwise; and by the merged
shape alone, so that it comes out the same in whatever order files, lines and tasks came. What is given up becomes JSON.
"""

from collections import Counter

from handlers.ingestion.glue.shapes import Shape

MAX_PLACES = 5000
"""Of a run. Whoever writes Parquet holds a buffer for each column, and who reads a table knows some hundreds at most."""


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
            one.give_up()
        else:
            _give_up(one, width)


def _parts(shape: Shape) -> list[Shape]:
    return [*shape.names.values(), *([] if shape.items is None else [shape.items])]
