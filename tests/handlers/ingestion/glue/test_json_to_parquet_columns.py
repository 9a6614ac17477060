"""Shapes of JSON records, and the Parquet columns that are inferred from them.

A shape is a tree with one node for each name at each level. A node with too many names below it becomes boundless: the
nodes below it are dropped, and it becomes a column with JSON text. The order of the records does not matter. A column
is wide enough for every value, and a column whose values have several kinds is reported as widened.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue import json_schema_inference
from handlers.ingestion.glue.json_schema_inference import (
    MAX_LEVELS,
    MAX_NAMES,
    MAX_NODES,
    JsonKind,
    JsonShape,
    count_nodes,
    limit_nodes,
)
from handlers.ingestion.glue.json_to_parquet_columns import (
    JSON,
    STRING,
    ColumnType,
    InvalidSchema,
    ListOf,
    MapOf,
    Scalar,
    StructOf,
    TableColumns,
    WidenedColumn,
    columns_from_schema,
    fits_unchanged,
    infer_columns,
    to_spark_schema,
)
from handlers.ingestion.glue.value_conversion import MisfitFlag, make_converter
from tests.handlers.ingestion.glue.test_json_line_parser import OBJECTS

RECORDS = st.lists(OBJECTS, max_size=6)


def shape_of(*records: dict[str, Any]) -> JsonShape:
    shape = JsonShape()
    for record in records:
        shape.observe(record)
    return shape


def merge(*shapes: JsonShape) -> JsonShape:
    result = JsonShape()
    for shape in shapes:
        result.merge(shape)
    return result


def column_type_of(*values: Any) -> ColumnType:
    """Return the inferred type of a column with these values."""
    ((_, column_type),) = infer_columns(shape_of(*({"a": value} for value in values))).fields
    return column_type


@given(RECORDS, st.randoms())
def test_the_order_of_records_does_not_change_the_shape(records: list[dict[str, Any]], random: Any) -> None:
    shuffled_records = random.sample(records, len(records))
    parts = [shape_of(*shuffled_records[::2]), shape_of(*shuffled_records[1::2])]
    assert merge(*parts) == merge(*reversed(parts)) == shape_of(*records)
    assert merge(*parts, *parts) == shape_of(*records), "a part that is merged twice changes nothing"


@given(RECORDS, st.integers(0, 12), st.randoms())
def test_the_nodes_marked_as_boundless_do_not_depend_on_the_order(
    records: list[dict[str, Any]], nodes_below_columns: int, random: Any
) -> None:
    shuffled_records = random.sample(records, len(records))
    unlimited_shape, limited_shape = shape_of(*records), shape_of(*records)
    limited_halves = merge(shape_of(*shuffled_records[::2]), shape_of(*shuffled_records[1::2]))
    max_nodes = 1 + len(unlimited_shape.names) + nodes_below_columns
    for shape in (limited_shape, limited_halves):
        limit_nodes(shape, max_nodes)
    assert limited_shape == limited_halves
    assert count_nodes(limited_shape) <= max_nodes
    assert limited_shape.names.keys() == unlimited_shape.names.keys(), "the record keeps all its columns"
    if count_nodes(unlimited_shape) <= max_nodes:
        assert limited_shape == unlimited_shape, "a shape below the limit is unchanged"
    assert merge(limited_shape, unlimited_shape) == merge(unlimited_shape, limited_shape) == limited_shape, (
        "a boundless node stays boundless"
    )


@given(RECORDS, st.integers(0, 12))
def test_inferred_columns_hold_every_value_completely(records: list[dict[str, Any]], nodes_below_columns: int) -> None:
    shape = shape_of(*records)
    limit_nodes(shape, 1 + len(shape.names) + nodes_below_columns)
    for name, column_type in infer_columns(shape).fields:
        misfit = MisfitFlag()
        values = [record.get(name) for record in records]
        stored_values = [make_converter(column_type)(value, misfit) for value in values]
        assert not misfit.is_set
        if fits_unchanged(column_type, shape.names[name]):
            assert without_nulls(stored_values) == without_nulls(values)


def without_nulls(value: Any) -> Any:
    """Remove nulls from objects, because a struct has all names of its column, and a missing value becomes null."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


@pytest.mark.parametrize(
    ("values", "column_type"),
    [
        ([1, None, 2], Scalar("long")),
        ([1, 2**62], Scalar("long")),
        ([1, 2.5], Scalar("double")),
        ([2**60, 2.5], Scalar("string")),  # a double does not hold every integer of this size exactly
        ([1, 2**70], Scalar("decimal(38,0)")),
        ([10**40], Scalar("string")),
        ([True, None], Scalar("boolean")),
        ([True, 1], Scalar("string")),
        (["a", 1, 2.5, True], Scalar("string")),
        ([None], Scalar("string")),
        ([{"b": 1}, {"c": "x"}], StructOf((("b", Scalar("long")), ("c", Scalar("string"))))),
        ([{"b": 1}, {"b": 2.5}], StructOf((("b", Scalar("double")),))),
        ([{"b": 1}, 1], JSON),
        ([{"b": 1}, [1]], JSON),
        (["text", [1]], JSON),
        ([{}], JSON),
        ([{}, {"b": 1}], StructOf((("b", Scalar("long")),))),
        ([{"b": 1, "B": 2}], JSON),
        ([{"": 1}], JSON),
        ([[]], ListOf(Scalar("string"))),
        ([[1], [2.5], None], ListOf(Scalar("double"))),
        ([[1], ["a"]], ListOf(Scalar("string"))),
        ([[[1]], [[{"b": 1}, 2]]], ListOf(ListOf(JSON))),
    ],
)
def test_a_column_is_as_wide_as_its_values(values: list[Any], column_type: ColumnType) -> None:
    assert column_type_of(*values) == column_type
    assert column_type_of(*reversed(values)) == column_type


@pytest.mark.parametrize(
    ("column_type", "values", "fits"),
    [
        (Scalar("long"), [1, 2**60, None], True),
        (Scalar("long"), [1.5], False),
        (Scalar("double"), [1, 1.5], True),
        (Scalar("double"), [2**60], False),
        (Scalar("integer"), [1], False),
        (Scalar("string"), ["a"], True),
        (Scalar("string"), [1], False),
        (JSON, ["a"], False),
        (ListOf(Scalar("long")), [[1], []], True),
        (ListOf(Scalar("long")), [["a"]], False),
        (StructOf((("x", Scalar("long")),)), [{"x": 1}, {}], True),
        (StructOf((("x", Scalar("long")),)), [{"x": 1, "y": 2}], False),
        (StructOf((("x", Scalar("long")),)), [{"x": "a"}], False),
    ],
)
def test_a_column_needs_no_conversion_only_if_every_value_fits(
    column_type: ColumnType, values: list[Any], fits: bool
) -> None:
    shape = shape_of(*({"a": value} for value in values))
    assert fits_unchanged(column_type, shape.names["a"]) == fits


def test_a_widened_column_is_reported_with_the_kinds_of_its_values() -> None:
    columns = infer_columns(shape_of({"a": 1, "b": {"c": [1]}, "d": 1}, {"a": 2.5, "b": {"c": ["x"]}, "d": 2}))
    assert columns.widened == (
        WidenedColumn("a", ("double", "integer"), "double"),
        WidenedColumn("b.c[]", ("integer", "text"), "string"),
    )
    (spark_field,) = [item for item in to_spark_schema(columns)["fields"] if item["name"] == "a"]
    assert spark_field["metadata"] == {"widened": "double, integer"}


def test_names_that_cannot_be_columns_are_not_columns() -> None:
    columns = infer_columns(shape_of({"": 1, "a": 1, "A": 1, "DT": 1, "_Source_Key": 1, "_unknown": 1, "b": 1}))
    assert [name for name, _ in columns.fields] == ["a", "b"]


def test_an_object_with_too_many_names_becomes_json_and_stays_small() -> None:
    shape = shape_of(*({"users": {f"u{number}": 1}} for number in range(MAX_NAMES + 5)))
    assert infer_columns(shape).fields == (("users", JSON),)
    assert not shape.names["users"].names
    assert merge(shape, shape_of({"users": {"u": 1}})) == shape


@given(st.integers(0, 12), st.integers(0, 12))
def test_the_limit_of_names_does_not_depend_on_the_order(first_names: int, second_names: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_schema_inference, "MAX_NAMES", 10)
        first = {f"a{number}": 1 for number in range(first_names)}
        second = {f"b{number}": 1 for number in range(second_names)}
        assert (
            merge(shape_of(first), shape_of(second))
            == shape_of(second, first)
            == merge(shape_of(second), shape_of(first))
        )
        assert bool(shape_of(first, second).kinds & JsonKind.BOUNDLESS) == (first_names + second_names > 10)


def test_names_that_multiply_with_each_level_become_json_and_the_others_keep_their_columns() -> None:
    """The records are lines of some kilobytes, and no object in them has too many names."""
    records = ({"counts": {f"d{day}": {f"c{number}": {"n": 1, "m": 2} for number in range(100)}}} for day in range(100))
    shape = shape_of({"id": 1, "user": {"name": "a", "tags": ["b"]}}, *records)
    assert count_nodes(shape) > 30_000
    limit_nodes(shape, MAX_NODES)
    columns = infer_columns(shape)
    user = StructOf((("name", STRING), ("tags", ListOf(STRING))))
    assert columns.fields == (("counts", JSON), ("id", Scalar("long")), ("user", user))
    assert [(entry.column, entry.became) for entry in columns.widened] == [("counts", "json")]


def test_the_widest_nodes_are_marked_first_and_equally_wide_nodes_together() -> None:
    wide = {"x": 1, "y": 1, "z": 1}

    def limited_columns(max_nodes: int) -> list[ColumnType]:
        shape = shape_of({"a": {"x": {"y": 1}}, "b": wide, "c": wide, "d": [[1]], "e": 1})
        assert count_nodes(shape) == 16
        limit_nodes(shape, max_nodes)
        return [column_type for _, column_type in infer_columns(shape).fields]

    a, b, c, d, e = limited_columns(16)
    assert isinstance(b, StructOf)
    assert b == c
    assert limited_columns(15) == limited_columns(10) == [a, JSON, JSON, d, e]
    assert limited_columns(9) == limited_columns(6) == [JSON, JSON, JSON, JSON, e], "an array counts as one name"
    assert limited_columns(1) == [JSON, JSON, JSON, JSON, e], "the root is never boundless"


def test_values_that_are_nested_too_deeply_become_json() -> None:
    value: Any = 1
    for _ in range(MAX_LEVELS + 5):
        value = {"a": value}
    column_type = column_type_of(value)
    depth = 0
    while isinstance(column_type, StructOf):
        ((_, column_type),) = column_type.fields
        depth += 1
    assert column_type == JSON
    assert depth < MAX_LEVELS


def field(name: str, column_type: Any) -> dict[str, Any]:
    return {"name": name, "type": column_type, "nullable": True, "metadata": {}}


def test_a_given_schema_is_used_as_spark_parses_it() -> None:
    schema = {
        "type": "struct",
        "fields": [
            field("id", "long"),
            field("price", "decimal(10,2)"),
            field("tags", {"type": "array", "elementType": "string", "containsNull": True}),
            field("m", {"type": "map", "keyType": "string", "valueType": "double", "valueContainsNull": True}),
            field("s", {"type": "struct", "fields": [field("x", "date")]}),
        ],
    }
    columns = columns_from_schema(schema)
    assert columns == TableColumns(
        (
            ("id", Scalar("long")),
            ("price", Scalar("decimal(10,2)")),
            ("tags", ListOf(Scalar("string"))),
            ("m", MapOf(Scalar("double"))),
            ("s", StructOf((("x", Scalar("date")),))),
        )
    )
    assert to_spark_schema(columns)["fields"][:5] == schema["fields"]


@pytest.mark.parametrize(
    "fields",
    [
        [field("dt", "string")],
        [field("_Unknown", "string")],
        [field("a", "long"), field("A", "long")],
        [field("a", "binary")],
        [field("a", "float")],
        [field("a", {"type": "map", "keyType": "long", "valueType": "long", "valueContainsNull": True})],
    ],
)
def test_a_schema_that_no_run_can_use_is_refused(fields: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidSchema):
        columns_from_schema({"type": "struct", "fields": fields})
