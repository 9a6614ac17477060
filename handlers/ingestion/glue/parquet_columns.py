"""Which columns a run's Parquet has: from the shapes seen, or from a given schema. Pure.

Where values of one name differ in kind, the column becomes one that holds them all, and the run's result says so:

- integers with other numbers: `double` while each is exact in one, 38-digit `decimal` for long integers, else `string`
- scalars of different kinds: `string`
- objects or arrays with anything else, maps in disguise, names that differ in case only: `json`, a string of JSON

A name that cannot be a column (taken by ours, or equal to another but for case, which Athena ignores) has none: its
values stand in the column `_unknown`, as do those that a given schema does not name or cannot hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.ingestion.glue.json_shapes import Kind, Shape

UNKNOWN = "_unknown"
SOURCE = {"_source_key": "string", "_source_version": "string", "_source_line": "long", "_arrived_at": "timestamp"}
RESERVED_NAMES = frozenset({*SOURCE, UNKNOWN, "dt"})
DECIMAL = "decimal(38,0)"
DECIMALS = re.compile(r"decimal\((\d+),(\d+)\)")
SUPPORTED_TYPES = frozenset({"boolean", "byte", "short", "integer", "long", "double", "string", "date", "timestamp"})
"""What a given schema may name besides decimals. Not float: hardly any number of a JSON text is exact in one."""


@dataclass(frozen=True)
class Simple:
    """A type without parts, by Spark's name for it; `json` is a string that holds JSON."""

    name: str


@dataclass(frozen=True)
class ListOf:
    """An array."""

    item: "Type"


@dataclass(frozen=True)
class MapOf:
    """A map from strings; only a given schema has these."""

    value: "Type"


@dataclass(frozen=True)
class StructOf:
    """An object of known names."""

    fields: tuple[tuple[str, "Type"], ...]


Type = Simple | ListOf | MapOf | StructOf
JSON = Simple("json")
STRING = Simple("string")


@dataclass(frozen=True)
class WidenedColumn:
    """A place where values differed in kind, and what became of it."""

    column: str
    saw: tuple[str, ...]
    became: str


@dataclass(frozen=True)
class Columns:
    """The data's columns, those of the source aside."""

    fields: tuple[tuple[str, Type], ...]
    widened: tuple[WidenedColumn, ...] = ()


class InvalidSchema(ValueError):
    """A given schema that no run could follow."""


def inferred(shape: Shape) -> Columns:
    """Columns for all that was seen."""
    widened: list[WidenedColumn] = []
    fields: list[tuple[str, Type]] = []
    taken = set(RESERVED_NAMES)
    for name in sorted(shape.names, key=_small_letters_first):
        if name and name.lower() not in taken:
            taken.add(name.lower())
            fields.append((name, _type(shape.names[name], name, widened)))
    return Columns(tuple(fields), tuple(widened))


def _small_letters_first(name: str) -> tuple[str, str]:
    """Among names that differ in case only, the column is that of the one most at home in a table."""
    return name.lower(), name.swapcase()


def given(schema: Mapping[str, Any]) -> Columns:
    """Columns of a schema, in the form that Spark gives a parsed DDL."""
    fields = tuple((one["name"], _from_spark(one["type"])) for one in schema["fields"])
    names = [name.lower() for name, _ in fields]
    if refused := sorted(set(names) & RESERVED_NAMES):
        raise InvalidSchema(f"these columns are the job's own: {', '.join(refused)}")
    if len(set(names)) < len(names):
        raise InvalidSchema("two columns have the same name but for case")
    return Columns(fields)


def spark_schema(columns: Columns) -> dict[str, Any]:
    """The whole table's schema in Spark's own JSON form; a widened column carries what was seen as metadata."""
    notes = {one.column: {"widened": ", ".join(one.saw)} for one in columns.widened}
    return {
        "type": "struct",
        "fields": [
            *(_field(name, _to_spark(kind), notes.get(name, {})) for name, kind in columns.fields),
            _field(UNKNOWN, "string", {}),
            *(_field(name, kind, {}) for name, kind in SOURCE.items()),
        ],
    }


def exact(kind: Type, shape: Shape) -> bool:
    """Whether every value seen can go into the column as it is."""
    seen = Kind(shape.kinds)
    match kind:
        case Simple("long"):
            return not seen & ~(Kind.INTEGER | Kind.LONG)
        case Simple("double"):
            return not seen & ~(Kind.INTEGER | Kind.DOUBLE)
        case Simple("boolean"):
            return not seen & ~Kind.BOOLEAN
        case Simple("string"):
            return not seen & ~Kind.TEXT
        case ListOf(item):
            return not seen & ~Kind.ARRAY and (shape.items is None or exact(item, shape.items))
        case StructOf(fields):
            known = dict(fields)
            return not seen & ~Kind.OBJECT and all(
                name in known and exact(known[name], one) for name, one in shape.names.items()
            )
    return False


def _type(shape: Shape, path: str, widened: list[WidenedColumn]) -> Type:
    if _has_parts(shape):
        if not shape.kinds & Kind.ARRAY:
            return StructOf(
                tuple((name, _type(shape.names[name], f"{path}.{name}", widened)) for name in sorted(shape.names))
            )
        return ListOf(STRING if shape.items is None else _type(shape.items, f"{path}[]", widened))
    seen = Kind(shape.kinds)
    kind = _plain_type(seen)
    if kind == JSON or _differ(seen):
        widened.append(WidenedColumn(path, tuple(sorted(one.name.lower() for one in seen if one.name)), kind.name))
    return kind


def _has_parts(shape: Shape) -> bool:
    """Whether all values are arrays, or all are objects whose names can be those of a struct."""
    if shape.kinds == Kind.OBJECT:
        lowered = [name.lower() for name in shape.names]
        return bool(lowered) and "" not in lowered and len(set(lowered)) == len(lowered)
    return shape.kinds == Kind.ARRAY


def _plain_type(seen: Kind) -> Simple:
    """The type of a place whose values have no parts, or none that a column could have."""
    if seen & (Kind.OBJECT | Kind.ARRAY | Kind.BOUNDLESS):
        return JSON
    if not seen or seen & Kind.TEXT:
        return STRING
    if seen == Kind.BOOLEAN:
        return Simple("boolean")
    if not seen & ~(Kind.INTEGER | Kind.LONG):
        return Simple("long")
    if not seen & ~(Kind.INTEGER | Kind.LONG | Kind.BIG):
        return Simple(DECIMAL)
    if not seen & ~(Kind.INTEGER | Kind.DOUBLE):
        return Simple("double")
    return STRING


def _differ(seen: Kind) -> bool:
    """Whether values were of more than one kind; integers of different size are of one."""
    integers = Kind.INTEGER | Kind.LONG
    return bool(seen & Kind.BOUNDLESS) or (seen & ~integers).bit_count() + bool(seen & integers) > 1


def _field(name: str, kind: Any, metadata: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": True, "metadata": metadata}


def _to_spark(kind: Type) -> Any:
    match kind:
        case Simple(name):
            return "string" if name == "json" else name
        case ListOf(item):
            return {"type": "array", "elementType": _to_spark(item), "containsNull": True}
        case MapOf(value):
            return {"type": "map", "keyType": "string", "valueType": _to_spark(value), "valueContainsNull": True}
        case StructOf(fields):
            return {"type": "struct", "fields": [_field(name, _to_spark(one), {}) for name, one in fields]}


def _from_spark(kind: Any) -> Type:
    if isinstance(kind, str):
        if kind not in SUPPORTED_TYPES and not DECIMALS.fullmatch(kind):
            raise InvalidSchema(f"no column of JSON values can be of type {kind}")
        return Simple(kind)
    match kind["type"]:
        case "array":
            return ListOf(_from_spark(kind["elementType"]))
        case "map" if kind["keyType"] == "string":
            return MapOf(_from_spark(kind["valueType"]))
        case "struct":
            return StructOf(tuple((one["name"], _from_spark(one["type"])) for one in kind["fields"]))
    raise InvalidSchema(f"no JSON value can be a {kind['type']} of this kind")
