"""Operations on ingestion that the console offers on the local platform only: show the rows of a file, and process the
waiting files early.

On AWS, rows are queried with Athena, and waiting files are processed after `manifests.flushMinutes`.
"""

import tempfile
from pathlib import Path
from typing import Any

from local import CannotRun
from local.emulation.glue import spark_process
from local.flows import invoke
from local.platform import lifecycle
from local.platform.emulator_clients import EmulatorClients
from local.platform.frontend_file import NOT_RUNNING_ERROR, FrontendUnavailable

MAX_ROWS = 50
"""Maximum number of rows that the page gets."""


def read_file_rows(folder: Path, manifest_id: str, key: str, version: str) -> dict[str, Any]:
    """Return the first rows of a file version in `rows`, and the number of its rows in `total`.

    `manifest_id` is the manifest that the file's record names. Only the Parquet files of its pointers are read.
    """
    running = _find_platform(folder)
    lake = running["ids"]["ingestion-lake-bucket"]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            variables = spark_process.spark_environment(Path(scratch), endpoint=running["endpoint"])
            with spark_process.SparkChildSession(variables) as session:
                return session.file_rows(f"s3://{lake}/", manifest_id, (key, version), MAX_ROWS)
        except spark_process.SparkMissing as error:
            raise CannotRun(str(error)) from error
        except spark_process.SparkSessionEnded as error:
            raise CannotRun("The rows cannot be read, because the process that reads them has failed.") from error


def flush_files(folder: Path) -> dict[str, int]:
    """Invoke the sweeper with `flush`. Return the number of full manifests, and of the files in other manifests."""
    running = _find_platform(folder)
    function = f"{running['ids']['ingestion-sweeper-function']}:live"
    swept = invoke(EmulatorClients(running["endpoint"]), function, kind="flush")
    if "manifests" not in swept:
        raise CannotRun("The sweeper failed. Its log group is /aws/lambda/polyphony-local-ingestion-sweeper.")
    return {"manifests": swept["manifests"], "files": swept["files"]}


def _find_platform(folder: Path) -> dict[str, Any]:
    running = lifecycle.find_running_platform(folder)
    if running is None:
        raise FrontendUnavailable(NOT_RUNNING_ERROR)
    return running
