"""Harness with manifest builders, sweepers and workflow steps: the handlers' code on an in-memory AWS.

A builder records arrived files in a table. When three files are pending, it writes their list (a manifest) to S3,
starts an execution of the workflow, and takes the files. The execution confirms the files that are its own, runs the
Spark job, and finishes the manifest with the result of the run. The sweeper, a scheduled function, completes what an
interrupted execution has left. A redrive is a new execution for a failed manifest.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from botocore.exceptions import BotoCoreError, ReadTimeoutError

from handlers.common.aws import ParallelCalls
from handlers.common.executions import WorkflowExecutions
from handlers.common.ids import ulid
from handlers.common.logging import EventLog
from handlers.ingestion.files import FileResult, FileTable
from handlers.ingestion.manifest_builder.handler import ManifestBuilder
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_s3_keys import result_key
from handlers.ingestion.manifests import ManifestDocuments, ManifestExecution, Manifests, RunResult
from handlers.ingestion.steps.handler import StepRequest, run_step
from handlers.ingestion.sweeper.handler import IngestionSweeper
from operations.manifest_redrive import RedriveOutcome, redrive
from tests.handlers.ingestion.fake_cloud import STATE_MACHINE, Cloud, FakeS3, FakeStepFunctions, FakeTable, Gate, arn
from tests.handlers.ingestion.s3_messages import body, record


class Killed(BaseException):
    """The process of a function or of a run was killed. It is no `Exception`, so that no tested code handles it."""


class RunFailed(Exception):
    """The Spark run has failed."""


TIMEOUT = ReadTimeoutError(endpoint_url="aws")


def open_gate(_: str) -> None:
    """Let every call pass."""


class FaultGate:
    """Gate that every AWS call passes before and after its execution. It counts these passes, and raises an error once.

    `Killed` kills the caller. Before a call, `TIMEOUT` means that the request was lost. After a call, it means that the
    response was lost.
    """

    def __init__(self, fault_at: int | None = None, error: BaseException | type[BaseException] = Killed) -> None:
        self.pass_count = 0
        self.fault_at = fault_at
        """Number of the pass at which the error is raised, starting with 1. None if there is no error."""
        self.error = error

    def __call__(self, _: str) -> None:
        self.pass_count += 1
        if self.pass_count == self.fault_at:
            raise self.error


def manifest_id_of(execution_name: str) -> str:
    """Return the id of an execution's manifest, with which the name of the execution starts."""
    return execution_name[:26]


def announce(*names: str, size: int = 3, **changes: Any) -> list[dict[str, Any]]:
    """Return one SQS message with S3's notification for each file. `changes` replace fields of the notifications."""
    changes = {"eventTime": "2026-01-02T12:00:00.000Z", **changes}
    return [{"messageId": name, "body": body(record(f"incoming/{name}.ndjson", size, **changes))} for name in names]


@dataclass
class IngestionAws:
    """The file table and the clients of an AWS, and the names of ingestion's resources there."""

    table: Any
    s3: Any
    stepfunctions: Any
    state_machine_arn: str = STATE_MACHINE
    lake: str = "lake"


class IngestionHarness:
    """Factory for builders, sweepers and workflow steps on one in-memory AWS.

    Most methods take the gate that their AWS calls pass. The harness also replaces the state machine and the Spark job.
    An execution that starts waits until a test runs it.
    """

    def __init__(self, cloud: Cloud, log_level: str = "CRITICAL") -> None:
        self.cloud = cloud
        self.log = EventLog(log_level)
        self.id_numbers = count(1)
        self.manifest_bytes = 10**9
        self.connect: Callable[[Gate], IngestionAws] = lambda gate: IngestionAws(
            FakeTable(cloud, gate), FakeS3(cloud, gate), FakeStepFunctions(cloud, gate)
        )
        """Function that returns the clients behind a gate. Another function may return clients of another AWS."""
        self.runs: list[tuple[str, frozenset[str]]] = []
        """Manifest and files of each run that finished."""
        self.waiting_executions: list[str] = []
        """Names of executions whose workflow has not run yet."""
        cloud.on_start = self.waiting_executions.append

    def statuses(self) -> list[str]:
        """Return the statuses of all recorded files, ordered by the files' names."""
        return [item["status"] for _, item in sorted(self.cloud.files().items())]

    def manifest(self) -> dict[str, Any]:
        """Return the only manifest record."""
        (item,) = self.cloud.manifests().values()
        return item

    def new_id(self) -> str:
        return ulid(self.cloud.now, next(self.id_numbers))

    def manifests(self, gate: Gate = open_gate) -> Manifests:
        aws = self.connect(gate)
        files = FileTable(aws.table, 400, self.cloud.clock)
        return Manifests(files, ManifestDocuments(aws.s3, aws.lake), ParallelCalls(1), self.log)

    def executions(self, gate: Gate = open_gate) -> WorkflowExecutions:
        aws = self.connect(gate)
        return WorkflowExecutions(aws.stepfunctions, aws.state_machine_arn)

    def creator(self, gate: Gate = open_gate) -> ManifestCreator:
        return ManifestCreator(
            self.manifests(gate),
            self.executions(gate),
            new_id=self.new_id,
            files_per_manifest=3,
            manifest_bytes=self.manifest_bytes,
        )

    def builder(self, gate: Gate = open_gate, *, flush_at_once: bool = False) -> ManifestBuilder:
        return ManifestBuilder(self.creator(gate), ".ndjson", 10**9, flush_at_once)

    def sweeper(self, gate: Gate = open_gate) -> IngestionSweeper:
        return IngestionSweeper(self.creator(gate), timedelta(seconds=900), timedelta(seconds=3600))

    def redrive(self, manifest_id: str) -> RedriveOutcome:
        """Redrive a manifest as an operator does."""
        return redrive(manifest_id, self.manifests(), self.executions())[0]

    def step(self, step: str, name: str, gate: Gate = open_gate, **fields: Any) -> Any:
        """Run the step `confirm`, `finish` or `fail` of an execution; `fields` are further fields of its input."""
        event = {"step": step, "manifestId": manifest_id_of(name), "executionArn": arn(name), **fields}
        return run_step(self.manifests(gate), StepRequest.model_validate(event))

    def run(self, name: str, gate: Gate = open_gate, *, broken: str = "") -> None:
        """Run the steps of one execution like the state machine: confirm, run and finish, or fail.

        With `broken="run"`, the Spark run fails. With `broken="file"`, it reports the status `failed` for one file.
        """
        try:
            if not self.step("confirm", name, gate)["files"]:
                self.cloud.executions[name] = "SUCCEEDED"
                return
            gate("before Glue")
            self._run_spark(name, broken)
            self.step("finish", name, gate, runId=name)
        except (RunFailed, BotoCoreError):
            self.cloud.executions[name] = "FAILED"
            self.step("fail", name, gate, cause="States.TaskFailed")
        except BaseException:
            self.cloud.executions[name] = "FAILED"
            raise
        else:
            self.cloud.executions[name] = "SUCCEEDED"

    def run_all(self) -> None:
        """Run every waiting workflow."""
        while self.waiting_executions:
            self.run(self.waiting_executions.pop(0))

    def run_until_settled(self) -> None:
        """Let eight hours pass without new files and crashes, with one sweep in each hour."""
        for _ in range(8):
            self.cloud.deliver_delayed_starts()
            self.run_all()
            self.cloud.advance_time(3601)
            self.cloud.update_index()
            self.sweeper().sweep()
        self.run_all()
        self.cloud.update_index()

    def _run_spark(self, name: str, broken: str) -> None:
        if broken == "run":
            raise RunFailed
        manifest_id = manifest_id_of(name)
        confirmed_list = self.manifests().documents.read_confirmed_list(
            manifest_id, ManifestExecution.from_arn(arn(name)).redrive
        )
        assert confirmed_list is not None, "the run was started without a list"
        self.runs.append((manifest_id, frozenset(file.file_key for file in confirmed_list.files)))
        results = tuple(
            FileResult(
                file_key=file.file_key,
                date_prefix=file.date_prefix,
                status="failed" if broken == "file" and not index else "processed",
            )
            for index, file in enumerate(confirmed_list.files)
        )
        result = RunResult(manifest_id=manifest_id, run_id=name, files=results)
        self.cloud.objects[result_key(manifest_id)] = result.model_dump_json(by_alias=True).encode()


ALLOWED_TRANSITIONS = {
    "": {"pending", "rejected", "running"},
    "pending": {"manifested", "failed"},
    "manifested": {"processed", "rejected", "superseded", "failed"},
    "failed": {"manifested", "processed", "rejected", "running"},
    "running": {"processed", "failed"},
}
"""Statuses to which a file or a manifest may change, by its status before. They are independent of the tested code."""


def check_invariants(harness: IngestionHarness) -> None:
    """Check the conditions that hold at every moment, even directly after a crash."""
    cloud = harness.cloud
    for key, before, after in cloud.status_changes:
        assert after in ALLOWED_TRANSITIONS.get(before, set()), f"{key} went from {before} to {after}"
    for item in cloud.manifests().values():
        name = item["execution_arn"].rpartition(":")[2]
        assert name in cloud.executions, "a manifest record without its execution"
    recorded_ids = {item["manifest_id"] for item in cloud.manifests().values()}
    for key, item in cloud.files().items():
        if item["status"] in {"manifested", "processed", "failed"}:
            assert item["manifest_id"] in recorded_ids, f"{key} is in a manifest without a record"
    manifests_by_file: defaultdict[str, set[str]] = defaultdict(set)
    for manifest_id, files in harness.runs:
        for file in files:
            manifests_by_file[file].add(manifest_id)
    assert all(len(ids) == 1 for ids in manifests_by_file.values()), f"two manifests ran a file: {manifests_by_file}"


def check_final_state(harness: IngestionHarness, names: set[str]) -> None:
    """Check the conditions that hold after all work on the files with these names is done."""
    check_invariants(harness)
    cloud = harness.cloud
    files = cloud.files()
    assert {key[1] for key in files} == {f"incoming/{name}.ndjson#v1" for name in names}
    # A run replaces the output of the previous run, so the last run must have processed every file.
    last_runs = dict(harness.runs)
    for key, item in files.items():
        status = item["status"]
        assert status in {"processed", "failed"}, f"{key} stays {status}"
        if status == "processed":
            files_of_last_run = last_runs.get(item["manifest_id"], frozenset())
            assert key[1] in files_of_last_run, f"{key} is processed, but was not in the last run of its manifest"
    for item in cloud.manifests().values():
        assert item["status"] in {"processed", "failed"}, "a manifest stays running"
    assert not cloud.indexed, "the index of open items is not empty"
