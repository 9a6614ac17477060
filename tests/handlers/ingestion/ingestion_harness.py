"""Harness with manifest builders, sweepers and workflow steps: the handlers' code on an in-memory AWS.

A builder records arrived files in a table. When three files are pending, it writes their list (a manifest) to S3,
starts an execution of the workflow, and takes the files. The execution confirms the files that are its own, runs the
Spark job, and finishes the manifest with the result of the run. The sweeper, a scheduled function, completes what an
interrupted execution has left. A redrive is a new execution for a failed manifest.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Any

from botocore.exceptions import BotoCoreError, ReadTimeoutError

from handlers.common.aws import ParallelCalls
from handlers.common.executions import WorkflowExecutions
from handlers.common.ids import ulid
from handlers.common.logging import EventLog
from handlers.ingestion.environment import BuilderEnvironment, ManifestCreationEnvironment, SweeperEnvironment
from handlers.ingestion.files import FileResult, FileTable
from handlers.ingestion.manifest_builder.handler import ManifestBuilder
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_s3_keys import confirmed_list_key, result_key
from handlers.ingestion.manifests import Manifest, ManifestDocuments, Manifests, RunResult
from handlers.ingestion.steps.handler import StepRequest, run_step
from handlers.ingestion.sweeper.handler import IngestionSweeper
from operations.manifest_redrive import RedriveOutcome, redrive
from tests.handlers.ingestion.fake_cloud import STATE_MACHINE, Cloud, FakeS3, FakeStepFunctions, FakeTable, Gate, arn
from tests.handlers.ingestion.s3_messages import body, record


class Killed(BaseException):
    """The process of a function or of a run was killed. It is no `Exception`, so that no tested code handles it."""


class RunFailed(Exception):
    """The Spark run has failed."""


REJECTED = "rejected"
"""Part of the names of files that a run rejects, so they have no rows."""
ROWS_PER_FILE = 2
TIMEOUT = ReadTimeoutError(endpoint_url="aws")
VARIABLES = {
    "MANIFEST_TABLE_NAME": "files",
    "RECORD_DAYS": "400",
    "FILES_PER_MANIFEST": "3",
    "LAKE_BUCKET": "lake",
    "STATE_MACHINE_ARN": STATE_MACHINE,
    "MANIFEST_BYTES": "1000",
    "MAX_FILE_BYTES": "1000",
    "FLUSH_AT_ONCE": "false",
    "FLUSH_SECONDS": "3600",
}
"""Environment variables of the functions, with the names of the resources in both the in-memory and moto's AWS."""


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
        self.published: dict[str, set[str]] = {}
        """Rows that readers see, by manifest."""
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
        table: Any = FakeTable(self.cloud, gate)
        s3: Any = FakeS3(self.cloud, gate)
        files = FileTable(table, 400, self.cloud.clock)
        return Manifests(files, ManifestDocuments(s3, "lake"), ParallelCalls(1), self.log)

    def executions(self, gate: Gate = open_gate) -> WorkflowExecutions:
        return WorkflowExecutions(FakeStepFunctions(self.cloud, gate), STATE_MACHINE)

    def creator(self, gate: Gate = open_gate) -> ManifestCreator:
        variables = VARIABLES | {"MANIFEST_BYTES": str(self.manifest_bytes)}
        environment = ManifestCreationEnvironment.model_validate(variables)
        return ManifestCreator(self.manifests(gate), self.executions(gate), self.new_id, environment)

    def builder(self, gate: Gate = open_gate, *, flush_at_once: bool = False) -> ManifestBuilder:
        environment = BuilderEnvironment.model_validate(VARIABLES | {"FLUSH_AT_ONCE": str(flush_at_once)})
        return ManifestBuilder(self.creator(gate), environment)

    def sweeper(self, gate: Gate = open_gate) -> IngestionSweeper:
        return IngestionSweeper(self.creator(gate), SweeperEnvironment.model_validate(VARIABLES))

    def redrive(self, manifest_id: str) -> RedriveOutcome:
        """Redrive a manifest as an operator does."""
        return redrive(manifest_id, self.manifests(), self.executions())[0]

    def step(self, step: str, name: str, gate: Gate = open_gate, **fields: Any) -> Any:
        """Run the step `confirm`, `finish` or `fail` of an execution; `fields` are further fields of its input."""
        event = {"step": step, "executionArn": arn(name), **fields}
        return run_step(self.manifests(gate), StepRequest.model_validate(event))

    def run(self, name: str, gate: Gate = open_gate, *, broken: bool = False) -> None:
        """Run the steps of one execution like the state machine: confirm, run and finish, or fail.

        With `broken`, the Spark run fails.
        """
        self.cloud.executions[name] = "FAILED"  # unless all steps succeed
        try:
            if self.step("confirm", name, gate)["files"]:
                self.run_spark(name, gate, broken=broken)
                self.step("finish", name, gate)
            self.cloud.executions[name] = "SUCCEEDED"
        except (RunFailed, BotoCoreError):
            self.step("fail", name, gate, cause="States.TaskFailed")

    def run_all(self) -> None:
        """Run every waiting workflow."""
        while self.waiting_executions:
            self.run(self.waiting_executions.pop(0))

    def run_until_settled(self) -> None:
        """Let eight hours pass without new files and crashes, with one sweep in each hour."""
        for _ in range(8):
            self.run_all()
            self.cloud.advance_time(3601)
            self.sweeper().sweep()
        self.run_all()

    def run_spark(self, name: str, gate: Gate = open_gate, *, broken: bool = False) -> None:
        """Publish the rows of an execution's files, in place of those of the manifest's earlier run. Write the result."""
        if broken:
            raise RunFailed
        manifest_id = manifest_id_of(name)
        confirmed = self.manifests(gate).documents.read(confirmed_list_key(manifest_id), Manifest)
        assert confirmed is not None, "the run was started without a list"
        results = tuple(
            FileResult(
                file_key=file.file_key,
                date_prefix=file.date_prefix,
                status="rejected" if REJECTED in file.object_key else "processed",
            )
            for file in confirmed.files
        )
        processed = [result.file_key for result in results if result.status == "processed"]
        self.published[manifest_id] = {f"{key}:{line}" for key in processed for line in range(ROWS_PER_FILE)}
        gate("between publication and result")
        self.cloud.objects[result_key(manifest_id)] = RunResult(files=results).model_dump_json(by_alias=True).encode()
        gate("after the result")


def check_invariants(harness: IngestionHarness) -> None:
    """Check the conditions that hold at every moment, even directly after a crash."""
    cloud = harness.cloud
    for item in cloud.manifests().values():
        name = item["execution_arn"].rpartition(":")[2]
        assert name in cloud.executions, "a manifest record without its execution"
    recorded_ids = {item["manifest_id"] for item in cloud.manifests().values()}
    rows = _count_rows(harness)
    assert not rows or max(rows.values()) == 1, "a row is published twice"
    for (_, key), item in cloud.files().items():
        if item["status"] in {"manifested", "processed", "failed"}:
            assert item["manifest_id"] in recorded_ids, f"{key} is in a manifest without a record"
        if item["status"] == "processed":
            assert {f"{key}:{line}" for line in range(ROWS_PER_FILE)} <= rows.keys(), f"{key} lacks rows"


def check_final_state(harness: IngestionHarness, names: Iterable[str], *, may_fail: bool = False) -> None:
    """Check that all work on the files with these names is done. With `may_fail`, a redrive may be missing."""
    check_invariants(harness)
    cloud = harness.cloud
    statuses = {key: item["status"] for (_, key), item in cloud.files().items()}
    keys = {f"incoming/{name}.ndjson#v1": name for name in names}
    assert statuses.keys() == keys.keys(), "a file has no record"
    finals = {"processed", "rejected", *(["failed"] if may_fail else [])}
    assert set(statuses.values()) <= finals, f"a file is unfinished: {statuses}"
    assert {item["status"] for item in cloud.manifests().values()} <= {"processed", "failed"}, (
        "a manifest stays running"
    )
    assert not [item for item in cloud.items.values() if "open_shard" in item], "the index of open items is not empty"
    if "failed" not in statuses.values():
        expected = {
            f"{key}:{line}" for key, name in keys.items() if REJECTED not in name for line in range(ROWS_PER_FILE)
        }
        assert _count_rows(harness) == Counter(expected), "not every row is published exactly once"


def _count_rows(harness: IngestionHarness) -> Counter[str]:
    return Counter(row for rows in harness.published.values() for row in rows)
