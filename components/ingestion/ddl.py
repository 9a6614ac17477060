"""Columns as the settings name them, in the words of the catalogue (Hive's) and of Athena's views (Presto's). Pure.

The settings have them as Spark writes them. Whether a JSON value can be of such a type is for the job to say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Read = TypeVar("Read")

TOKEN = re.compile(r"""`[^`]*`|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[<>(),:]|[^\s<>(),:`'"]+""")
HIVE = {
    "long": "bigint",
    "integer": "int",
    "short": "smallint",
    "byte": "tinyint",
    "dec": "decimal",
    "numeric": "decimal",
}
PRESTO = {"string": "varchar", "int": "integer", "binary": "varbinary", "float": "real"}


class NotDdl(ValueError):
    """Text that names no columns."""


@dataclass(frozen=True)
class Kind:
    """One type, in both words."""

    hive: str
    presto: str


@dataclass(frozen=True)
class Column:
    """One column, or one field of a struct. Athena knows names in small letters alone."""

    name: str
    kind: Kind


def parsed(ddl: str) -> list[Column]:
    """The columns of a DDL such as `a INT, b: ARRAY<STRING> NOT NULL COMMENT 'text'`."""
    tokens = _Tokens(ddl)
    found = tokens.columns()
    if tokens.next:
        raise NotDdl(f"{tokens.next!r} is not expected in {ddl!r}")
    return found


class _Tokens:
    """What of a DDL is not read yet."""

    def __init__(self, ddl: str) -> None:
        self._ddl = ddl
        self._left: list[str] = TOKEN.findall(ddl)[::-1]

    @property
    def next(self) -> str:
        return self._left[-1] if self._left else ""

    def columns(self) -> list[Column]:
        found = [self._column()]
        while self.next == ",":
            self._any()
            found.append(self._column())
        return found

    def _column(self) -> Column:
        name = self._any().strip("`").lower()
        if self.next == ":":
            self._any()
        column = Column(name, self._kind())
        while self.next not in {"", ",", ">"}:
            self._any()  # what else is said of it: neither the catalogue nor the view has that
        return column

    def _kind(self) -> Kind:
        word = self._any().lower()
        match HIVE.get(word, word):
            case "array":
                item = self._within(self._kind)
                return Kind(f"array<{item.hive}>", f"array({item.presto})")
            case "map":
                key, value = self._within(self._pair)
                return Kind(f"map<{key.hive},{value.hive}>", f"map({key.presto}, {value.presto})")
            case "struct":
                fields = self._within(self.columns)
                hive = ",".join(f"{one.name}:{one.kind.hive}" for one in fields)
                presto = ", ".join(f'"{one.name}" {one.kind.presto}' for one in fields)
                return Kind(f"struct<{hive}>", f"row({presto})")
            case name:
                size = self._size()
                return Kind(name + size, PRESTO.get(name, name) + size)

    def _within(self, read: Callable[[], Read]) -> Read:
        self._the("<")
        found = read()
        self._the(">")
        return found

    def _pair(self) -> tuple[Kind, Kind]:
        key = self._kind()
        self._the(",")
        return key, self._kind()

    def _size(self) -> str:
        """Precision and scale, where a type has them."""
        size = ""
        if self.next == "(":
            while self.next != ")":
                size += self._any()
            size += self._any()
        return size

    def _the(self, token: str) -> None:
        if self._any() != token:
            raise NotDdl(f"{token!r} is missing in {self._ddl!r}")

    def _any(self) -> str:
        if not self._left:
            raise NotDdl(f"{self._ddl!r} ends too early")
        return self._left.pop()
