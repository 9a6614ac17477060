"""Columns of the lake: those that the Spark job adds to each row, and the values that declared columns cannot hold.

The catalogue of Athena has the added and the declared columns. Types of declared columns are in the form of Spark's
schemas in JSON, for example `byte` for Hive's `tinyint`, or a dict for an array. This module uses no Spark.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from typing import Any

ADDED_COLUMNS = {
    "_source_key": "string",
    "_source_version": "string",
    "_source_line": "bigint",
    "_arrived_at": "timestamp",
    "_record": "string",
}
"""Types in Hive of the columns with the origin of a row, and of the column with the line from which it was read."""
RESERVED_NAMES = frozenset({*ADDED_COLUMNS, "dt"})
"""Names that data columns cannot have. `dt` is the partition column."""
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIMESTAMP = re.compile(
    DATE.pattern + r"[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])"
)
"""ISO-8601 with an offset from UTC. Without an offset, the moment would be unclear."""
DECIMAL = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{1,3})?")
SLOW_DECIMAL = re.compile(r"[\d.,+-]{1000}|[\d.,+-]+[eE][\d,+-]{6}")
"""Beginning of a number with very many digits. Spark would compute for hours with 1e-999999999. It ignores commas."""
EXACT_IN_DOUBLE = 2**53
"""All integers up to this number are exact as a double."""


class SlowDecimal(ValueError):
    """A value of a decimal column has so many digits that it would stop the run."""


def check_values(record: Mapping[str, Any], columns: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Compare a record with the declared columns (types by name). Spark then finds further values that do not fit.

    Return the names of the columns that Spark would fill with another value than the record has, and True if the columns
    hold everything in the record. Numbers with a decimal point must be `Decimal`. Raise SlowDecimal.
    """
    # By column: a set with True, False or both, which is empty if nothing of the value is lost.
    losses = {name: set(_find_losses(record.get(name), kind)) for name, kind in columns.items()}
    is_complete = record.keys() <= columns.keys() and not any(losses.values())
    return [name for name, found in losses.items() if True in found], is_complete


def _find_losses(value: Any, kind: Any) -> Iterator[bool]:
    """Yield True for each part of a value that Spark would change, and False for each part that it would leave out.

    `kind` is the type of the column.
    """
    match kind:
        case {"elementType": element} if isinstance(value, list):
            for item in value:
                yield from _find_losses(item, element)
        case {"valueType": element} if isinstance(value, dict):
            for item in value.values():
                yield from _find_losses(item, element)
        case {"fields": fields} if isinstance(value, dict):
            kinds = {field["name"]: field["type"] for field in fields}
            for name, item in value.items():
                yield from _find_losses(item, kinds[name]) if name in kinds else [False]
        case str() if value is not None:
            if kind.startswith("decimal") and SLOW_DECIMAL.match(str(value)):
                raise SlowDecimal
            if not _is_read_unchanged(value, kind):
                yield True
            elif kind == "double" and abs(value) >= EXACT_IN_DOUBLE:
                yield False  # the last digits


def _is_read_unchanged(value: Any, kind: str) -> bool:
    """Return False if Spark would read a value of a simple type as another value.

    For example, it would read the integer 200 as the `tinyint` -56, an integer as a timestamp, and "12,50" as the decimal
    1250. Spark itself reads most values that do not fit as null, so these need no check.
    """
    try:
        match kind.partition("("):
            case "byte", *_:
                return not isinstance(value, int) or -128 <= value <= 127
            case "double", *_:
                return bool(abs(value) <= sys.float_info.max)
            case "date", *_:
                return bool(DATE.fullmatch(value) and date.fromisoformat(value))
            case "timestamp", *_:
                return bool(TIMESTAMP.fullmatch(value) and datetime.fromisoformat(value))
            case "decimal", _, digits:
                precision, scale = map(int, digits.rstrip(")").split(","))
                context = Context(prec=precision, traps=[Inexact, InvalidOperation])
                Decimal(value).quantize(Decimal(1).scaleb(-scale), context=context)
                return DECIMAL.fullmatch(str(value)) is not None
    except (TypeError, ValueError, DecimalException):
        return False
    return True
