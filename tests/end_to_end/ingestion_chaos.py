"""Chaos run of ingestion: worker processes are killed at random times, and no row may be lost or doubled.

`python -m tests.end_to_end.ingestion_chaos` deploys the local stack to a separate emulator, and uploads the files of
`many_files.py` while Lambda workers and the processes of Glue runs are killed. Then it does the work of the schedules
and of an operator: it redrives dead letters, sweeps, and redrives failed manifests. At the end, each good line must be
in the lake exactly once, and each file must have its final status. The run takes about three minutes on two idle cores.

The emulator itself is not killed, because it holds the data of S3, DynamoDB and SQS in its memory.
"""

import argparse
import contextlib
import math
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import REGION
from local.flows import ResultNotInTime, eventually
from local.platform import emulator
from local.platform.emulator_clients import CONFIG, EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import Progress
from operations.__main__ import main as run_operation
from tests.end_to_end import many_files
from tests.end_to_end.deployed_ingestion import DeployedIngestion
from tests.end_to_end.deployment import Deployment, read_test_stack
from tests.process_tree import list_process_tree

PREFIX = "incoming/chaos"
SETTINGS: dict[str, Any] = {
    # These settings give many small invocations instead of a few large invocations.
    "intake": {"batchSize": 20, "batchWindowSeconds": 1},
    # A manifest can have few files. Then one bad line is a large share of its lines.
    "spark": {"maxRejectedShare": 1},
}
"""Settings of ingestion."""
VISIBILITY_SECONDS = 5
"""Visibility timeout of the intake queue. It is shorter than the deployed one, so that the messages of a killed builder
return during the run."""
MAX_KILL_SECONDS = 300
SWEEP_TIMEOUT_SECONDS = 330
"""Time to wait for the answer of a sweep. It is longer than the timeout of the sweeper."""
MAX_ROUNDS = 10
"""Maximum number of sweeps and redrives after the kills."""
LIFETIMES = ((0, 3), (3, 30))
"""Bounds of a process's lifetime in seconds. Half of the processes get a short life, in which they start and take their
first events. The others make progress on a busy machine too."""
SPARK_KILL_SHARE = 0.3
"""Share of the processes of Glue runs that are killed. A run consists of several."""


class ProcessKiller:
    """Thread that kills the workers of one emulator at random times."""

    def __init__(self, emulator_pid: int, seed: int) -> None:
        self._emulator_pid = emulator_pid
        self._random = random.Random(seed)  # noqa: S311 - the same choices for a seed
        self._kill_at: dict[int, float] = {}
        """Time of the kill of each process that was seen. It is infinite for a process that is not killed."""
        self._stop = threading.Event()
        self.kills: Counter[str] = Counter()
        """Number of killed processes by kind: `Spark`, or the name of a Lambda function."""

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name="killer")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            for pid in list_process_tree(self._emulator_pid)[1:]:
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    kind = find_kind(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"))
                    if kind and time.monotonic() > self._kill_at.setdefault(pid, self._choose_end(kind)):
                        os.kill(pid, signal.SIGKILL)
                        self._kill_at[pid] = math.inf
                        self.kills[kind] += 1

    def _choose_end(self, kind: str) -> float:
        if kind == "Spark" and self._random.random() > SPARK_KILL_SHARE:
            return math.inf
        return time.monotonic() + self._random.uniform(*self._random.choice(LIFETIMES))


def find_kind(command_line: str) -> str:
    """Return the kind of a worker process, or an empty text for another process."""
    if ".venv-spark" in command_line.partition("\0")[0]:
        return "Spark"
    # The folder of a Lambda worker is `ministack-lambda-<function>-<random>`.
    return command_line.partition("ministack-lambda-")[2].partition("/")[0].rpartition("-")[0]


class ChaosRun:
    """Platform, killer and number of files of one run."""

    def __init__(self, deployment: Deployment, files: int, seed: int) -> None:
        self.ingestion = DeployedIngestion(deployment)
        self.client, self.endpoint = deployment.client, deployment.emulator.endpoint
        self.files = files
        self.killer = ProcessKiller(deployment.emulator.pid, seed)
        self._functions = boto3.client(
            "lambda",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=emulator.ROOT_ACCESS_KEY,
            aws_secret_access_key=emulator.ROOT_ACCESS_KEY,
            config=CONFIG.merge(Config(read_timeout=SWEEP_TIMEOUT_SECONDS)),
        )
        self.client("sqs").set_queue_attributes(
            QueueUrl=self.ingestion.queue_url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        )

    def run(self) -> None:
        """Upload the files and let them be processed while workers are killed. Then repair the incomplete work."""
        with self.killer.active():
            many_files.upload(self.ingestion, PREFIX, self.files)
            for record in self.ingestion.list_files()[:: many_files.REPEATED_EVERY]:
                self.ingestion.notify_again(record)
            with contextlib.suppress(ResultNotInTime):
                eventually(self._sweep_until_idle, "the end of all runs", MAX_KILL_SECONDS)
        for _ in range(MAX_ROUNDS):
            print_line(f"{dict(self.ingestion.count_by_status(PREFIX))}; {self.killer.kills.total()} kills")
            self._repair()
            if self.count_final() == self.files + 2:
                return

    def count_final(self) -> int:
        statuses = self.ingestion.count_by_status(PREFIX)
        return statuses["processed"] + statuses["rejected"]

    def _sweep_until_idle(self) -> bool | None:
        """Sweep as the schedule does. Return True if no file waits for a run and no run is active."""
        self._sweep()
        statuses = self.ingestion.count_by_status(PREFIX)
        is_waiting = statuses["pending"] or statuses.total() < self.files + 2
        return None if is_waiting or "RUNNING" in self.ingestion.execution_statuses().values() else True

    def _repair(self) -> None:
        """Do the work of the schedules and of an operator a quarter of an hour after the last kill."""
        self._redrive_dead_letters()
        self.ingestion.wait_until_empty(300)
        self.ingestion.wait_until_ended(900)
        # `$LATEST` has the code of the live version, but looks up executions of manifests that are a second old, not 15
        # minutes.
        function = self.ingestion.sweeper.partition(":")[0]
        variables = self._functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        self._functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": {**variables, "CHECK_SECONDS": "1"}}
        )
        self._sweep(qualifier="$LATEST")
        self.ingestion.wait_until_ended(900)
        self._sweep(qualifier="$LATEST")
        files = self.ingestion.list_files()
        for manifest in sorted({item["manifest_id"]["S"] for item in files if item["status"]["S"] == "failed"}):
            with contextlib.redirect_stderr(sys.stdout):
                run_operation(
                    ["redrive", "--stack", "local", manifest],
                    clients=self.client,
                    resources=EmulatorClients(self.endpoint).resource,
                    print_line=print_line,
                )
        self.ingestion.wait_until_ended(900)

    def _redrive_dead_letters(self) -> None:
        sqs, url = self.client("sqs"), self.ingestion.dead_letters_url
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.ingestion.send(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _sweep(self, qualifier: str = "live") -> None:
        """Invoke the sweeper. A killed invocation is repeated by the next sweep."""
        self._functions.invoke(
            FunctionName=self.ingestion.sweeper.partition(":")[0], Qualifier=qualifier, Payload=b'{"kind": "flush"}'
        )

    def find_problems(self) -> list[str]:
        """Return a text for each number of files with a wrong status, and for each row that is not exactly once in the lake."""
        statuses, expected_statuses = (
            self.ingestion.count_by_status(PREFIX),
            Counter(processed=self.files, rejected=2),
        )
        rows = Counter(many_files.read_rows(self.ingestion, PREFIX))
        expected_rows = Counter(many_files.list_expected_rows(self.files))
        wrong_rows = [row for row in rows.keys() | expected_rows.keys() if rows[row] != expected_rows[row]]
        print_line(f"statuses: {dict(statuses)}; rows: {rows.total()}; kills: {dict(self.killer.kills)}")
        return [
            *([] if statuses == expected_statuses else [f"statuses: {statuses}, expected {expected_statuses}"]),
            *(f"{row}: {rows[row]} times in the lake, expected {expected_rows[row]}" for row in wrong_rows),
        ]


def print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the report is the output


@contextlib.contextmanager
def deployed_platform(folder: Path) -> Iterator[Deployment]:
    """Deploy the local stack with the settings of this run to a new emulator."""
    with emulator.start(folder) as started:
        deployed = deploy(read_test_stack(**SETTINGS), started.emulator, Progress())
        clients = EmulatorClients(started.emulator.endpoint)
        yield Deployment(started.emulator, clients, deployed.ids, deployed.outputs)


def main() -> int:
    """Start the chaos run. Return 1 if there are wrong results, otherwise 0."""
    parser = argparse.ArgumentParser(prog="ingestion_chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print_line(f"Chaos run of ingestion with seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder, deployed_platform(Path(folder)) as deployment:
        chaos_run = ChaosRun(deployment, options.files, options.seed)
        chaos_run.run()
        problems = chaos_run.find_problems()
    for problem in problems:
        print_line(f"  {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
