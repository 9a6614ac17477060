"""Comparison of the file table and of the lake's rows with the results that the chaos run expects."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.end_to_end.ingestion_chaos.uploaded_files import ExpectedResult

Version = tuple[str, str]
"""Key and version id of a file."""


def find_wrong_results(
    expected: Mapping[Version, ExpectedResult], records: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return a text for each file that has not exactly one record with the expected status and counts, and for each
    line that is not exactly once in the lake with its content.

    `records` are the items of the file table, `rows` the rows that a reader sees.
    """
    return [*_compare_records(expected, records), *_compare_rows(expected, rows)]


def _compare_records(expected: Mapping[Version, ExpectedResult], records: Sequence[Mapping[str, Any]]) -> list[str]:
    record_counts = Counter((record["object_key"]["S"], record["version_id"]["S"]) for record in records)
    problems = [
        f"{version}: {record_counts[version]} records, expected {int(version in expected)}"
        for version in expected.keys() | record_counts.keys()
        if record_counts[version] != (version in expected)
    ]
    for record in records:
        result = expected.get((record["object_key"]["S"], record["version_id"]["S"]))
        actual = (
            record["status"]["S"],
            *(int(record.get(name, {"N": "0"})["N"]) for name in ("rows", "rejected_rows")),
        )
        if result and actual != (result.status, len(result.rows), result.rejected_rows):
            problems.append(
                f"{record['object_key']['S']!r}: status, rows and rejected lines are {actual}, "
                f"expected {(result.status, len(result.rows), result.rejected_rows)}"
            )
    return problems


def _compare_rows(expected: Mapping[Version, ExpectedResult], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    records_by_line = {
        (*version, number): record for version, result in expected.items() for number, record in result.rows.items()
    }
    row_counts = Counter((row["_source_key"], row["_source_version"], row["_source_line"]) for row in rows)
    problems = [
        f"{line}: {row_counts[line]} times in the lake, expected {int(line in records_by_line)}"
        for line in records_by_line.keys() | row_counts.keys()
        if row_counts[line] != (line in records_by_line)
    ]
    for row in rows:
        record = records_by_line.get((row["_source_key"], row["_source_version"], row["_source_line"]), {})
        column_values = {name: value for name, value in record.items() if _fits_column(name, value)}
        if {name: row[name] for name in column_values} != column_values:
            problems.append(f"{row['_source_key']!r} line {row['_source_line']}: other values than in the file")
    return problems


def _fits_column(name: str, value: Any) -> bool:
    """Return True for a value that the lake must have in its column.

    A damaged line can be a record with other names, other types or an id above 64 bits. Such values are only in `_record`.
    """
    if name == "id":
        return type(value) is int and -(2**63) <= value < 2**63
    return name == "text" and isinstance(value, str)
