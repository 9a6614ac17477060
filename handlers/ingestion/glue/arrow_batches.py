"""Second pass over a file, on a Spark executor: it reads the records and gives them to Spark as Arrow batches.

The first pass (`file_scan`) has collected the shape of all records, a tree with their names and the kinds of their
values. The columns of the output follow from the shape or from a given schema. This pass converts the values of a
column unless the shape shows that all of them fit. Values that fit no column go into the column `_unknown`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from handlers.ingestion.glue.file_list_and_result_json import SourceFile
from handlers.ingestion.glue.json_line_parser import InvalidLine, parse_record
from handlers.ingestion.glue.json_schema_inference import JsonShape
from handlers.ingestion.glue.json_to_parquet_columns import ColumnType, TableColumns, fits_unchanged
from handlers.ingestion.glue.line_reader import read_lines
from handlers.ingestion.glue.object_storage import ObjectStorage
from handlers.ingestion.glue.value_conversion import Converter, MisfitFlag, make_converter, to_json_text

BATCH_ROWS = 8192
"""Maximum number of records in a batch."""
BATCH_BYTES = 8 * 1024 * 1024
"""Total size of lines above which a batch ends. The record that exceeds the size is part of the batch."""


@dataclass(frozen=True)
class ColumnPlan:
    """Columns of a run, and which of them need no conversion. Each task gets this small plan, not the shape."""

    fields: tuple[tuple[str, ColumnType, bool], ...]
    """Name and type of each column, and True if all values of the run fit it unchanged."""
    covers_all_names: bool
    """True if each name at the top level of any record is a column."""


def plan_columns(columns: TableColumns, shape: JsonShape) -> ColumnPlan:
    no_values = JsonShape()
    # If there are records but the shape has no names, there may have been too many names to keep them
    # (`JsonKind.BOUNDLESS`). Then nothing is known about the values, so all columns convert them.
    is_described = bool(shape.names) or not shape.kinds
    fields = tuple(
        (name, column_type, is_described and fits_unchanged(column_type, shape.names.get(name, no_values)))
        for name, column_type in columns.fields
    )
    names = {name for name, _ in columns.fields}
    return ColumnPlan(fields, covers_all_names=is_described and shape.names.keys() <= names)


class FileBatches:
    def __init__(self, plan: ColumnPlan, schema: "pa.Schema") -> None:
        self._schema = schema
        self._plan = plan
        self._names = frozenset(name for name, _, _ in plan.fields)
        self._converters: list[tuple[str, Converter | None]] = [
            (name, None if fits else make_converter(column_type)) for name, column_type, fits in plan.fields
        ]

    def read_file(self, file: SourceFile, storage: ObjectStorage) -> Iterator["pa.RecordBatch"]:
        """Yield the records of a file as batches, in the order of its lines."""
        for numbers, records in _read_groups(file, storage):
            yield self._build_batch(file, numbers, records)

    def _build_batch(self, file: SourceFile, numbers: list[int], records: list[dict[str, Any]]) -> "pa.RecordBatch":
        unknown: list[dict[str, Any]] = [{} for _ in records]
        if not self._plan.covers_all_names:
            unknown = [{name: record[name] for name in record if name not in self._names} for record in records]
        values: list[list[Any]] = []
        for name, convert in self._converters:
            column = [record.get(name) for record in records]
            values.append(column if convert is None else _convert_column(name, convert, column, unknown))
        size = len(records)
        types = self._schema.types
        data_types = types[: len(values)]
        arrays = [pa.array(column, arrow_type) for column, arrow_type in zip(values, data_types, strict=True)]
        # After the data columns, the schema has `_unknown` and the columns with the origin of the row.
        unknown_type, *source_types = types[len(values) :]
        arrays.append(pa.array([to_json_text(extra) if extra else None for extra in unknown], unknown_type))
        key_type, version_type, line_type, arrived_type = source_types
        arrays += [
            pa.repeat(pa.scalar(file.key, key_type), size),
            pa.repeat(pa.scalar(file.version_id, version_type), size),
            pa.array(numbers, line_type),
            pa.repeat(pa.scalar(datetime.fromisoformat(file.arrived_at), arrived_type), size),
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _read_groups(file: SourceFile, storage: ObjectStorage) -> Iterable[tuple[list[int], list[dict[str, Any]]]]:
    numbers: list[int] = []
    records: list[dict[str, Any]] = []
    size = 0
    for line in read_lines(storage.read_chunks(file.uri, file.version_id)):
        if line.problem is not None or (record := _parse_or_none(line.raw)) is None:
            continue  # the first pass has written it to the rejected lines
        numbers.append(line.number)
        records.append(record)
        size += len(line.raw)
        if len(records) == BATCH_ROWS or size > BATCH_BYTES:
            yield numbers, records
            numbers, records, size = [], [], 0
    if records:
        yield numbers, records


def _parse_or_none(raw: bytes) -> dict[str, Any] | None:
    try:
        return parse_record(raw)
    except InvalidLine:
        return None


def _convert_column(name: str, convert: Converter, column: list[Any], unknown: list[dict[str, Any]]) -> list[Any]:
    """Convert the values of a column. Add each value that does not fit to the unknown values of its row."""
    converted = []
    misfit = MisfitFlag()
    for index, value in enumerate(column):
        converted.append(convert(value, misfit))
        if misfit.is_set:
            unknown[index][name] = value
            misfit.is_set = False
    return converted
