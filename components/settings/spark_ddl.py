"""Column types of the lake: parser for Spark DDL that gives the types of the catalogue (Hive) and of Athena views (Presto).

The setting `schemaDdl` uses Spark's syntax. Types that a run cannot use are refused here, because otherwise each run
would fail, long after the deployment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator

Read = TypeVar("Read")

TOKEN = re.compile(r"""`[^`]*`|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[<>(),:]|[^\s<>(),:`'"]+""")
NAME = re.compile(r"""[A-Za-z_][A-Za-z0-9_]*|`[^`'",:;<>(){}\x00-\x1f]+`""")
"""Name of a column, in backquotes if it has other characters than letters, digits and `_`. Characters with a meaning in
Hive's types are not allowed."""
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
"""Spark's names of the types that the job supports, with Hive's names. Decimals and nested types are handled separately."""
DECIMALS = frozenset({"decimal", "dec", "numeric"})
MAX_DIGITS = 38
PRESTO = {"string": "varchar", "int": "integer"}

SYSTEM_COLUMNS = (
    ("_source_key", "string"),
    ("_source_version", "string"),
    ("_source_line", "bigint"),
    ("_arrived_at", "timestamp"),
    ("_unknown", "string"),
)
"""Columns that the job adds to every row."""
PARTITION = "dt"
RESERVED_COLUMNS = frozenset({PARTITION, *(name for name, _ in SYSTEM_COLUMNS)})


class InvalidDdl(ValueError):
    """The text is not valid DDL, or a run cannot have its columns."""


@dataclass(frozen=True)
class CatalogType:
    """Column type, with its name in Hive and in Presto."""

    hive: str
    presto: str


@dataclass(frozen=True)
class CatalogColumn:
    """Column, or field of a struct. Its name is in lower case, because Athena ignores case."""

    name: str
    type: CatalogType


def parse_columns(ddl: str) -> list[CatalogColumn]:
    """Return the columns of a DDL such as `a INT, b: ARRAY<STRING> NOT NULL COMMENT 'text'`."""
    tokens = _Tokens(ddl)
    columns = tokens.columns()
    if tokens.next:
        raise InvalidDdl(f"{tokens.next} is not expected after a column: separate columns by commas")
    return columns


def parse_data_columns(ddl: str) -> list[CatalogColumn]:
    """Return the columns of a setting. Refuse names of the columns that the job adds. An empty setting has no columns."""
    columns = parse_columns(ddl) if ddl.strip() else []
    if reserved := sorted(RESERVED_COLUMNS & {column.name for column in columns}):
        raise InvalidDdl(f"the job adds these columns itself, so remove them: {', '.join(reserved)}")
    return columns


def _check_ddl(ddl: str) -> str:
    parse_data_columns(ddl)
    return ddl


Ddl = Annotated[str, AfterValidator(_check_ddl)]
"""Columns of the data as Spark DDL, or an empty text."""


class _Tokens:
    """Tokens of a DDL that are not parsed yet."""

    def __init__(self, ddl: str) -> None:
        if unread := TOKEN.sub("", ddl).strip():
            raise InvalidDdl(f"the quote {unread[0]} is not closed")
        self._left: list[str] = TOKEN.findall(ddl)[::-1]

    @property
    def next(self) -> str:
        return self._left[-1] if self._left else ""

    def columns(self) -> list[CatalogColumn]:
        columns = [self._column()]
        while self.next == ",":
            self._pop()
            columns.append(self._column())
        if len({column.name for column in columns}) < len(columns):
            raise InvalidDdl("two columns have names that differ only in case: rename one of them")
        return columns

    def _column(self) -> CatalogColumn:
        name = self._pop()
        if not NAME.fullmatch(name):
            raise InvalidDdl(f"{name} is not a valid column name: use letters, digits and _, or backquotes")
        if self.next == ":":
            self._pop()
        column = CatalogColumn(name.strip("`").lower(), self._type())
        # The catalogue and the view have neither `NOT NULL` nor comments, so both are skipped.
        if self.next.lower() == "not":
            self._pop()
            self._expect("null")
        if self.next.lower() == "comment":
            self._pop()
            if self._pop()[0] not in "'\"":
                raise InvalidDdl("the text of a COMMENT must be in quotes")
        return column

    def _type(self) -> CatalogType:
        word = self._pop().lower()
        match word:
            case "array":
                item = self._within(self._type)
                return CatalogType(f"array<{item.hive}>", f"array({item.presto})")
            case "map":
                key, value = self._within(self._pair)
                return CatalogType(f"map<{key.hive},{value.hive}>", f"map({key.presto}, {value.presto})")
            case "struct":
                fields = self._within(self.columns)
                hive = ",".join(f"{field.name}:{field.type.hive}" for field in fields)
                presto = ", ".join(f'"{field.name}" {field.type.presto}' for field in fields)
                return CatalogType(f"struct<{hive}>", f"row({presto})")
        if word in DECIMALS:
            sized = f"decimal({self._size()})"
            return CatalogType(sized, sized)
        if word not in HIVE:
            known = ", ".join(sorted({*HIVE, *DECIMALS, "array", "map", "struct"}))
            raise InvalidDdl(f"{word} is not a supported type: use one of {known}")
        name = HIVE[word]
        return CatalogType(name, PRESTO.get(name, name))

    def _within(self, read: Callable[[], Read]) -> Read:
        self._expect("<")
        content = read()
        self._expect(">")
        return content

    def _pair(self) -> tuple[CatalogType, CatalogType]:
        key = self._type()
        if key.hive != "string":
            raise InvalidDdl("the keys of a map must be strings, as in JSON")
        self._expect(",")
        return key, self._type()

    def _size(self) -> str:
        """Return precision and scale of a decimal. Without them, Spark's defaults apply."""
        digits, scale = 10, 0
        if self.next == "(":
            self._pop()
            digits = self._number()
            if self.next == ",":
                self._pop()
                scale = self._number()
            self._expect(")")
        if not (0 <= scale <= digits <= MAX_DIGITS and digits):
            raise InvalidDdl(f"a decimal must have 1 to {MAX_DIGITS} digits, and its scale must not exceed them")
        return f"{digits},{scale}"

    def _number(self) -> int:
        text = self._pop()
        if not re.fullmatch(r"[0-9]{1,4}", text):
            raise InvalidDdl(f"{text} is not a number of digits")
        return int(text)

    def _expect(self, token: str) -> None:
        actual = self._pop()
        if actual.lower() != token:
            raise InvalidDdl(f"{token} is missing before {actual}")

    def _pop(self) -> str:
        if not self._left:
            raise InvalidDdl("the text ends before the type is complete")
        return self._left.pop()
