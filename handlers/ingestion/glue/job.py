"""Spark job on Glue: converts the NDJSON files of one manifest (a list of files) to Parquet in the lake bucket.

Glue runs this file as its script. The modules that it imports are in a zip file with the code of all handlers.

The job reads each file once, by version, and keeps the lines that are records. If too many lines are rejected, it
stops. Otherwise it writes the rows, counts the rows in the written files, and publishes them to readers, as
`publication` describes. The log contains only counts, because other texts could quote customer data.
"""

import argparse
import json
import math
import secrets
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError
from pyspark.sql import DataFrame, SparkSession

from handlers.ingestion.glue import rows
from handlers.ingestion.glue.lines import FileOutcome
from handlers.ingestion.glue.publication import ManifestRun

SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Without this, one date before 1582 fails the whole run.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    # A value that does not fit becomes null, and neither the other values of its row nor the run are affected.
    "spark.sql.ansi.enabled": "false",
    "spark.sql.json.enablePartialResults": "true",
    # Without this, a date that Spark 2 would have read, such as 2026-13-01, fails the whole run.
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # The lines differ, so compression would cost time and save little.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}
PARQUET_SHARE = 0.7
"""Estimated size of the Parquet files relative to the unpacked lines."""
ENDING_BYTES = 8
"""Size of the end of a Parquet file: the length of its footer (four bytes, little-endian) and the text `PAR1`."""


class TooManyRejected(Exception):
    """The share of rejected lines exceeds the setting, so nothing is published."""


class RowsMissing(Exception):
    """The lake contains another number of rows than the files have records. Nothing is published."""


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options of Glue's command line. Options that Glue adds for itself are ignored.

    Glue's own helper is not used, because it exists only on Glue.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--manifest_uri", required=True, help="the list of files that the workflow confirmed")
    parser.add_argument("--lake_uri", required=True)
    parser.add_argument("--run_id", required=True)
    # Glue drops an empty value but keeps its name.
    parser.add_argument("--schema_ddl", nargs="?", default="", const="", help="columns of the data")
    parser.add_argument("--max_rejected_share", type=float, required=True)
    parser.add_argument("--target_file_mb", type=int, required=True)
    parser.add_argument("--local_spark", action="store_true", help="Spark runs on one machine and cannot write to S3")
    return parser.parse_known_args(list(argv))[0]


def main(argv: Sequence[str], spark: SparkSession) -> dict[str, Any]:
    """Run the job. Return the counts for the log."""
    try:
        return _run(argv, spark)
    except (BotoCoreError, ClientError) as error:
        raise rows.JobFailed(rows.describe_error(error)) from None


def _run(argv: Sequence[str], spark: SparkSession) -> dict[str, Any]:
    options = parse_arguments(argv)
    for key, value in SPARK_SETTINGS.items():
        spark.conf.set(key, value)
    lake = options.lake_uri.removeprefix("s3://").rstrip("/")
    # The name of the run must be unique, but Glue and Step Functions can use a run id twice.
    name = f"{options.run_id}-{secrets.token_hex(4)}"
    run = ManifestRun(rows.connect_s3(), lake, options.manifest_uri.removeprefix(f"s3://{lake}/"), name)
    run.begin()
    columns = spark.createDataFrame([], options.schema_ddl or "").schema
    types = {field["name"]: field["type"] for field in columns.jsonValue()["fields"]}
    folders = [run.folder_key("rejected", file.date_prefix) for file in run.files]
    rejected_keys = [f"{folder}{index:05}" for index, folder in enumerate(folders)]
    lines = rows.read_lines(spark, rows.ReadTask(run.files, lake, rejected_keys, types))
    outcomes = rows.collect_outcomes(lines)
    run.check_published_files(outcomes)
    _check_rejected_share(outcomes, options.max_rejected_share)
    keys = {}  # the keys of the Parquet files, by date
    for date in run.dates:
        files = [
            (index, file) for index, file in enumerate(run.files) if file.date_prefix == date and outcomes[index].rows
        ]
        if files:
            date_outcomes = [outcomes[index] for index, _ in files]
            frame = rows.to_rows(spark, lines, files, columns)
            folder_key = run.folder_key("data", date)
            _save(frame, date_outcomes, folder_key, lake, options)
            keys[date] = run.list_keys(folder_key)
            _check_rows(lake, keys[date], sum(outcome.rows for outcome in date_outcomes))
    lines.unpersist()
    run.publish(keys)
    run.finish(outcomes)
    return {
        "files": len(outcomes),
        "rows": sum(outcome.rows for outcome in outcomes),
        "rejected_rows": sum(outcome.rejected_rows for outcome in outcomes),
    }


def _check_rejected_share(outcomes: Sequence[FileOutcome], max_share: float) -> None:
    """Raise TooManyRejected if too many lines are rejected.

    Files without a record are left out. A file in which all lines are rejected is rejected as a whole, and its
    lines show nothing about the other files.
    """
    readable = [outcome for outcome in outcomes if outcome.rows]
    rejected = sum(outcome.rejected_rows for outcome in readable)
    total = rejected + sum(outcome.rows for outcome in readable)
    if total and rejected / total > max_share:
        raise TooManyRejected(f"{rejected} of {total} lines are rejected; the limit is {max_share:.2%}")


def _save(
    frame: DataFrame, outcomes: Sequence[FileOutcome], folder_key: str, lake: str, options: argparse.Namespace
) -> None:
    """Write the rows of a date as Parquet files of about the target size."""
    target = options.target_file_mb * 1024**2
    estimate = PARQUET_SHARE * sum(outcome.content_bytes for outcome in outcomes)
    writers = math.ceil(estimate / target)
    # The limit is half above the target. So a task that writes a little more than the target writes no small second file.
    max_rows = math.ceil(1.5 * sum(outcome.rows for outcome in outcomes) * target / estimate)
    if options.local_spark:
        rows.save_through_local_folder(frame.coalesce(writers), lake, folder_key, max_rows)
    else:
        rows.save(frame.coalesce(writers), f"s3://{lake}/{folder_key}", max_rows)


def _check_rows(lake: str, keys: Iterable[str], expected: int) -> None:
    """Raise RowsMissing unless the Parquet files have this number of rows, which is read from their footers.

    Spark counts the rows that its tasks write, even if a task writes them to the disk of its own machine instead of the
    lake. So the job counts the rows of the files that are in the lake.
    """
    stored = sum(_count_rows(lake, key) for key in keys)
    if stored != expected:
        raise RowsMissing(f"the lake contains {stored} of {expected} rows")


def _count_rows(lake: str, key: str) -> int:
    def read_end(size: int) -> bytes:
        return rows.connect_s3().get_object(Bucket=lake, Key=key, Range=f"bytes=-{size}")["Body"].read()

    footer_bytes = int.from_bytes(read_end(ENDING_BYTES)[:4], "little")
    return int(pq.read_metadata(pa.BufferReader(read_end(footer_bytes + ENDING_BYTES))).num_rows)


if __name__ == "__main__":
    session = SparkSession.builder.getOrCreate()
    print(json.dumps({"event": "run_finished", **main(sys.argv[1:], session)}))  # noqa: T201 # Glue's log is its output
    session.stop()
