"""The second look at a file, on an executor: its records as Arrow batches of the run's columns.

The first look has decided all: which columns there are, which files have rows and how many. So this one only moves
values, column by column, and converts those of the columns that need it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from handlers.ingestion.glue.file_list_and_result import SourceFile
from handlers.ingestion.glue.json_records import InvalidLine, record
from handlers.ingestion.glue.json_shapes import Shape
from handlers.ingestion.glue.line_reader import lines
from handlers.ingestion.glue.object_storage import Storage
from handlers.ingestion.glue.parquet_columns import Columns, Type, exact
from handlers.ingestion.glue.value_conversion import Converter, Misfits, as_json, converter

BATCH_ROWS = 8192
BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """How records become columns; made once a run, and small enough to be sent with each task."""

    fields: tuple[tuple[str, Type, bool], ...]
    """Name, type, and whether every value seen is already as the column wants it."""
    all_named: bool
    """Whether no record has a name that is no column."""


def plan(columns: Columns, seen: Shape) -> Plan:
    """What a run's columns and everything seen in its files ask for."""
    nothing = Shape()
    # Records of too many names are not described, and a name of which nothing is known is not one that was never seen.
    described = bool(seen.names) or not seen.kinds
    fields = tuple(
        (name, kind, described and exact(kind, seen.names.get(name, nothing))) for name, kind in columns.fields
    )
    return Plan(fields, all_named=described and seen.names.keys() <= {name for name, _ in columns.fields})


class Batches:
    """Makes batches of one schema."""

    def __init__(self, plan: Plan, schema: "pa.Schema") -> None:
        self._schema = schema
        self._plan = plan
        self._names = frozenset(name for name, _, _ in plan.fields)
        self._converters: list[tuple[str, Converter | None]] = [
            (name, None if fits else converter(kind)) for name, kind, fits in plan.fields
        ]

    def of_file(self, file: SourceFile, storage: Storage) -> Iterator["pa.RecordBatch"]:
        """One file's records, in the order of its lines."""
        for numbers, records in _gathered(file, storage):
            yield self._batch(file, numbers, records)

    def _batch(self, file: SourceFile, numbers: list[int], records: list[dict[str, Any]]) -> "pa.RecordBatch":
        unknown: list[dict[str, Any]] = [{} for _ in records]
        if not self._plan.all_named:
            unknown = [{name: one[name] for name in one if name not in self._names} for one in records]
        values: list[list[Any]] = []
        for name, convert in self._converters:
            column = [one.get(name) for one in records]
            values.append(column if convert is None else _converted(name, convert, column, unknown))
        size = len(records)
        arrays = [
            pa.array(column, kind) for column, kind in zip(values, self._schema.types[: len(values)], strict=True)
        ]
        beside, *source = self._schema.types[len(values) :]
        arrays.append(pa.array([as_json(one) if one else None for one in unknown], beside))
        key, version, line, arrived = source
        arrays += [
            pa.repeat(pa.scalar(file.key, key), size),
            pa.repeat(pa.scalar(file.version_id, version), size),
            pa.array(numbers, line),
            pa.repeat(pa.scalar(datetime.fromisoformat(file.arrived_at), arrived), size),
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _gathered(file: SourceFile, storage: Storage) -> Iterable[tuple[list[int], list[dict[str, Any]]]]:
    numbers: list[int] = []
    records: list[dict[str, Any]] = []
    size = 0
    for line in lines(storage.chunks(file.uri, file.version_id)):
        if line.reason is not None or (found := _or_none(line.raw)) is None:
            continue  # the first look has written it down
        numbers.append(line.number)
        records.append(found)
        size += len(line.raw)
        if len(records) == BATCH_ROWS or size > BATCH_BYTES:
            yield numbers, records
            numbers, records, size = [], [], 0
    if records:
        yield numbers, records


def _or_none(raw: bytes) -> dict[str, Any] | None:
    try:
        return record(raw)
    except InvalidLine:
        return None


def _converted(name: str, convert: Converter, column: list[Any], unknown: list[dict[str, Any]]) -> list[Any]:
    converted = []
    for index, value in enumerate(column):
        misfits: Misfits = []
        converted.append(convert(value, misfits))
        if misfits:
            unknown[index][name] = value
    return converted
