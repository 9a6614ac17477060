"""Runs Glue jobs with real Spark on this machine, with the credentials of the job's role.

This module implements the integration `glue:startJobRun.sync`, by which a workflow runs a job, because the emulator's
Step Functions lacks this integration. The emulator's own operation `StartJobRun` would run the script without Spark and
with the root user's credentials.
"""

import secrets
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ministack.services import glue

from local.emulation import get_private
from local.emulation.emulator_account_access import endpoint, open_session
from local.emulation.glue import spark_process
from local.emulation.step_functions.state_machine_tasks import task_error

LIBRARY_OPTION = "--extra-py-files"
"""Argument of a job with the S3 URI of its library. It is for Glue itself, and is not passed to the script."""


class GlueJobRuns:
    """Runs of Glue jobs, which `StateMachineTasks` starts. Only one Spark process runs at a time."""

    def __init__(self, log_folder: Path) -> None:
        """The output and errors of all runs are written to `glue.log` in `log_folder`."""
        self._log_folder = log_folder
        # On a small machine, two Spark processes at the same time take longer than one after the other.
        self._run_lock = threading.Lock()

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a job to its end, and return the finished job run. Raise a task error if the run fails.

        A job must have a library, as the only job of this project has.
        """
        name = str(request["JobName"])
        job = get_private(glue, "_jobs").get(name)
        if job is None:
            raise task_error("Glue.EntityNotFoundException", f"Job {name} not found")
        if not spark_process.is_installed():
            error = f"{spark_process.NOT_INSTALLED} Then upload the files again."  # the files of the failed manifest
            self._write_log(error)
            raise task_error("States.TaskFailed", error)
        run_id = f"jr_{secrets.token_hex(16)}"
        run_arguments = {"--JOB_NAME": name, "--JOB_RUN_ID": run_id}
        arguments = {**(job.get("DefaultArguments") or {}), **(request.get("Arguments") or {}), **run_arguments}
        credentials = open_session(str(job["Role"]), run_id)
        with tempfile.TemporaryDirectory(prefix="glue-") as scratch:
            folder = Path(scratch)
            s3 = credentials.to_session().client("s3", endpoint_url=endpoint())
            script = _download(s3, str(job["Command"]["ScriptLocation"]), folder)
            library = _download(s3, str(arguments.pop(LIBRARY_OPTION)), folder)
            variables = spark_process.spark_environment(
                folder, endpoint=endpoint(), credentials=(credentials.key, credentials.secret), import_path=library
            )
            variables["AWS_SESSION_TOKEN"] = credentials.token  # only the credentials of a role have one
            command_line = [part for key, value in arguments.items() for part in (key, str(value))]
            command_line.append(spark_process.LOCAL_SPARK_FLAG)
            with self._run_lock:
                process = subprocess.run(
                    [str(spark_process.PYTHON), "-P", str(script), *command_line],
                    env=variables,
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    check=False,
                )
        self._write_log(f"{run_id} ended with {process.returncode}\n{process.stdout}{process.stderr}")
        if process.returncode != 0:
            last_line = process.stderr.strip().rpartition("\n")[2]
            raise task_error("States.TaskFailed", f"Job run {run_id} failed. The last line of its output: {last_line}")
        return {"Id": run_id, "JobName": name, "JobRunState": "SUCCEEDED"}

    def _write_log(self, text: str) -> None:
        with (self._log_folder / "glue.log").open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")


def _download(s3: Any, uri: str, folder: Path) -> Path:
    """Download the object with this S3 URI into a folder. Return the path of the file."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    target = folder / key.rpartition("/")[2]
    target.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return target
