"""Two operations of ingestion that the console offers only on the local platform (`console_server.py` calls them): show a
file's rows, and process the waiting files at once.

Ingestion converts uploaded files to Parquet in groups, which are called manifests. Files wait until a manifest is full,
but at most `manifests.flushMinutes`. On AWS, the rows are queried with Athena.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from local import CannotRun
from local.emulation.glue import spark_process
from local.platform.emulator_clients import EmulatorClients, invoke
from local.platform.frontend_file import find_platform

MAX_ROWS = 50
"""Maximum number of rows that the page gets."""


def read_file_rows(folder: Path, manifest_id: str, key: str, version: str) -> dict[str, Any]:
    """Return the first rows of a file version in `rows`, and the number of all its rows in `total`.

    `manifest_id` is the manifest with which the file was processed, so only this manifest's Parquet files are read.
    """
    running = find_platform(folder)
    lake = running["ids"]["ingestion-lake-bucket"]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            variables = spark_process.spark_environment(Path(scratch), endpoint=running["endpoint"])
            with spark_process.start_session(variables) as session:
                found = session.file_rows(f"s3://{lake}/", manifest_id, (key, version), MAX_ROWS)
        except spark_process.SparkMissing as error:
            raise CannotRun(str(error)) from error
        except spark_process.SparkSessionEnded as error:
            raise CannotRun("The rows cannot be read, because the process that reads them has failed.") from error
    # If the columns do not hold all values of a row, `_record` has the whole line. It adds the fields without a column.
    rows = [{**json.loads(row["_record"] or "{}"), **row} for row in found["rows"]]
    return {**found, "rows": rows}


def flush_files(folder: Path) -> dict[str, int]:
    """Let ingestion's sweeper, a function that usually runs on a schedule, put the waiting files into manifests.

    The processing of these manifests then starts. Return the number of new manifests in `manifests`, and the number of
    their files in `files`.
    """
    running = find_platform(folder)
    function = f"{running['ids']['ingestion-sweeper-function']}:live"
    swept = invoke(EmulatorClients(running["endpoint"]), function, kind="flush")
    if "manifests" not in swept:
        raise CannotRun("The sweeper failed. Its log group is /aws/lambda/polyphony-local-ingestion-sweeper.")
    return {"manifests": swept["manifests"], "files": swept["files"]}
