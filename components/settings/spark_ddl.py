"""Parser of the setting `schemaDdl`, which lists the columns of the lake as Spark DDL.

It converts each type to the names that the Glue catalogue (Hive) and Athena views (Presto) use. It refuses types that
the Spark job cannot use. Otherwise each run of the job would fail, long after the deployment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator

Parsed = TypeVar("Parsed")

TOKEN = re.compile(r"""`[^`]*`|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[<>(),:]|[^\s<>(),:`'"]+""")
"""Token of a DDL: a name in backquotes, a text in single or double quotes, one sign of punctuation, or a word."""
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
"""Spark's names of the types that the job supports, with Hive's names. Decimals and nested types are handled
separately."""
DECIMALS = frozenset({"decimal", "dec", "numeric"})
"""Spark's names of the decimal type."""
MAX_DIGITS = 38
"""Maximum precision of a decimal."""
PRESTO = {"string": "varchar", "int": "integer"}
"""Presto's names of the types that Hive and Presto name differently, by Hive's name."""

SYSTEM_COLUMNS = (
    ("_source_key", "string"),
    ("_source_version", "string"),
    ("_source_line", "bigint"),
    ("_arrived_at", "timestamp"),
    ("_unknown", "string"),
)
"""Columns that the Spark job adds to every row, with their types in DDL."""
PARTITION = "dt"
"""Partition column of the lake: the date."""
RESERVED_COLUMNS = frozenset({PARTITION, *(name for name, _ in SYSTEM_COLUMNS)})
"""Names that a column of the data must not have."""


class InvalidDdl(ValueError):
    """The text is not valid DDL, or the Spark job cannot write its columns."""


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
    parser = _Parser(ddl)
    columns = parser.parse_columns()
    if parser.current:
        raise InvalidDdl(f"{parser.current} is not expected after a column: separate columns by commas")
    return columns


def parse_data_columns(ddl: str) -> list[CatalogColumn]:
    """Return the columns of the setting `schemaDdl`; none if it is empty. Raise InvalidDdl if a column has the name of
    a column that the job adds.
    """
    columns = parse_columns(ddl) if ddl.strip() else []
    if reserved := sorted(RESERVED_COLUMNS & {column.name for column in columns}):
        raise InvalidDdl(f"the job adds these columns itself, so remove them: {', '.join(reserved)}")
    return columns


def _check_ddl(ddl: str) -> str:
    parse_data_columns(ddl)
    return ddl


Ddl = Annotated[str, AfterValidator(_check_ddl)]
"""Columns of the data as Spark DDL, or an empty text."""


class _Parser:
    """Recursive descent parser of one DDL. Each method takes the tokens that it parses."""

    def __init__(self, ddl: str) -> None:
        # Apart from spaces, only a quote without its counterpart belongs to no token.
        if unmatched := TOKEN.sub("", ddl).strip():
            raise InvalidDdl(f"the quote {unmatched[0]} is not closed")
        self._reversed_tokens: list[str] = TOKEN.findall(ddl)[::-1]

    @property
    def current(self) -> str:
        """The first token that is not parsed yet, or an empty text at the end."""
        return self._reversed_tokens[-1] if self._reversed_tokens else ""

    def parse_columns(self) -> list[CatalogColumn]:
        """Take columns, or fields of a struct, that are separated by commas."""
        columns = [self._parse_column()]
        while self.current == ",":
            self._take()
            columns.append(self._parse_column())
        if len({column.name for column in columns}) < len(columns):
            raise InvalidDdl("two columns have the same name, or names that differ only in case: rename one of them")
        return columns

    def _parse_column(self) -> CatalogColumn:
        name = self._take()
        if not NAME.fullmatch(name):
            raise InvalidDdl(f"{name} is not a valid column name: use letters, digits and _, or backquotes")
        if self.current == ":":
            self._take()
        column = CatalogColumn(name.strip("`").lower(), self._parse_type())
        # The catalogue and the view have neither `NOT NULL` nor comments, so both are skipped.
        if self.current.lower() == "not":
            self._take()
            self._expect("null")
        if self.current.lower() == "comment":
            self._take()
            if self._take()[0] not in "'\"":
                raise InvalidDdl("the text of a COMMENT must be in quotes")
        return column

    def _parse_type(self) -> CatalogType:
        word = self._take().lower()
        match word:
            case "array":
                item = self._parse_in_brackets(self._parse_type)
                return CatalogType(f"array<{item.hive}>", f"array({item.presto})")
            case "map":
                key, value = self._parse_in_brackets(self._parse_key_and_value)
                return CatalogType(f"map<{key.hive},{value.hive}>", f"map({key.presto}, {value.presto})")
            case "struct":
                fields = self._parse_in_brackets(self.parse_columns)
                hive = ",".join(f"{field.name}:{field.type.hive}" for field in fields)
                presto = ", ".join(f'"{field.name}" {field.type.presto}' for field in fields)
                return CatalogType(f"struct<{hive}>", f"row({presto})")
        if word in DECIMALS:
            decimal = f"decimal({self._parse_precision_and_scale()})"
            return CatalogType(decimal, decimal)
        if word not in HIVE:
            supported = ", ".join(sorted({*HIVE, *DECIMALS, "array", "map", "struct"}))
            raise InvalidDdl(f"{word} is not a supported type: use one of {supported}")
        name = HIVE[word]
        return CatalogType(name, PRESTO.get(name, name))

    def _parse_in_brackets(self, parse_content: Callable[[], Parsed]) -> Parsed:
        self._expect("<")
        content = parse_content()
        self._expect(">")
        return content

    def _parse_key_and_value(self) -> tuple[CatalogType, CatalogType]:
        key = self._parse_type()
        if key.hive != "string":
            raise InvalidDdl("the keys of a map must be strings, as in JSON")
        self._expect(",")
        return key, self._parse_type()

    def _parse_precision_and_scale(self) -> str:
        """Return precision and scale of a decimal. Without them, Spark's defaults apply."""
        digits, scale = 10, 0
        if self.current == "(":
            self._take()
            digits = self._parse_number()
            if self.current == ",":
                self._take()
                scale = self._parse_number()
            self._expect(")")
        if not (0 <= scale <= digits <= MAX_DIGITS and digits):
            raise InvalidDdl(f"a decimal must have 1 to {MAX_DIGITS} digits, and its scale must not exceed them")
        return f"{digits},{scale}"

    def _parse_number(self) -> int:
        text = self._take()
        if not re.fullmatch(r"[0-9]{1,4}", text):
            raise InvalidDdl(f"{text} is not a number of digits")
        return int(text)

    def _expect(self, token: str) -> None:
        actual = self._take()
        if actual.lower() != token:
            raise InvalidDdl(f"{token} is missing before {actual}")

    def _take(self) -> str:
        """Return the current token and go on to the next one."""
        if not self._reversed_tokens:
            raise InvalidDdl("the text ends too early: complete the last column, or remove a comma at the end")
        return self._reversed_tokens.pop()
