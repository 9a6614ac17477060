"""The Glue job: one manifest's NDJSON into the lake as Parquet. Glue runs this file; all else comes in the handlers' zip.

Two passes. The first decides: which lines are records, which columns hold them all, whether too much is bad to go on.
The second writes. Versions are immutable, so both see the same. Then the output is published, see `publishing`.
The log has counts only.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import SparkSession

from handlers.ingestion.glue import file_list_and_result, parquet_columns
from handlers.ingestion.glue.arrow_batches import plan
from handlers.ingestion.glue.file_scan import Scan
from handlers.ingestion.glue.job_arguments import Arguments, parsed
from handlers.ingestion.glue.json_records import DataProblem
from handlers.ingestion.glue.json_shapes import MAX_NODES, Shape, narrow
from handlers.ingestion.glue.object_storage import Storage, open_storage
from handlers.ingestion.glue.run_output import RunOutput, read_if_there
from handlers.ingestion.glue.spark_stages import Stages
from handlers.ingestion.glue.task_distribution import max_rows_per_file, writers

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Or one date before 1582 fails the whole run.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}
STATUSES = ("processed", "rejected", "superseded")


class TooManyRejected(Exception):
    """More of the manifest's lines are bad than the setting allows: nothing is published."""


class VersionsGone(Exception):
    """Files of which readers see rows cannot be read any more: publishing would take those rows away."""


class RowsMissing(Exception):
    """Not as many rows were written as the first pass has found: nothing is published."""


def main(argv: Sequence[str], spark: SparkSession) -> dict[str, Any]:
    """One run. Gives its counts."""
    arguments = parsed(argv)
    for key, value in SETTINGS.items():
        spark.conf.set(key, value)
    storage, stages = open_storage(arguments.lake_uri), Stages(spark)
    given = parquet_columns.given(stages.schema(arguments.schema_ddl)) if arguments.schema_ddl else None
    wanted, before = _wanted(arguments, storage)
    output = RunOutput(
        storage, arguments.lake_uri, wanted.manifest_id, arguments.run_id, (one.date_prefix for one in wanted.files)
    )
    output.begin()
    laps = Laps()
    scans = stages.scan(wanted.files, output.rejected) if wanted.files else []
    _refuse_to_forget(scans, before, output)
    _refuse_if_too_bad(scans, arguments.max_rejected_share)
    laps.end("seconds_first_pass")
    seen = Shape()
    for scan in scans:
        seen.merge(scan.shape)
    narrow(seen, MAX_NODES)
    chosen = given or parquet_columns.inferred(seen)
    paths = _written(scans, chosen, seen, stages, output, storage, arguments)
    laps.end("seconds_second_pass")
    output.publish(paths)
    outcomes = [scan.outcome() for scan in scans]
    output.finish(file_list_and_result.result(wanted.manifest_id, arguments.run_id, outcomes, chosen.widened))
    return {
        "files": len(outcomes),
        **{f"files_{status}": sum(one.status == status for one in outcomes) for status in STATUSES},
        "rows": sum(one.rows for one in outcomes),
        "rejected_rows": sum(one.rejected_rows for one in outcomes),
        "content_bytes": sum(scan.content_bytes for scan in scans),
        "parquet_files": sum(len(one) for one in paths.values()),
        "columns": len(chosen.fields),
        "columns_widened": len(chosen.widened),
        **laps.seconds,
    }


class Laps:
    """How long the parts of a run took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def end(self, part: str) -> None:
        """Ends a part; the next begins."""
        now = time.monotonic()
        self.seconds[part], self._since = round(now - self._since, 3), now


def _wanted(arguments: Arguments, storage: Storage) -> tuple[file_list_and_result.FileList, bytes | None]:
    """The files to read, and the result of the run before this one, where one came to its end."""
    confirmed = file_list_and_result.file_list(storage.read(arguments.manifest_uri))
    listed = f"{arguments.lake_uri}manifests/{confirmed.manifest_id}"
    before = read_if_there(storage, f"{listed}.result.json")
    published = file_list_and_result.published_keys(before)
    built = read_if_there(storage, f"{listed}.json") if published else None
    return file_list_and_result.with_published(
        confirmed, file_list_and_result.file_list(built) if built else None, published
    ), before


def _refuse_to_forget(scans: Sequence[Scan], before: bytes | None, output: RunOutput) -> None:
    """A version that is gone or sealed gives no rows, so nothing of it may be published already.

    A run that died between its pointers and its result told of nothing: what it published may be of any file.
    """
    published, told = file_list_and_result.published_keys(before), file_list_and_result.told_keys(before)
    gone = [scan.file for scan in scans if scan.never_read in {DataProblem.VERSION_GONE, DataProblem.SEALED}]
    lost = [
        one
        for one in gone
        if one.file_key in published or (one.file_key not in told and output.visible(one.date_prefix))
    ]
    if lost:
        raise VersionsGone(
            f"{len(lost)} of the versions are gone or sealed and published already, and this run would take their rows "
            "away: see the runbook workflow-failures"
        )


def _refuse_if_too_bad(scans: Sequence[Scan], most: float) -> None:
    """A file without any good line is rejected as a whole, and says nothing about the lines of the others."""
    readable = [scan for scan in scans if scan.rows]
    bad = sum(scan.bad.total() for scan in readable)
    total = bad + sum(scan.rows for scan in readable)
    if total and bad / total > most:
        raise TooManyRejected(f"{bad} of {total} lines are bad, {most:.2%} are allowed")


def _written(
    scans: Sequence[Scan],
    chosen: parquet_columns.Columns,
    seen: Shape,
    stages: Stages,
    output: RunOutput,
    storage: Storage,
    arguments: Arguments,
) -> Mapping[str, Sequence[str]]:
    """Writes each date's Parquet; gives the paths by date."""
    steps = plan(chosen, seen)
    schema = parquet_columns.spark_schema(chosen)
    paths: dict[str, Sequence[str]] = {}
    for date in sorted({scan.file.date_prefix for scan in scans if scan.rows}):
        some = [scan for scan in scans if scan.rows and scan.file.date_prefix == date]
        rows = sum(scan.rows for scan in some)
        estimate = sum(scan.content_bytes * scan.packed_share for scan in some)
        target = output.data(date)
        written = stages.write(
            some,
            steps,
            schema,
            target,
            tasks=writers(estimate, arguments.target_bytes, stages.cores),
            most=max_rows_per_file(rows, estimate, arguments.target_bytes),
        )
        if written != rows:
            raise RowsMissing(f"{written} of {rows} rows were written")
        paths[date] = [uri for uri in storage.list_uris(target) if uri.endswith(".parquet")]
    return paths


if __name__ == "__main__":
    session = SparkSession.builder.getOrCreate()
    print(json.dumps({"event": "run_finished", **main(sys.argv[1:], session)}))  # noqa: T201 # Glue's log is its output
    session.stop()
