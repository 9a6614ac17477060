"""Conversion of JSON values to column types, and the report of a value that its column cannot hold completely."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.json_to_parquet_columns import JSON, ColumnType, ListOf, MapOf, Scalar, StructOf
from handlers.ingestion.glue.value_conversion import MisfitFlag, make_converter
from tests.handlers.ingestion.glue.test_json_line_parser import VALUES

DECIMAL = Scalar("decimal(10,2)")
POINT = StructOf((("x", Scalar("long")), ("y", Scalar("long"))))


def convert(column_type: ColumnType, value: Any) -> tuple[Any, bool]:
    """Return the stored value, and True if it is complete."""
    misfit = MisfitFlag()
    return make_converter(column_type)(value, misfit), not misfit.is_set


@pytest.mark.parametrize(
    ("column_type", "value", "stored_value"),
    [
        (Scalar("long"), 2**63 - 1, 2**63 - 1),
        (Scalar("long"), 3.0, 3),
        (Scalar("byte"), -128, -128),
        (Scalar("double"), 1, 1.0),
        (Scalar("boolean"), True, True),
        (DECIMAL, 1.25, Decimal("1.25")),
        (DECIMAL, "12345678.90", Decimal("12345678.90")),
        (Scalar("decimal(38,0)"), 10**37, Decimal(10**37)),
        (Scalar("string"), {"a": 1}, '{"a":1}'),
        (Scalar("string"), True, "true"),
        (JSON, "text", '"text"'),
        (Scalar("date"), "2026-01-02", date(2026, 1, 2)),
        (Scalar("timestamp"), "2026-01-02T03:04:05.678+01:00", datetime(2026, 1, 2, 2, 4, 5, 678000, UTC)),
        (Scalar("timestamp"), "2026-01-02T03:04:05.678901000Z", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)),
        (ListOf(Scalar("long")), [1, None], [1, None]),
        (MapOf(Scalar("long")), {"a": 1}, [("a", 1)]),
        (POINT, {"x": 1}, {"x": 1, "y": None}),
    ],
)
def test_a_value_that_fits_is_stored(column_type: ColumnType, value: Any, stored_value: Any) -> None:
    assert convert(column_type, value) == (stored_value, True)


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        *((Scalar("long"), value) for value in ("1", 1.5, 2**63, True)),
        (Scalar("integer"), 2**31),
        *((Scalar("double"), value) for value in (2**53 + 1, "1")),
        (Scalar("boolean"), 1),
        *((DECIMAL, value) for value in (1.255, 10**8, True, "x", "NaN", "sNaN")),
        *((DECIMAL, value) for value in ("1." + "0" * 6000 + "1", "1e1000000", "1e-1000000")),
        *((Scalar("date"), value) for value in ("20260102", "2026-02-30")),
        (Scalar("timestamp"), "2026-01-02T03:04:05"),
        (Scalar("timestamp"), "2026-01-02T03:04:05.123456789Z"),
        (Scalar("timestamp"), "0001-01-01T00:00:00+05:00"),
        (Scalar("timestamp"), 1767322800),
        (ListOf(Scalar("long")), 1),
        (MapOf(Scalar("long")), [1]),
        (POINT, [1]),
    ],
)
def test_a_value_that_does_not_fit_is_reported_and_stored_as_null(column_type: ColumnType, value: Any) -> None:
    assert convert(column_type, value) == (None, False)


@pytest.mark.parametrize(
    ("value", "stored_value"),
    [
        (7, "7.00"),
        (1.5, "1.50"),
        (-0.0, "-0.00"),
        ("12e5", "1200000.00"),
        ("0E+10", "0.00"),
        ("0e50", "0.00"),
        ("0e-999999", "0.00"),
        ("1." + "0" * 41, "1.00"),
        ("12345678.90" + "0" * 39, "12345678.90"),
        ("12345678.90" + "0" * 6000, "12345678.90"),
    ],
)
def test_a_decimal_is_stored_with_the_scale_of_its_column(value: Any, stored_value: str) -> None:
    decimal, is_complete = convert(DECIMAL, value)
    assert (str(decimal), is_complete) == (stored_value, True), (
        "Arrow would change a number that it has to rescale itself"
    )


@pytest.mark.parametrize(
    ("column_type", "value", "stored_value"),
    [
        (POINT, {"x": 1, "z": 2}, {"x": 1, "y": None}),
        (POINT, {"x": "a", "y": 2}, {"x": None, "y": 2}),
        (ListOf(Scalar("long")), [1, "a"], [1, None]),
        (MapOf(Scalar("long")), {"a": "b", "c": 1}, [("a", None), ("c", 1)]),
    ],
)
def test_a_value_that_fits_in_part_is_stored_in_part_and_reported(
    column_type: ColumnType, value: Any, stored_value: Any
) -> None:
    assert convert(column_type, value) == (stored_value, False)


@given(VALUES)
def test_a_json_column_holds_every_value(value: Any) -> None:
    stored_value, is_complete = convert(JSON, value)
    assert is_complete
    assert (json.loads(stored_value) if stored_value is not None else None) == value


@given(st.sampled_from(["long", "double", "boolean", "date", "timestamp", "decimal(9,3)", "byte"]), VALUES)
def test_null_fits_every_column_and_no_value_raises_an_error(name: str, value: Any) -> None:
    assert convert(Scalar(name), None) == (None, True)
    stored_value, is_complete = convert(Scalar(name), value)
    assert is_complete == (stored_value is not None or value is None)
