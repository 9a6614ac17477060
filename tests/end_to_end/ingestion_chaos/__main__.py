"""Chaos run of ingestion: 1,000 files, a tenth of them damaged, while worker processes are killed at random times.

`make fuzz` starts it: `.venv/bin/python -m tests.end_to_end.ingestion_chaos`. It deploys the platform to a separate
emulator, and uploads the files while workers are killed. Then it does the work of the schedules and of an operator: it
redrives dead letters, sweeps, and redrives failed manifests. At the end, each good line must be in the lake exactly
once, and each file must have its final status. The run takes about three minutes on two idle cores.
"""

import argparse
import contextlib
import dataclasses
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
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
from tests.end_to_end.deployment import Deployment, read_test_stack
from tests.end_to_end.ingestion_chaos.process_killer import ProcessKiller
from tests.end_to_end.ingestion_chaos.result_check import find_wrong_results
from tests.end_to_end.ingestion_chaos.uploaded_files import UploadedFile, expected_result, generate_files
from tests.end_to_end.ingestion_client import IngestionRuns

PREFIX = "incoming/chaos/"
SETTINGS: dict[str, dict[str, Any]] = {
    "intake": {"batchSize": 20, "batchWindowSeconds": 1},
    "manifests": {"files": 100},
    "spark": {"columns": {"id": "bigint", "text": "string", "value": "double"}},
}
"""Settings that give many small invocations and runs instead of a few large runs."""
VISIBILITY_SECONDS = 5
"""Visibility timeout of the intake queue. It is shorter than the deployed one, so that the messages of a killed builder
return during the run."""
MAX_KILL_SECONDS = 300
"""Maximum time during which processes are killed."""
FILES_PER_GROUP = 24
"""Number of files that are uploaded without a pause."""
REPEATED_NOTIFICATION_EVERY = 20
"""The notification of every n-th file is sent twice."""
SWEEP_TIMEOUT_SECONDS = 330
"""Time to wait for the answer of a sweep. It is longer than the timeout of the sweeper."""
MAX_ROUNDS = 10
"""Maximum number of sweeps and redrives after the kills."""


class ChaosRun:
    """Files, platform and killer of one run."""

    def __init__(self, deployment: Deployment, files: list[UploadedFile], seed: int) -> None:
        self.runs = IngestionRuns(deployment)
        self.intake = self.runs.intake
        self.client = deployment.client
        self._resources = EmulatorClients(deployment.emulator.endpoint).resource
        self.files = files
        self.files_by_version: dict[tuple[str, str], UploadedFile] = {}
        """Uploaded files by key and version."""
        self.killer = ProcessKiller(deployment.emulator.pid, seed)
        self.redrives: Counter[str] = Counter()
        self._functions = boto3.client(
            "lambda",
            endpoint_url=deployment.emulator.endpoint,
            region_name=REGION,
            aws_access_key_id=emulator.ROOT_ACCESS_KEY,
            aws_secret_access_key=emulator.ROOT_ACCESS_KEY,
            config=CONFIG.merge(Config(read_timeout=SWEEP_TIMEOUT_SECONDS)),
        )
        self._random = random.Random(seed)  # noqa: S311 - the same choices for a seed
        self.client("sqs").set_queue_attributes(
            QueueUrl=self.intake.queue_url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        )

    def run(self) -> None:
        """Upload the files and let them be processed while workers are killed. Then repair the incomplete work."""
        started = time.monotonic()
        with self.killer.active():
            self._upload()
            self._print_progress("uploaded")
            with contextlib.suppress(ResultNotInTime):
                self._process(MAX_KILL_SECONDS - (time.monotonic() - started))
        self._print_progress("no more kills")
        for _ in range(MAX_ROUNDS):
            self._repair()
            self._print_progress("swept and redriven")
            if self._is_done():
                return

    def _print_progress(self, phase: str) -> None:
        counts = self.runs.count_by_status(PREFIX)
        print_line(f"{phase}: {_join(counts)}; {self.killer.kills.total()} kills")

    def _upload(self) -> None:
        """Upload the files in groups, with pauses of random length."""
        with ThreadPoolExecutor(8) as pool:
            for start in range(0, len(self.files), FILES_PER_GROUP):
                group = self.files[start : start + FILES_PER_GROUP]
                versions = pool.map(lambda file: self.intake.upload(file.key, file.body), group)
                for file, version in zip(group, versions, strict=True):
                    self.files_by_version[file.key, version] = file
                time.sleep(self._random.uniform(0, 0.6))
        for record in self.intake.list_files()[::REPEATED_NOTIFICATION_EVERY]:
            self.intake.notify_again(record)

    def _process(self, seconds: float) -> None:
        """Sweep as the schedule does, until no file waits for a run and no run is active."""

        def is_idle() -> bool | None:
            self._sweep()
            statuses = self.runs.count_by_status(PREFIX)
            is_waiting = statuses["pending"] or statuses.total() < len(self.files)
            return None if is_waiting or "RUNNING" in self.runs.execution_statuses().values() else True

        eventually(is_idle, "the end of all runs", seconds)

    def _repair(self) -> None:
        """Do the work of the schedules and of an operator a quarter of an hour after the last kill."""
        self._redrive_dead_letters()
        eventually(lambda: self.intake.count_messages(self.intake.queue_url) == (0, 0) or None, "an empty queue", 300)
        self._wait_for_executions()
        # `$LATEST` has the code of the live version, but looks up executions of manifests that are a second old, not 15
        # minutes.
        self._shorten_check_age()
        self._sweep(qualifier="$LATEST")
        self._wait_for_executions()
        self._sweep(qualifier="$LATEST")
        for manifest_id in self._list_failed_manifests():
            with contextlib.redirect_stderr(sys.stdout):
                run_operation(
                    ["redrive", "--stack", "local", manifest_id],
                    clients=self.client,
                    resources=self._resources,
                    print_line=print_line,
                )
            self.redrives["manifests"] += 1
        self._wait_for_executions()

    def _redrive_dead_letters(self) -> None:
        sqs, url = self.client("sqs"), self.intake.dead_letters_url
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.intake.send(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                self.redrives["dead letters"] += 1

    def _shorten_check_age(self) -> None:
        """Set the age after which `$LATEST` of the sweeper looks up an execution to a second."""
        function = self.runs.sweeper.partition(":")[0]
        variables = self._functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        self._functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": {**variables, "CHECK_SECONDS": "1"}}
        )

    def _sweep(self, qualifier: str = "live") -> None:
        """Invoke the sweeper. A killed invocation is repeated by the next sweep."""
        self._functions.invoke(
            FunctionName=self.runs.sweeper.partition(":")[0], Qualifier=qualifier, Payload=b'{"kind": "flush"}'
        )

    def _wait_for_executions(self) -> None:
        eventually(
            lambda: "RUNNING" not in self.runs.execution_statuses().values() or None, "the end of all executions", 900
        )

    def _list_failed_manifests(self) -> list[str]:
        return sorted(
            {item["manifest_id"]["S"] for item in self.intake.list_files() if item["status"]["S"] == "failed"}
        )

    def _is_done(self) -> bool:
        statuses = self.runs.count_by_status(PREFIX)
        return statuses["processed"] + statuses["rejected"] == len(self.files)

    def report(self, seed: int, seconds: float) -> int:
        """Print the numbers of the run. Return the number of wrong results."""
        expected = {version: expected_result(file) for version, file in self.files_by_version.items()}
        records, rows = self.intake.list_files(), self.runs.read_rows()
        problems = find_wrong_results(expected, records, rows)
        damages = Counter(file.damage for file in self.files if file.damage)
        lines = {
            "seed": seed,
            "seconds": round(seconds),
            "files": len(self.files),
            "damaged files": f"{damages.total()} {_join(damages)}",
            "kills": f"{self.killer.kills.total()} {_join(self.killer.kills)}",
            "executions": _join(Counter(self.runs.execution_statuses().values())),
            "redrives": _join(self.redrives) or "none",
            "statuses": _join(Counter(record["status"]["S"] for record in records)),
            "rows": f"{len(rows)} of {sum(len(result.rows) for result in expected.values())}",
            "wrong results": len(problems),
        }
        for name, value in lines.items():
            print_line(f"{name}: {value}")
        for problem in problems[:50]:
            print_line(f"  {problem}")
        return len(problems)


def print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the report is the output


def _join(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


@contextlib.contextmanager
def deployed_platform(folder: Path) -> Iterator[Deployment]:
    """Deploy the local stack with the settings of this run to a new emulator."""
    config = read_test_stack()
    key = "polyphony:ingestion"
    settings: dict[str, Any] = json.loads(config.values[key])
    for section, values in SETTINGS.items():
        settings[section] = {**settings.get(section, {}), **values}
    config = dataclasses.replace(config, values={**config.values, key: json.dumps(settings)})
    with emulator.start(folder) as started:
        deployed = deploy(config, started.emulator, Progress())
        clients = EmulatorClients(started.emulator.endpoint)
        yield Deployment(started.emulator, clients, deployed.ids, deployed.outputs)


def main() -> int:
    """Start the chaos run. Return 1 if there are wrong results, otherwise 0."""
    parser = argparse.ArgumentParser(prog="ingestion_chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print_line(f"Chaos run of ingestion with seed {options.seed}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, deployed_platform(Path(folder)) as deployment:
        chaos_run = ChaosRun(deployment, generate_files(options.files, options.seed, PREFIX), options.seed)
        chaos_run.run()
        return 1 if chaos_run.report(options.seed, time.monotonic() - started) else 0


if __name__ == "__main__":
    sys.exit(main())
