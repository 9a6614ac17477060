"""Runs Glue jobs as deployed: script and library out of the bucket, the job role's credentials, real Spark.

Registered as Step Functions' `glue:startJobRun.sync`, which the emulator lacks. Its own `StartJobRun` would run the
script without Spark and with the emulator's keys.
"""

import secrets
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ministack.services import glue

from local import spark
from local.patches import integrations, reached
from local.patches.integrations import failed
from local.patches.itself import endpoint
from local.patches.sessions import opened

RESOURCE = "arn:aws:states:::glue:startJobRun"
OWN_OPTIONS = frozenset({"--extra-py-files"})
"""Options that Glue itself acts on; the script sees them too, and these are acted on here."""


def install(folder: Path) -> None:
    """Registers the integration, and replaces `glue._create_job`, which forgets how many runs there may be at once."""
    create = reached(glue, "_create_job")

    def create_and_keep(data: Mapping[str, Any]) -> Any:
        answer = create(data)
        if "ExecutionProperty" in data and data["Name"] in reached(glue, "_jobs"):
            reached(glue, "_jobs")[data["Name"]]["ExecutionProperty"] = data["ExecutionProperty"]
        return answer

    glue._create_job = create_and_keep  # noqa: SLF001
    integrations.add(RESOURCE, GlueRuns(folder))


class GlueRuns:
    """Starts a run, waits for it, and answers as the service does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()
        # Two Java machines at once on a small machine take longer than one after the other.
        self._turn = threading.Lock()

    def __call__(self, _resource: str, given: Mapping[str, Any]) -> dict[str, Any]:
        name = str(given["JobName"])
        job = reached(glue, "_jobs").get(name)
        if job is None:
            raise failed("Glue.EntityNotFoundException", f"Job {name} not found")
        self._take_a_place(name, job)
        try:
            return self._run(name, job, given.get("Arguments") or {})
        finally:
            with self._lock:
                self._running[name] -= 1

    def _take_a_place(self, name: str, job: Mapping[str, Any]) -> None:
        most = int((job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1))
        with self._lock:
            if self._running[name] >= most:
                raise failed("Glue.ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
            self._running[name] += 1

    def _run(self, name: str, job: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
        run_id = f"jr_{secrets.token_hex(16)}"
        arguments = {**(job.get("DefaultArguments") or {}), **given, "--JOB_NAME": name, "--JOB_RUN_ID": run_id}
        credentials = opened(str(job["Role"]), run_id)
        with tempfile.TemporaryDirectory(prefix="glue-") as scratch:
            folder = Path(scratch)
            s3 = credentials.boto3().client("s3", endpoint_url=endpoint())
            script = _fetched(s3, str(job["Command"]["ScriptLocation"]), folder)
            library = _fetched(s3, str(arguments["--extra-py-files"]), folder)
            variables = spark.environment(
                folder,
                endpoint=endpoint(),
                credentials=(credentials.key, credentials.secret),
                import_path=library,
            )
            variables["AWS_SESSION_TOKEN"] = credentials.token
            options = [part for key, value in arguments.items() if key not in OWN_OPTIONS for part in (key, str(value))]
            with self._turn:
                done = spark.run(options, variables, script)
        with (self._folder / "glue.log").open("a", encoding="utf-8") as log:
            log.write(f"{run_id} ended with {done.returncode}\n{done.stdout}{done.stderr}\n")
        if done.returncode != 0:
            raise failed("States.TaskFailed", f"Job run {run_id} failed: {done.stderr.strip().splitlines()[-1:]}")
        return {"Id": run_id, "JobName": name, "JobRunState": "SUCCEEDED"}


def _fetched(s3: Any, uri: str, folder: Path) -> Path:
    """An object of the bucket as a file, read with the job's own role."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    target = folder / key.rpartition("/")[2]
    target.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return target
