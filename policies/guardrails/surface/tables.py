"""Reader of the tables of this folder, which list everything that the program may do.

A line is one fact, for example a permission: `ingestion lambda | s3:GetObject | arn:aws:s3:::{own}/*`. There is a table
each of resource types, properties, values and permissions. `make surface` writes them, and a reviewer decides
about each difference. The policy pack only compares.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from guardrails.surface.facts import Fact, Table

FOLDER: Final = Path(__file__).parent
FOLDER_FROM_ROOT: Final = "policies/guardrails/surface"
"""The same folder in messages."""
TAGGABLE: Final = "taggable"
FREE: Final = "free"
PRICED: Final = "priced"
UNDECIDED: Final = "undecided"
"""Word behind a type in its table, which says that the type has no price rule and is not known to be free. A reviewer
replaces it by `free`, or adds a rule."""


@cache
def read_table(table: Table) -> frozenset[str]:
    """Return the lines of a table. In the table of types, other words follow each type; they are left out."""
    return frozenset(read_types()) if table is Table.TYPES else frozenset(_read_lines(table))


@cache
def read_types() -> Mapping[str, frozenset[str]]:
    """Return the words about each type: whether it is taggable, and free or priced."""
    return {words[0]: frozenset(words[1:]) for words in (line.split() for line in _read_lines(Table.TYPES))}


def list_free_types() -> frozenset[str]:
    """Return the types that cost nothing."""
    return frozenset(kind for kind, words in read_types().items() if FREE in words)


def is_taggable(kind: str) -> bool:
    """Return True if resources of a type can have tags."""
    return TAGGABLE in read_types().get(kind, ())


def find_new(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts that no table contains."""
    return [fact for fact in facts if fact.line not in read_table(fact.table)]


def _read_lines(table: Table) -> list[str]:
    return (FOLDER / f"{table}.txt").read_text(encoding="utf-8").splitlines()
