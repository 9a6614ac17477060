"""Columns of the data: those that Spark inferred if the settings declare none, and the values that they cannot hold.

The tests of the job on Spark show that the other values are read as they are.
"""

from typing import Any

import pytest

from handlers.ingestion.glue.lake_columns import check_values, choose_columns
from handlers.ingestion.glue.lines import parse_record


def inferred(kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of a schema in the form of Spark, by name and type."""
    return [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in kinds.items()]


def test_each_name_becomes_one_column_unless_the_job_uses_it_and_objects_become_texts() -> None:
    nested = {"object": {"type": "struct", "fields": []}, "array": {"type": "array", "elementType": "long"}}
    fields = inferred(
        {"ID": "string", "id": "long", "Big": "decimal(20,0)", "dt": "long", "_Record": "long", "": "long", **nested}
    )
    expected = inferred({"array": "string", "id": "long", "object": "string", "Big": "decimal(20,0)"})
    assert choose_columns(fields) == expected


def test_records_with_very_many_names_have_a_thousand_columns() -> None:
    names = [f"k{number:04}" for number in range(1010)]
    assert [column["name"] for column in choose_columns(inferred(dict.fromkeys(names, "long")))] == names[:1000]


STRUCT = {"type": "struct", "fields": inferred({"n": "byte", "s": "string"})}


@pytest.mark.parametrize(
    ("kind", "misread", "complete"),
    [
        ("byte", ["-129", "128"], ["-128", "127", "null"]),
        ("double", ["1e400", "-1e400", '"NaN"'], ["-1.5", "0"]),
        ("date", ['"2026"', '"2026-02-29"', '"2026-01-02T00:00:00Z"', "20260102"], ['"2024-02-29"']),
        (
            "timestamp",
            [
                '"2026-01-02T03:04:05"',
                '"2026-01-02T03:04Z"',
                '"2026-01-32T03:04:05Z"',
                '"2026-01-02T03:04:05+18:00"',
                "1",
            ],
            ['"2026-01-02T03:04:05Z"', '"2026-01-02 03:04:05.123456-17:59"'],
        ),
        ("decimal(4,2)", ["1.001", "100", '"1,2"', '" 1"', "true", "1e-99999999"], ["99.99", '"-99.990"', "1e1"]),
        ({"type": "array", "elementType": "byte"}, ["[1,128]"], ["[1]"]),
        ({"type": "map", "valueType": "byte"}, ['{"x":128}'], ['{"x":1}']),
        (STRUCT, ['{"n":128}'], ['{"n":1}']),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_spark_would_read_as_another_value_is_found(
    kind: Any, misread: list[str], complete: list[str]
) -> None:
    columns = {"other": "string", "value": kind}
    for texts, expected in ((misread, (["value"], False)), (complete, ([], True))):
        for text in texts:
            record = parse_record(b'{"value":%s}' % text.encode())
            assert isinstance(record, dict)
            assert check_values(record, columns) == expected, text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("double", str(2**53)),
        ("double", f"-{2**53}.0"),
        ("double", "1.7976931348623157e308"),
        (STRUCT, '{"n":1,"new":1}'),
        ({"type": "array", "elementType": STRUCT}, '[{"N":null}]'),
    ],
)
def test_a_record_is_not_complete_if_a_part_of_it_has_no_column(kind: Any, text: str) -> None:
    record = parse_record(b'{"value":%s}' % text.encode())
    assert isinstance(record, dict)
    assert check_values(record, {"value": kind}) == ([], False)
    assert check_values(record, {"VALUE": kind}) == ([], False)
    assert check_values({"value": 2**53 - 1}, {"value": "double"}) == ([], True)
