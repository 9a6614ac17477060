"""Columns of a run's Parquet files. They are inferred from the shape of the run's records, unless a schema is given.

A shape is a tree with the names in the records and the kinds of their values. A column gets the narrowest type that
holds all values of its name:

- only booleans: `boolean`; only texts: `string`; only arrays: an array; only objects: a struct
- integers: `long`, or a `decimal` of 38 digits if one has more than 64 bits, or `string` if one has over 38 digits
- integers and fractions: `double` if each integer is exact as a double, otherwise `string`
- scalars of different kinds, or only nulls: `string`
- `json`, a string of JSON, in these cases: objects or arrays mixed with other kinds; values with too many names or
  levels (`JsonKind.BOUNDLESS`); nested objects that are empty, have an empty name, or have names that differ only in
  case

A column is called widened if its values differ in kind or are stored as JSON. The run's result lists these columns.

At the top level of a record, some names cannot be columns: the empty name, names that the job uses itself, and all but
one of the names that differ only in case, because Athena ignores case. The values of these names go into the column
`_unknown`, and so do values that a given schema does not name or cannot hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.ingestion.glue.json_schema_inference import JsonKind, JsonShape

UNKNOWN_COLUMN = "_unknown"
"""Column for the values that no other column holds, as JSON."""
SOURCE_COLUMNS = {
    "_source_key": "string",
    "_source_version": "string",
    "_source_line": "long",
    "_arrived_at": "timestamp",
}
"""Columns with the origin of each row, and their types."""
RESERVED_NAMES = frozenset({*SOURCE_COLUMNS, UNKNOWN_COLUMN, "dt"})
"""Names that data columns cannot have. `dt` is the partition column."""
LONG_DECIMAL = "decimal(38,0)"
DECIMALS = re.compile(r"decimal\((\d+),(\d+)\)")
SUPPORTED_TYPES = frozenset({"boolean", "byte", "short", "integer", "long", "double", "string", "date", "timestamp"})
"""Types that a given schema may use, in addition to decimals. `float` is not one of them, because it holds few JSON
numbers exactly."""


@dataclass(frozen=True)
class Scalar:
    """Type without parts."""

    name: str
    """Spark's name of the type, or `json` for a string that contains JSON."""


@dataclass(frozen=True)
class ListOf:
    item: "ColumnType"


@dataclass(frozen=True)
class MapOf:
    """Map type with string keys. It occurs only in given schemas."""

    value: "ColumnType"


@dataclass(frozen=True)
class StructOf:
    """Struct type: an object with known names."""

    fields: tuple[tuple[str, "ColumnType"], ...]


ColumnType = Scalar | ListOf | MapOf | StructOf
JSON = Scalar("json")
STRING = Scalar("string")


@dataclass(frozen=True)
class WidenedColumn:
    """Column, or part of one, whose values differ in kind, or that contains JSON."""

    column: str
    """Path of the column, for example `order.items[].price`."""
    saw: tuple[str, ...]
    """Kinds of its values, as names of `JsonKind` in lower case."""
    became: str


@dataclass(frozen=True)
class TableColumns:
    """Columns of the data, without those that the job adds."""

    fields: tuple[tuple[str, ColumnType], ...]
    widened: tuple[WidenedColumn, ...] = ()


class InvalidSchema(ValueError):
    """The given schema has a reserved or repeated name, or a type that is not supported."""


def infer_columns(shape: JsonShape) -> TableColumns:
    widened: list[WidenedColumn] = []
    fields: list[tuple[str, ColumnType]] = []
    used_names = set(RESERVED_NAMES)
    for name in sorted(shape.names, key=_lower_case_first):
        if name and name.lower() not in used_names:
            used_names.add(name.lower())
            fields.append((name, _infer_type(shape.names[name], name, widened)))
    return TableColumns(tuple(fields), tuple(widened))


def _lower_case_first(name: str) -> tuple[str, str]:
    """Return a sort key for names.

    Of names that differ only in case, the one in lower case comes first and becomes the column.
    """
    return name.lower(), name.swapcase()


def columns_from_schema(schema: Mapping[str, Any]) -> TableColumns:
    """Return the columns of a schema that is given in Spark's JSON form. Raise InvalidSchema if it is not usable."""
    fields = tuple((field["name"], _from_spark_type(field["type"])) for field in schema["fields"])
    names = [name.lower() for name, _ in fields]
    if reserved := sorted(set(names) & RESERVED_NAMES):
        raise InvalidSchema(f"the job adds these columns itself, so remove them from the schema: {', '.join(reserved)}")
    if len(set(names)) < len(names):
        raise InvalidSchema("two columns of the schema have names that differ only in case: rename one of them")
    return TableColumns(fields)


def to_spark_schema(columns: TableColumns) -> dict[str, Any]:
    """Return the schema of the Parquet files in Spark's JSON form: the given columns, then those that the job adds.

    The metadata of a widened column lists the kinds of its values. A widened part of a column has no metadata.
    """
    metadata = {column.column: {"widened": ", ".join(column.saw)} for column in columns.widened}
    return {
        "type": "struct",
        "fields": [
            *(
                _spark_field(name, _to_spark_type(column_type), metadata.get(name, {}))
                for name, column_type in columns.fields
            ),
            _spark_field(UNKNOWN_COLUMN, "string", {}),
            *(_spark_field(name, spark_type, {}) for name, spark_type in SOURCE_COLUMNS.items()),
        ],
    }


def fits_unchanged(column_type: ColumnType, shape: JsonShape) -> bool:
    """Return True if a column of this type certainly holds every value of the shape without conversion.

    For example, `long` holds all integers of 64 bits (INTEGER and LONG), but `double` holds only the smaller ones
    (INTEGER) exactly. Types such as `date` and `json` always need conversion.
    """
    kinds = JsonKind(shape.kinds)
    match column_type:
        case Scalar("long"):
            return not kinds & ~(JsonKind.INTEGER | JsonKind.LONG)
        case Scalar("double"):
            return not kinds & ~(JsonKind.INTEGER | JsonKind.DOUBLE)
        case Scalar("boolean"):
            return not kinds & ~JsonKind.BOOLEAN
        case Scalar("string"):
            return not kinds & ~JsonKind.TEXT
        case ListOf(item):
            return not kinds & ~JsonKind.ARRAY and (shape.items is None or fits_unchanged(item, shape.items))
        case StructOf(fields):
            types = dict(fields)
            return not kinds & ~JsonKind.OBJECT and all(
                name in types and fits_unchanged(types[name], inner) for name, inner in shape.names.items()
            )
    return False


def _infer_type(shape: JsonShape, path: str, widened: list[WidenedColumn]) -> ColumnType:
    if _is_nested(shape):
        if not shape.kinds & JsonKind.ARRAY:
            return StructOf(
                tuple((name, _infer_type(shape.names[name], f"{path}.{name}", widened)) for name in sorted(shape.names))
            )
        return ListOf(STRING if shape.items is None else _infer_type(shape.items, f"{path}[]", widened))
    kinds = JsonKind(shape.kinds)
    column_type = _scalar_type(kinds)
    if column_type == JSON or _has_mixed_kinds(kinds):
        widened.append(
            WidenedColumn(path, tuple(sorted(kind.name.lower() for kind in kinds if kind.name)), column_type.name)
        )
    return column_type


def _is_nested(shape: JsonShape) -> bool:
    """Return True if the values become a list or a struct: all are arrays, or all are objects with usable names."""
    if shape.kinds == JsonKind.OBJECT:
        lowered = [name.lower() for name in shape.names]
        return bool(lowered) and "" not in lowered and len(set(lowered)) == len(lowered)
    return shape.kinds == JsonKind.ARRAY


def _scalar_type(kinds: JsonKind) -> Scalar:
    """Return the type for values that become neither a list nor a struct.

    The kinds of integers differ in size: INTEGER is exact as a double, LONG fits into 64 bits, BIG has at most 38
    digits, and HUGE has more. DOUBLE is a number with a fraction or an exponent.
    """
    if kinds & (JsonKind.OBJECT | JsonKind.ARRAY | JsonKind.BOUNDLESS):
        return JSON
    if not kinds or kinds & JsonKind.TEXT:
        return STRING
    if kinds == JsonKind.BOOLEAN:
        return Scalar("boolean")
    if not kinds & ~(JsonKind.INTEGER | JsonKind.LONG):
        return Scalar("long")
    if not kinds & ~(JsonKind.INTEGER | JsonKind.LONG | JsonKind.BIG):
        return Scalar(LONG_DECIMAL)
    if not kinds & ~(JsonKind.INTEGER | JsonKind.DOUBLE):
        return Scalar("double")
    return STRING


def _has_mixed_kinds(kinds: JsonKind) -> bool:
    """Return True if the values have more than one kind, where INTEGER and LONG count as one, or if they are BOUNDLESS.

    A BOUNDLESS node no longer describes its values, so they may differ.
    """
    integers = JsonKind.INTEGER | JsonKind.LONG
    return bool(kinds & JsonKind.BOUNDLESS) or (kinds & ~integers).bit_count() + bool(kinds & integers) > 1


def _spark_field(name: str, spark_type: Any, metadata: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "type": spark_type, "nullable": True, "metadata": metadata}


def _to_spark_type(column_type: ColumnType) -> Any:
    match column_type:
        case Scalar(name):
            return "string" if name == "json" else name
        case ListOf(item):
            return {"type": "array", "elementType": _to_spark_type(item), "containsNull": True}
        case MapOf(value):
            return {"type": "map", "keyType": "string", "valueType": _to_spark_type(value), "valueContainsNull": True}
        case StructOf(fields):
            return {
                "type": "struct",
                "fields": [_spark_field(name, _to_spark_type(field), {}) for name, field in fields],
            }


def _from_spark_type(spark_type: Any) -> ColumnType:
    if isinstance(spark_type, str):
        if spark_type not in SUPPORTED_TYPES and not DECIMALS.fullmatch(spark_type):
            raise InvalidSchema(
                f"type {spark_type} is not supported: use {', '.join(sorted(SUPPORTED_TYPES))}, decimal, array, map or "
                "struct"
            )
        return Scalar(spark_type)
    match spark_type["type"]:
        case "array":
            return ListOf(_from_spark_type(spark_type["elementType"]))
        case "map" if spark_type["keyType"] == "string":
            return MapOf(_from_spark_type(spark_type["valueType"]))
        case "struct":
            return StructOf(tuple((field["name"], _from_spark_type(field["type"])) for field in spark_type["fields"]))
    raise InvalidSchema(f"type {spark_type['type']} is not supported in this form: the keys of a map must be strings")
