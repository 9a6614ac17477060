"""Columns as the settings name them, in the words of the catalogue (Hive's) and of Athena's views (Presto's). Pure.

The settings have them as Spark writes them. Only what each run can follow is taken: the job would refuse all else, file by
file, long after it was deployed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator

Read = TypeVar("Read")

TOKEN = re.compile(r"""`[^`]*`|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[<>(),:]|[^\s<>(),:`'"]+""")
NAME = re.compile(r"""[A-Za-z_][A-Za-z0-9_]*|`[^`'",:;<>(){}\x00-\x1f]+`""")
"""A name, in quotes where it has more than letters and digits; never with what means something in Hive's types."""
HIVE = {
    "boolean": "boolean",
    "byte": "tinyint",
    "tinyint": "tinyint",
    "short": "smallint",
    "smallint": "smallint",
    "int": "int",
    "integer": "int",
    "long": "bigint",
    "bigint": "bigint",
    "double": "double",
    "string": "string",
    "date": "date",
    "timestamp": "timestamp",
}
"""The types that the job has for values of JSON, besides decimals and those that have parts."""
DECIMALS = frozenset({"decimal", "dec", "numeric"})
MOST_DIGITS = 38
PRESTO = {"string": "varchar", "int": "integer"}

SYSTEM_COLUMNS = (
    ("_source_key", "string"),
    ("_source_version", "string"),
    ("_source_line", "bigint"),
    ("_arrived_at", "timestamp"),
    ("_unknown", "string"),
)
"""What every row carries besides its data."""
PARTITION = "dt"
TAKEN = frozenset({PARTITION, *(name for name, _ in SYSTEM_COLUMNS)})


class InvalidDdl(ValueError):
    """Text that names no columns, or none that a run could have."""


@dataclass(frozen=True)
class CatalogType:
    """One type, in both words."""

    hive: str
    presto: str


@dataclass(frozen=True)
class CatalogColumn:
    """One column, or one field of a struct. Athena knows names in small letters alone."""

    name: str
    kind: CatalogType


def parse_columns(ddl: str) -> list[CatalogColumn]:
    """The columns of a DDL such as `a INT, b: ARRAY<STRING> NOT NULL COMMENT 'text'`."""
    tokens = _Tokens(ddl)
    found = tokens.columns()
    if tokens.next:
        raise InvalidDdl(f"{tokens.next} is not expected after a column")
    return found


def parse_data_columns(ddl: str) -> list[CatalogColumn]:
    """The columns that a setting names beside those that every row has; an empty one names none."""
    found = parse_columns(ddl) if ddl.strip() else []
    if taken := sorted(TAKEN & {one.name for one in found}):
        raise InvalidDdl(f"every row has columns of its own named {', '.join(taken)}")
    return found


def _checked(ddl: str) -> str:
    parse_data_columns(ddl)
    return ddl


Ddl = Annotated[str, AfterValidator(_checked)]
"""The data's columns, or nothing."""


class _Tokens:
    """What of a DDL is not read yet."""

    def __init__(self, ddl: str) -> None:
        if unread := TOKEN.sub("", ddl).strip():
            raise InvalidDdl(f"{unread[0]} has no end")
        self._left: list[str] = TOKEN.findall(ddl)[::-1]

    @property
    def next(self) -> str:
        return self._left[-1] if self._left else ""

    def columns(self) -> list[CatalogColumn]:
        found = [self._column()]
        while self.next == ",":
            self._any()
            found.append(self._column())
        if len({one.name for one in found}) < len(found):
            raise InvalidDdl("two columns have the same name but for case")
        return found

    def _column(self) -> CatalogColumn:
        name = self._any()
        if not NAME.fullmatch(name):
            raise InvalidDdl(f"{name} is no name of a column")
        if self.next == ":":
            self._any()
        column = CatalogColumn(name.strip("`").lower(), self._kind())
        # Neither the catalogue nor the view has what else may be said of it.
        if self.next.lower() == "not":
            self._any()
            self._the("null")
        if self.next.lower() == "comment":
            self._any()
            if self._any()[0] not in "'\"":
                raise InvalidDdl("a comment stands in quotes")
        return column

    def _kind(self) -> CatalogType:
        word = self._any().lower()
        match word:
            case "array":
                item = self._within(self._kind)
                return CatalogType(f"array<{item.hive}>", f"array({item.presto})")
            case "map":
                key, value = self._within(self._pair)
                return CatalogType(f"map<{key.hive},{value.hive}>", f"map({key.presto}, {value.presto})")
            case "struct":
                fields = self._within(self.columns)
                hive = ",".join(f"{one.name}:{one.kind.hive}" for one in fields)
                presto = ", ".join(f'"{one.name}" {one.kind.presto}' for one in fields)
                return CatalogType(f"struct<{hive}>", f"row({presto})")
        if word in DECIMALS:
            sized = f"decimal({self._size()})"
            return CatalogType(sized, sized)
        if word not in HIVE:
            known = ", ".join(sorted({*HIVE, *DECIMALS, "array", "map", "struct"}))
            raise InvalidDdl(f"{word} is no type that a value of JSON can have: {known}")
        name = HIVE[word]
        return CatalogType(name, PRESTO.get(name, name))

    def _within(self, read: Callable[[], Read]) -> Read:
        self._the("<")
        found = read()
        self._the(">")
        return found

    def _pair(self) -> tuple[CatalogType, CatalogType]:
        key = self._kind()
        if key.hive != "string":
            raise InvalidDdl("a map's keys are strings, as JSON's are")
        self._the(",")
        return key, self._kind()

    def _size(self) -> str:
        """A decimal's precision and scale; Spark's own where none are given."""
        digits, places = 10, 0
        if self.next == "(":
            self._any()
            digits = self._number()
            if self.next == ",":
                self._any()
                places = self._number()
            self._the(")")
        if not (0 <= places <= digits <= MOST_DIGITS and digits):
            raise InvalidDdl(f"a decimal has 1 to {MOST_DIGITS} digits, and no more of them after the point")
        return f"{digits},{places}"

    def _number(self) -> int:
        text = self._any()
        if not re.fullmatch(r"[0-9]{1,4}", text):
            raise InvalidDdl(f"{text} is no number of digits")
        return int(text)

    def _the(self, token: str) -> None:
        found = self._any()
        if found.lower() != token:
            raise InvalidDdl(f"{token} is missing before {found}")

    def _any(self) -> str:
        if not self._left:
            raise InvalidDdl("the text ends too early")
        return self._left.pop()
