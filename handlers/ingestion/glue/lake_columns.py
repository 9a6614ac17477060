"""Columns that the Spark job adds to each row of the lake. The catalogue of Athena has the same columns."""

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
