"""Columns of the lake: those that the Spark job adds to each row, and those of the data if the settings declare none.

The catalogue of Athena has the added and the declared columns. This module uses no Spark.
"""

from collections.abc import Iterable, Mapping
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
MAX_INFERRED = 1000
"""Maximum number of inferred columns. A Parquet writer needs a buffer for each."""


def choose_columns(inferred: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns for the fields that Spark inferred, both in the form of Spark's schemas in JSON.

    Objects and arrays are stored as texts with JSON. Of names that differ only in case, the one in lower case becomes
    the column, because Athena ignores case.
    """
    columns: dict[str, dict[str, Any]] = {}
    for field in sorted(inferred, key=lambda field: str(field["name"]).swapcase()):
        lowered = field["name"].lower()
        if lowered and lowered not in RESERVED_NAMES:
            is_simple = isinstance(field["type"], str)
            columns.setdefault(lowered, {**field, "type": field["type"] if is_simple else "string"})
    return list(columns.values())[:MAX_INFERRED]
