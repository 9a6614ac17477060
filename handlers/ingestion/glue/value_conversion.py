"""A value into its column: changed only where the column's type asks for it, never silently lost. Pure.

A converter gives what the column stores. What does not fit, in whole or in part, it reports, so that the caller keeps
the original beside it.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Underflow
from functools import partial
from typing import Any

from handlers.ingestion.glue.json_shapes import EXACT_IN_DOUBLE
from handlers.ingestion.glue.parquet_columns import DECIMALS, JSON, ListOf, MapOf, Simple, StructOf, Type

Misfits = list[None]
"""Grows with each value that did not fit: whether it is empty is all that matters."""
Converter = Callable[[Any, Misfits], Any]

EXACTLY = Context(prec=5000, traps=[Inexact, InvalidOperation, Overflow, Underflow])
"""Many times a column's digits. A number that would lose one is refused, never rounded."""

INTEGERS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
NANOSECONDS = re.compile(r"[.,]\d{6}\d*[1-9]")
"""Digits that a timestamp of microseconds would drop."""


class Misfit(Exception):
    """A value that a column of this type cannot hold."""


def as_json(value: Any) -> str:
    """A value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def converter(kind: Type) -> Converter:
    """What turns a JSON value into one of this type; null stays null."""
    match kind:
        case Simple(name):
            return partial(_simple, _of_name(name))
        case ListOf(item):
            return partial(_list, converter(item))
        case MapOf(value):
            return partial(_map, converter(value))
        case StructOf(fields):
            return partial(_struct, {name: converter(one) for name, one in fields})


def _simple(convert: Callable[[Any], Any], value: Any, misfits: Misfits) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except Misfit:
        misfits.append(None)
        return None


def _list(convert: Converter, value: Any, misfits: Misfits) -> Any:
    if not isinstance(value, list):
        return _other(value, misfits)
    return [convert(one, misfits) for one in value]


def _map(convert: Converter, value: Any, misfits: Misfits) -> Any:
    if not isinstance(value, dict):
        return _other(value, misfits)
    return [(name, convert(one, misfits)) for name, one in value.items()]


def _struct(converters: dict[str, Converter], value: Any, misfits: Misfits) -> Any:
    if not isinstance(value, dict):
        return _other(value, misfits)
    if not value.keys() <= converters.keys():
        misfits.append(None)
    return {name: convert(value.get(name), misfits) for name, convert in converters.items()}


def _other(value: Any, misfits: Misfits) -> None:
    if value is not None:
        misfits.append(None)


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise Misfit


def _whole(bits: int, value: Any) -> int:
    """An integer, or a number written with a fraction of nothing: 3.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_DOUBLE:
        value = int(value)
    if type(value) is int and -(1 << bits - 1) <= value < 1 << bits - 1:
        return value
    raise Misfit


def _double(value: Any) -> float:
    if isinstance(value, float):
        return value
    if type(value) is int and abs(value) <= EXACT_IN_DOUBLE:
        return float(value)
    raise Misfit


def _decimal(precision: int, scale: int, value: Any) -> Decimal:
    """A number, or one that was written as text to keep its digits."""
    if type(value) is bool or not isinstance(value, int | float | str):
        raise Misfit
    try:
        exact = Decimal(value if isinstance(value, str) else repr(value)).normalize(EXACTLY)
        _, digits, exponent = exact.as_tuple()
        if not isinstance(exponent, int) or (exact and len(digits) + exponent > precision - scale):
            raise Misfit
        # With the column's own digits after the point: Arrow brings a number there by itself, and where that is many
        # digits away it makes another number of it, or fails.
        return exact.quantize(Decimal((0, (1,), -scale)), context=EXACTLY)
    except DecimalException:
        raise Misfit from None


def _string(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)


def _date(value: Any) -> date:
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise Misfit from None
    raise Misfit


def _timestamp(value: Any) -> datetime:
    """ISO-8601 text with an offset. Without one nobody can say which moment was meant."""
    if not isinstance(value, str) or NANOSECONDS.search(value):
        raise Misfit
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise Misfit
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misfit from None


def _of_name(name: str) -> Callable[[Any], Any]:
    if found := DECIMALS.fullmatch(name):
        return partial(_decimal, int(found[1]), int(found[2]))
    return _SIMPLE[name]


_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "double": _double,
    "string": _string,
    "date": _date,
    "timestamp": _timestamp,
    JSON.name: as_json,
    **{name: partial(_whole, bits) for name, bits in INTEGERS.items()},
}
