"""Conversion of JSON values to the values of a Parquet column. No value is lost without notice.

A converter returns the value that the column stores. A value, or a part of it, that does not fit becomes null. A field
of an object that the column's struct lacks is left out. In both cases, the converter sets a flag, so that the caller
stores the original value in the column `_unknown`.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Underflow
from functools import partial
from typing import Any

from handlers.ingestion.glue.json_schema_inference import EXACT_IN_DOUBLE
from handlers.ingestion.glue.json_to_parquet_columns import DECIMALS, JSON, ColumnType, ListOf, MapOf, Scalar, StructOf

EXACT_CONTEXT = Context(prec=5000, traps=[Inexact, InvalidOperation, Overflow, Underflow])
"""Context for decimals that raises an error if a number would be rounded."""

INTEGER_BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
NANOSECONDS = re.compile(r"[.,]\d{6}\d*[1-9]")
"""Fraction of a second that a timestamp cannot store exactly, because it has only microseconds."""


class MisfitFlag:
    """Flag that converters set if any part of a value does not fit its column. The caller resets it."""

    def __init__(self) -> None:
        self.is_set = False


Converter = Callable[[Any, MisfitFlag], Any]
"""Function that returns the stored value of a JSON value, and sets the flag if the value does not fit."""


class ValueMisfit(Exception):
    """The type cannot hold the value. Converters catch this, set the flag and store null."""


def to_json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def make_converter(column_type: ColumnType) -> Converter:
    """Return the function that converts JSON values to a column type. Null stays null."""
    match column_type:
        case Scalar(name):
            decimal = DECIMALS.fullmatch(name)
            conversion = partial(_to_decimal, int(decimal[1]), int(decimal[2])) if decimal else _CONVERSIONS[name]
            return partial(_convert_scalar, conversion)
        case ListOf(item):
            return partial(_convert_container, list, partial(_convert_items, make_converter(item)))
        case MapOf(value):
            return partial(_convert_container, dict, partial(_convert_map, make_converter(value)))
        case StructOf(fields):
            converters = {name: make_converter(field) for name, field in fields}
            return partial(_convert_container, dict, partial(_convert_struct, converters))


def _convert_scalar(convert: Callable[[Any], Any], value: Any, misfit: MisfitFlag) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except ValueMisfit:
        misfit.is_set = True
        return None


def _convert_container(json_type: type, convert: Converter, value: Any, misfit: MisfitFlag) -> Any:
    """Convert a list or dictionary with `convert`, if it has this type."""
    if isinstance(value, json_type):
        return convert(value, misfit)
    if value is not None:
        misfit.is_set = True
    return None


def _convert_items(convert: Converter, value: list[Any], misfit: MisfitFlag) -> list[Any]:
    return [convert(item, misfit) for item in value]


def _convert_map(convert: Converter, value: dict[str, Any], misfit: MisfitFlag) -> list[tuple[str, Any]]:
    return [(name, convert(inner, misfit)) for name, inner in value.items()]


def _convert_struct(converters: dict[str, Converter], value: dict[str, Any], misfit: MisfitFlag) -> dict[str, Any]:
    if not value.keys() <= converters.keys():
        misfit.is_set = True
    return {name: convert(value.get(name), misfit) for name, convert in converters.items()}


def _to_boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise ValueMisfit


def _to_integer(bits: int, value: Any) -> int:
    """Convert an integer, or a number with a zero fraction such as 3.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_DOUBLE:
        value = int(value)
    if type(value) is int and -(1 << bits - 1) <= value < 1 << bits - 1:
        return value
    raise ValueMisfit


def _to_double(value: Any) -> float:
    if isinstance(value, float):
        return value
    if type(value) is int and abs(value) <= EXACT_IN_DOUBLE:
        return float(value)
    raise ValueMisfit


def _to_decimal(precision: int, scale: int, value: Any) -> Decimal:
    """Convert a number, or text with a number, which producers use to keep all digits."""
    if type(value) is bool or not isinstance(value, int | float | str):
        raise ValueMisfit
    try:
        exact = Decimal(value if isinstance(value, str) else repr(value)).normalize(EXACT_CONTEXT)
        _, digits, exponent = exact.as_tuple()
        if not isinstance(exponent, int) or (exact and len(digits) + exponent > precision - scale):
            raise ValueMisfit
        # Rescaled here, because Arrow's own rescaling changes the number or fails if the scales differ much.
        return exact.quantize(Decimal((0, (1,), -scale)), context=EXACT_CONTEXT)
    except DecimalException:
        raise ValueMisfit from None


def _to_string(value: Any) -> str:
    return value if isinstance(value, str) else to_json_text(value)


def _to_date(value: Any) -> date:
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueMisfit from None
    raise ValueMisfit


def _to_timestamp(value: Any) -> datetime:
    """Convert ISO-8601 text with an offset from UTC. Without an offset, the moment would be unclear."""
    if not isinstance(value, str) or NANOSECONDS.search(value):
        raise ValueMisfit
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueMisfit
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueMisfit from None


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "boolean": _to_boolean,
    "double": _to_double,
    "string": _to_string,
    "date": _to_date,
    "timestamp": _to_timestamp,
    JSON.name: to_json_text,
    **{name: partial(_to_integer, bits) for name, bits in INTEGER_BITS.items()},
}
