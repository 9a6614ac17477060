"""Spark job on Glue: converts the NDJSON files of one manifest (a list of files) to Parquet in the lake bucket.

Glue runs this file as its script. The modules that it imports are in a zip file with the code of all handlers.

The job reads each file twice. The first pass decides which lines are records, which columns hold them, and whether too
many lines are rejected. The second pass writes the data. Both passes see the same content, because they read a certain
version of each object. Then the job counts the rows in the written files, and publishes them to readers, as
`run_output` describes. The log contains only counts, because other texts could quote customer data.
"""

import json
import secrets
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from handlers.ingestion.glue import file_list_and_result_json, json_to_parquet_columns
from handlers.ingestion.glue.arrow_batches import plan_columns
from handlers.ingestion.glue.file_scan import FileScan
from handlers.ingestion.glue.job_arguments import JobArguments, parse_arguments
from handlers.ingestion.glue.json_schema_inference import MAX_NODES, JsonShape, limit_nodes
from handlers.ingestion.glue.object_storage import ObjectStorage, open_storage
from handlers.ingestion.glue.run_input_files import check_published_files, read_input
from handlers.ingestion.glue.run_output import RunOutput
from handlers.ingestion.glue.spark_passes import SparkPasses
from handlers.ingestion.glue.task_distribution import count_writers, max_rows_per_file

SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Without this, one date before 1582 fails the whole run.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}
STATUSES = ("processed", "rejected", "superseded")
"""Statuses that a file can have in the result of a successful run."""
FOOTER_BYTES = 64 * 1024
"""Number of bytes that are read from the end of a Parquet file at first. The footers of most files are shorter."""
ENDING_BYTES = 8
"""Size of the end of a Parquet file: the length of its footer (four bytes, little-endian) and the text `PAR1`."""
FOOTER_THREADS = 16


class TooManyRejected(Exception):
    """The share of rejected lines exceeds the setting, so nothing is published."""


class RowsMissing(Exception):
    """Spark wrote, or the lake contains, another number of rows than the first pass counted. Nothing is published."""


def main(argv: Sequence[str], spark: SparkSession) -> dict[str, Any]:
    """Run the job. Return the counts for the log."""
    arguments = parse_arguments(argv)
    for key, value in SPARK_SETTINGS.items():
        spark.conf.set(key, value)
    storage, passes = open_storage(arguments.lake_uri), SparkPasses(spark, local_spark=arguments.local_spark)
    schema_columns = (
        json_to_parquet_columns.columns_from_schema(passes.parse_schema(arguments.schema_ddl))
        if arguments.schema_ddl
        else None
    )
    file_list, previous_result = read_input(arguments.manifest_uri, arguments.lake_uri, storage)
    output = RunOutput(
        storage,
        arguments.lake_uri,
        file_list.manifest_id,
        # The name of the run must be unique, but Glue and Step Functions can use a run id twice.
        f"{arguments.run_id}-{secrets.token_hex(4)}",
        (file.date_prefix for file in file_list.files),
    )
    output.begin()
    timer = PhaseTimer()
    scans = passes.scan(file_list.files, output.rejected_uri) if file_list.files else []
    check_published_files(scans, previous_result, output)
    _check_rejected_share(scans, arguments.max_rejected_share)
    timer.end("seconds_first_pass")
    shape = JsonShape()
    for scan in scans:
        shape.merge(scan.shape)
    limit_nodes(shape, MAX_NODES)
    columns = schema_columns or json_to_parquet_columns.infer_columns(shape)
    paths = _write_data(scans, columns, shape, passes, output, storage, arguments)
    timer.end("seconds_second_pass")
    output.publish(paths)
    outcomes = [scan.outcome() for scan in scans]
    output.finish(
        file_list_and_result_json.format_result(file_list.manifest_id, arguments.run_id, outcomes, columns.widened)
    )
    return {
        "files": len(outcomes),
        **{f"files_{status}": sum(outcome.status == status for outcome in outcomes) for status in STATUSES},
        "rows": sum(outcome.rows for outcome in outcomes),
        "rejected_rows": sum(outcome.rejected_rows for outcome in outcomes),
        "content_bytes": sum(scan.content_bytes for scan in scans),
        "parquet_files": sum(len(uris) for uris in paths.values()),
        "columns": len(columns.fields),
        "columns_widened": len(columns.widened),
        **timer.seconds,
    }


class PhaseTimer:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def end(self, phase: str) -> None:
        """End a phase and start the next one."""
        now = time.monotonic()
        self.seconds[phase], self._since = round(now - self._since, 3), now


def _check_rejected_share(scans: Sequence[FileScan], max_share: float) -> None:
    """Raise TooManyRejected if too many lines are rejected.

    Files without a record are left out. A file in which all lines are rejected is rejected as a whole, and its
    lines show nothing about the other files.
    """
    readable = [scan for scan in scans if scan.rows]
    rejected = sum(scan.rejected.total() for scan in readable)
    total = rejected + sum(scan.rows for scan in readable)
    if total and rejected / total > max_share:
        raise TooManyRejected(f"{rejected} of {total} lines are rejected; the limit is {max_share:.2%}")


def _write_data(
    scans: Sequence[FileScan],
    columns: json_to_parquet_columns.TableColumns,
    shape: JsonShape,
    passes: SparkPasses,
    output: RunOutput,
    storage: ObjectStorage,
    arguments: JobArguments,
) -> Mapping[str, Sequence[str]]:
    """Write the Parquet files of each date. Return their URIs by date."""
    plan = plan_columns(columns, shape)
    schema = json_to_parquet_columns.to_spark_schema(columns)
    paths: dict[str, Sequence[str]] = {}
    for date in sorted({scan.file.date_prefix for scan in scans if scan.rows}):
        date_scans = [scan for scan in scans if scan.rows and scan.file.date_prefix == date]
        rows = sum(scan.rows for scan in date_scans)
        estimate = sum(scan.content_bytes * scan.parquet_ratio for scan in date_scans)
        target = output.data_uri(date)
        written = passes.write(
            date_scans,
            plan,
            schema,
            target,
            tasks=count_writers(estimate, arguments.target_bytes, passes.cores),
            max_rows=max_rows_per_file(rows, estimate, arguments.target_bytes),
        )
        paths[date] = [uri for uri in storage.list_uris(target) if uri.endswith(".parquet")]
        stored = _count_stored_rows(storage, paths[date])
        if not written == stored == rows:
            raise RowsMissing(f"Spark wrote {written} of {rows} rows, and the lake contains {stored}")
    return paths


def _count_stored_rows(storage: ObjectStorage, uris: Iterable[str]) -> int:
    """Return the number of rows in Parquet files, read from their footers.

    Spark counts the rows that its tasks write, even if a task writes them to the disk of its own machine instead of the
    lake. So the job also counts the rows of the files that are in the lake.
    """
    with ThreadPoolExecutor(FOOTER_THREADS) as threads:
        return sum(threads.map(lambda uri: _count_rows(storage, uri), uris))


def _count_rows(storage: ObjectStorage, uri: str) -> int:
    end = storage.read_end(uri, FOOTER_BYTES)
    footer_bytes = int.from_bytes(end[-ENDING_BYTES:-4], "little") + ENDING_BYTES
    if footer_bytes > len(end):
        end = storage.read_end(uri, footer_bytes)
    return int(pq.read_metadata(pa.BufferReader(end)).num_rows)


if __name__ == "__main__":
    session = SparkSession.builder.getOrCreate()
    print(json.dumps({"event": "run_finished", **main(sys.argv[1:], session)}))  # noqa: T201 # Glue's log is its output
    session.stop()
