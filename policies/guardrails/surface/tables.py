"""Facts, and the reader of the tables of allowed facts in this folder.

A fact is a line of text about a resource (`facts.py`), for example a permission:
`ingestion lambda | s3:GetObject | arn:aws:s3:::{own}/*`. The tables list everything that the program may do. `make surface`
writes them, and a reviewer decides about each difference. The policies in `policies.py` deny a fact that no table contains.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent
FOLDER_FROM_ROOT: Final = "policies/guardrails/surface"
"""The same folder in messages."""
TAGGABLE: Final = "taggable"
FREE: Final = "free"
PRICED: Final = "priced"
"""Word behind a type for which `pricing/price_rules.py` has a rule."""
UNDECIDED: Final = "undecided"
"""Word behind a type without a price rule that is not known to be free. A reviewer replaces it by `free`, or adds a
rule."""


class Table(StrEnum):
    """Table of allowed facts. The value is the name of its file."""

    TYPES = "types"
    """Types of resources. Words about its cost and tags follow each type, and are no part of the fact."""
    PROPERTIES = "properties"
    """Paths of properties that are set."""
    VALUES = "values"
    """Texts and truth values of properties, and ARNs and addresses in other texts."""
    GRANTS = "grants"
    """Permissions."""


class Fact(NamedTuple):
    """One line of a table, and the path of the property that it comes from, which is empty for a type."""

    table: Table
    line: str
    path: str


@cache
def read_table(table: Table) -> frozenset[str]:
    """Return the facts of a table."""
    return frozenset(read_types()) if table is Table.TYPES else frozenset(_read_lines(table))


@cache
def read_types() -> Mapping[str, frozenset[str]]:
    """Return the words about each type: `taggable` or not, and `free`, `priced` or `undecided`."""
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


def read_keys(word: str) -> frozenset[str]:
    """Return the keys of properties, in small letters, that have a word behind them in `keys.txt`."""
    return frozenset(line.removesuffix(f" {word}") for line in _read_lines("keys") if line.endswith(f" {word}"))


@cache
def read_provider_defaults() -> frozenset[str]:
    """Return the values that the AWS provider inserts for absent properties before the engine sends a resource.

    A line has type, path and value. The value `*` means any.
    """
    return frozenset(_read_lines("provider_defaults"))


def _read_lines(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
