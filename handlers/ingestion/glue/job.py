"""Spark job on Glue: converts the NDJSON files of one manifest to Parquet in the lake.

Glue runs this file as its script. The modules that it imports are in the handlers' zip.

The first pass decides which lines are records, which columns hold them, and whether too many lines are rejected. The
second pass writes the data. Both see the same content, because versions are immutable. Then the rows of the written files
are counted, and the output is published, as `run_output` describes. The log contains only counts.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import SparkSession

from handlers.ingestion.glue import file_list_and_result, parquet_column_inference
from handlers.ingestion.glue.arrow_batches import plan_columns
from handlers.ingestion.glue.file_scan import FileScan
from handlers.ingestion.glue.job_arguments import JobArguments, parse_arguments
from handlers.ingestion.glue.json_line_parser import DataProblem
from handlers.ingestion.glue.json_schema_inference import MAX_NODES, JsonShape, limit_nodes
from handlers.ingestion.glue.object_storage import ObjectStorage, open_storage
from handlers.ingestion.glue.parquet_row_count import count_stored_rows
from handlers.ingestion.glue.run_output import RunOutput, read_if_exists
from handlers.ingestion.glue.spark_stages import SparkStages
from handlers.ingestion.glue.task_sizing import count_writers, max_rows_per_file
from handlers.ingestion.manifest_s3_keys import list_key, result_key

SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Without this, one date before 1582 fails the whole run.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}
STATUSES = ("processed", "rejected", "superseded")
"""Statuses that a successful run can give a file."""


class TooManyRejected(Exception):
    """The share of rejected lines exceeds the setting, so nothing is published."""


class VersionsGone(Exception):
    """Files whose rows are published can no longer be read. Publishing would remove these rows."""


class RowsMissing(Exception):
    """The lake does not contain as many rows as the first pass counted, so nothing is published."""


def main(argv: Sequence[str], spark: SparkSession) -> dict[str, Any]:
    """Run the job. Return the counts for the log."""
    arguments = parse_arguments(argv)
    for key, value in SPARK_SETTINGS.items():
        spark.conf.set(key, value)
    storage, stages = open_storage(arguments.lake_uri), SparkStages(spark, local_spark=arguments.local_spark)
    schema_columns = (
        parquet_column_inference.columns_from_schema(stages.parse_schema(arguments.schema_ddl))
        if arguments.schema_ddl
        else None
    )
    file_list, previous_result = _read_input(arguments, storage)
    output = RunOutput(
        storage,
        arguments.lake_uri,
        file_list.manifest_id,
        arguments.run_id,
        (file.date_prefix for file in file_list.files),
    )
    output.begin()
    timer = PhaseTimer()
    scans = stages.scan(file_list.files, output.rejected_uri) if file_list.files else []
    _check_published_files(scans, previous_result, output)
    _check_rejected_share(scans, arguments.max_rejected_share)
    timer.end("seconds_first_pass")
    shape = JsonShape()
    for scan in scans:
        shape.merge(scan.shape)
    limit_nodes(shape, MAX_NODES)
    columns = schema_columns or parquet_column_inference.infer_columns(shape)
    paths = _write_data(scans, columns, shape, stages, output, storage, arguments)
    timer.end("seconds_second_pass")
    output.publish(paths)
    outcomes = [scan.outcome() for scan in scans]
    output.finish(
        file_list_and_result.format_result(file_list.manifest_id, arguments.run_id, outcomes, columns.widened)
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
    """Timer for the phases of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def end(self, phase: str) -> None:
        """End a phase and start the next one."""
        now = time.monotonic()
        self.seconds[phase], self._since = round(now - self._since, 3), now


def _read_input(arguments: JobArguments, storage: ObjectStorage) -> tuple[file_list_and_result.FileList, bytes | None]:
    """Return the files to process, and the result of the manifest's previous finished run, or None."""
    confirmed = file_list_and_result.parse_file_list(storage.read(arguments.manifest_uri))
    previous_result = read_if_exists(storage, f"{arguments.lake_uri}{result_key(confirmed.manifest_id)}")
    published = file_list_and_result.published_file_keys(previous_result)
    claimed = read_if_exists(storage, f"{arguments.lake_uri}{list_key(confirmed.manifest_id)}") if published else None
    return file_list_and_result.add_published_files(
        confirmed, file_list_and_result.parse_file_list(claimed) if claimed else None, published
    ), previous_result


def _check_published_files(scans: Sequence[FileScan], previous_result: bytes | None, output: RunOutput) -> None:
    """Raise VersionsGone if a version that can no longer be read may have published rows.

    A run that died after it wrote its pointers, but before its result, has reported no files. So a file that the latest
    result does not contain may be published too, if readers see rows of this manifest under the file's date.
    """
    published = file_list_and_result.published_file_keys(previous_result)
    reported = file_list_and_result.reported_file_keys(previous_result)
    unreadable = [scan.file for scan in scans if scan.unreadable in {DataProblem.VERSION_GONE, DataProblem.SEALED}]
    lost = [
        file
        for file in unreadable
        if file.file_key in published or (file.file_key not in reported and output.is_visible(file.date_prefix))
    ]
    if lost:
        raise VersionsGone(
            f"{len(lost)} published versions are deleted or sealed, so this run would remove their rows: "
            "see the runbook workflow-failures"
        )


def _check_rejected_share(scans: Sequence[FileScan], max_share: float) -> None:
    """Raise TooManyRejected if too many lines are rejected. Files without any record do not count.

    Such a file is rejected as a whole, and its lines show nothing about the lines of the other files.
    """
    readable = [scan for scan in scans if scan.rows]
    rejected = sum(scan.rejected.total() for scan in readable)
    total = rejected + sum(scan.rows for scan in readable)
    if total and rejected / total > max_share:
        raise TooManyRejected(f"{rejected} of {total} lines are rejected; the limit is {max_share:.2%}")


def _write_data(
    scans: Sequence[FileScan],
    columns: parquet_column_inference.TableColumns,
    shape: JsonShape,
    stages: SparkStages,
    output: RunOutput,
    storage: ObjectStorage,
    arguments: JobArguments,
) -> Mapping[str, Sequence[str]]:
    """Write the Parquet files of each date. Return their URIs by date."""
    plan = plan_columns(columns, shape)
    schema = parquet_column_inference.to_spark_schema(columns)
    paths: dict[str, Sequence[str]] = {}
    for date in sorted({scan.file.date_prefix for scan in scans if scan.rows}):
        date_scans = [scan for scan in scans if scan.rows and scan.file.date_prefix == date]
        rows = sum(scan.rows for scan in date_scans)
        estimate = sum(scan.content_bytes * scan.parquet_ratio for scan in date_scans)
        target = output.data_uri(date)
        written = stages.write(
            date_scans,
            plan,
            schema,
            target,
            tasks=count_writers(estimate, arguments.target_bytes, stages.cores),
            max_rows=max_rows_per_file(rows, estimate, arguments.target_bytes),
        )
        paths[date] = [uri for uri in storage.list_uris(target) if uri.endswith(".parquet")]
        stored = count_stored_rows(storage, paths[date])
        if not written == stored == rows:
            raise RowsMissing(f"Spark wrote {written} of {rows} rows, and the lake contains {stored}")
    return paths


if __name__ == "__main__":
    session = SparkSession.builder.getOrCreate()
    print(json.dumps({"event": "run_finished", **main(sys.argv[1:], session)}))  # noqa: T201 # Glue's log is its output
    session.stop()
