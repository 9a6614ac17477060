"""Model of the claim protocol: the real code of ingestion on an in-memory AWS, under a scheduler that can repeat a run.

The claim protocol is the order of calls by which ingestion processes each file exactly once. Builders claim files for a
manifest, which is a list of files, and start an execution of the workflow. The execution confirms the files, and its
run publishes their rows. Readers follow pointers, each of which names the Parquet files of one manifest and date.
Sweeps (scheduled checks) and redrives (new executions for failed manifests) repair the incomplete work of an
interrupted actor.

The actors are manifest builders, sweepers, the steps of workflow executions, runs of the Spark job, and operators who
redrive a manifest. The scheduler decides which actor sends its next calls. It can kill an actor at any call, lose,
repeat or delay a call, and stop an execution while its step or its run continues. Only Spark itself is replaced: a
"Parquet file" of the model has one line for each row.

At every moment, readers must see no row twice, every row of a processed file, and no pointer to a missing Parquet file.
Without further faults, everything must end within a few sweeps and redrives. Then the requests arrive that are still
delayed, and must change nothing.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.ingestion.glue import file_list_and_result_json
from handlers.ingestion.glue.file_scan import scan_file
from handlers.ingestion.glue.object_storage import ObjectGone, S3Storage, StorageFailed
from handlers.ingestion.glue.run_input_files import VersionsGone, check_published_files, read_input
from handlers.ingestion.glue.run_output import AnotherRunPublished, NewerRunStarted, RunOutput
from handlers.ingestion.manifest_lifecycle import ListMissing, ResultMissing
from tests.handlers.ingestion.claim_protocol.schedule_choices import ScheduleChoices
from tests.handlers.ingestion.claim_protocol.scheduled_actors import CallFate, ScheduledActor, Task, execute_unanswered
from tests.handlers.ingestion.dynamodb_expressions import Item
from tests.handlers.ingestion.fake_cloud import Cloud, FakeDynamoDB, FakeS3, FakeStepFunctions, Key
from tests.handlers.ingestion.ingestion_harness import (
    ALLOWED_TRANSITIONS,
    IngestionAws,
    IngestionHarness,
    Killed,
    announce,
    open_gate,
)

LAKE = "s3://lake/"
CONTENTS = (b'{"n":1}\n{"n":2}\n', b'{"n":1}\nbad\n', b'{"n":1}\n', b"bad\n")
"""Contents of the files, in turn: the last file is rejected as a whole."""
ROW_COUNTS = (2, 1, 1, 0)
"""Number of valid rows of each content."""
ARRIVAL_TIMES = ("2026-01-02T12:00:00.000Z", "2026-01-01T23:00:00.000Z")
"""Arrival times of the files, in turn. The second file arrives on the day before. It is older than
`ADJACENT_DATES_CHECK_AGE`, so `FileTable.track` records the file in a transaction that also checks the adjacent dates.
"""
CLAIM_CHECK_SECONDS = 901
"""Time after which a sweep checks claims and running manifests, because `claim_age` is 900 seconds in these tests."""
SETTLE_SECONDS = 3601
"""Time after which a sweep also puts pending files into manifests that are not full (`flush_age` is 3600 seconds)."""
FINAL_STATUSES = frozenset({"processed", "rejected", "superseded"})
MAX_REDRIVES_WITHOUT_FAULTS = 4
"""Maximum number of redrives of one manifest until it must have ended, if no further faults happen."""
MAX_ROUNDS = 16
"""Maximum number of sweeps until everything must have ended."""
EXPECTED_FAILURES = (
    *(Killed, BotoCoreError, ClientError, StorageFailed, ObjectGone),
    *(NewerRunStarted, AnotherRunPublished, VersionsGone, ListMissing, ResultMissing),
)
"""Failures that the code may raise. Any other exception is a defect."""
# In FATES, START_FATES and ACTIONS, an entry that occurs several times is chosen more often.
FATES = (
    *[CallFate.DONE] * 12,
    *[CallFate.REFUSED, CallFate.LOST, CallFate.RESPONSE_LOST, CallFate.REPEATED],
    *[CallFate.DELAYED, CallFate.COPY_DELAYED] * 2,
    *[CallFate.KILLED_BEFORE, CallFate.KILLED_AFTER, CallFate.KILLED_DELAYED],
)
"""Fates of the last call that an actor may send before the scheduler pauses it."""
START_FATES = (
    *[CallFate.DELAYED, CallFate.DELAYED, CallFate.KILLED_DELAYED, CallFate.KILLED_AFTER],
    *[CallFate.REFUSED, CallFate.LOST, CallFate.RESPONSE_LOST],
)
"""Fates that `_choose_start_fate` gives to an actor's next call of StartExecution."""


class ProtocolViolation(AssertionError):
    """The protocol has lost or doubled a row or a file, or a file or a manifest stays unfinished."""


class WatchedCloud(Cloud):
    """Cloud that notices changes of the state that the checks read. The model decides when its index is updated."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 1, 2, 12, 0, 10, tzinfo=UTC))
        self.index_lags = True
        self.has_changed = False
        """True if a status, a pointer or a Parquet file has changed since the last check."""
        self.objects = _WatchedObjects(self)

    def put(self, key: Key, item: Item) -> None:
        super().put(key, item)
        self.has_changed |= bool(self.status_changes)


class _WatchedObjects(dict[str, bytes]):
    def __init__(self, cloud: WatchedCloud) -> None:
        super().__init__()
        self._cloud = cloud

    def __setitem__(self, key: str, body: bytes) -> None:
        super().__setitem__(key, body)
        self._cloud.has_changed |= key.startswith("pointers/")

    def pop(self, key: str, *default: Any) -> Any:
        self._cloud.has_changed |= key.startswith("data/")
        return super().pop(key, *default)


@dataclass
class ScheduleCounts:
    """Counts of the events in a schedule."""

    kills: int = 0
    late_requests: int = 0
    """Delayed requests that arrived."""
    interruptions: int = 0
    """Executions that were stopped, and steps and runs that timed out."""
    redrives: int = 0


@dataclass
class Execution:
    """Execution of the workflow: the states of `workflow`."""

    name: str
    state: str = "confirm"
    """Current state: `confirm`, `run`, `finish` or `fail`; empty after the last state."""
    retries: int = 0
    """Number of retries of the current state. The workflow retries each state once."""
    uri: str = ""
    """S3 URI of the confirmed list, which the run reads."""
    actor: ScheduledActor | None = None
    """Actor that does the work of the current state."""


@dataclass
class ClaimProtocolModel:
    """One schedule of the protocol. `run` raises ProtocolViolation if it ends in a wrong result.

    All decisions are made by `choices.pick`, which returns one of the given options.
    """

    choices: ScheduleChoices
    log: list[str] = field(default_factory=list)
    counts: ScheduleCounts = field(default_factory=ScheduleCounts)

    def __post_init__(self) -> None:
        self.cloud = WatchedCloud()
        self.harness = IngestionHarness(self.cloud)
        clients = IngestionAws(
            FakeDynamoDB(self.cloud, open_gate, self._send),
            FakeS3(self.cloud, open_gate, self._send),
            FakeStepFunctions(self.cloud, open_gate, self._send),
        )
        self.harness.clients = lambda _: clients
        self.storage = S3Storage(clients.s3)
        self.actors: list[ScheduledActor] = []
        self.resumed_actor: ScheduledActor | None = None
        self.executions: list[Execution] = []
        self.unhandled_batches: list[list[str]] = []
        """Batches of file names whose notifications no builder has handled yet."""
        self.delayed_requests: list[tuple[str, Task]] = []
        """Label and effect of each delayed request that has not arrived yet."""
        self.file_names: list[str] = []
        """Names of all files that have arrived."""
        self.deleted_keys: set[str] = set()
        """Sort keys of the files whose version the producer has deleted."""
        self.violation: ProtocolViolation | None = None
        self.label_numbers = itertools.count(1)

    # The schedule

    def run(self) -> None:
        """Run the whole schedule."""
        try:
            self.max_files = self.choices.pick([3, 3, 6, 10])
            # Notifications report files of three bytes, so a manifest has room for all files, for two or for one.
            self.harness.manifest_bytes = self.choices.pick([10**9, 10**9, 7, 3])
            for _ in range(self.choices.pick([40, 80, 120])):
                self.choices.pick(ACTIONS)(self)
                self._raise_violation()
            self._settle()
            while self.delayed_requests:
                self._deliver_request(0)
            self._settle()
        finally:
            for actor in self.actors:
                if not actor.has_ended:
                    actor.kill()

    def _continue_actor(self) -> None:
        if not self.actors:
            self._start_new_work()
            return
        actor = self.actors[self.choices.pick(range(6)) % len(self.actors)]
        calls, fate = self.choices.pick([1, 2, 3, 5, 8, 13, 40]), self.choices.pick(FATES)
        self._resume(actor, calls, fate)
        # The index applies all pending changes, only the oldest ones, or none.
        self.cloud.update_index(self.choices.pick([100, 100, 3, 1, 0]))

    def _start_new_work(self) -> None:
        if self.harness.waiting_executions:
            self._begin_execution()
        elif self.unhandled_batches:
            self._deliver_batch_again()
        elif len(self.file_names) < self.max_files:
            self._let_files_arrive()
        else:
            self._sweep()

    def _let_files_arrive(self) -> None:
        if len(self.file_names) >= self.max_files:
            return
        self.cloud.advance_time(self.choices.pick([0, 1, 3]))
        # The notifications of all earlier files, or of the last one or two, are sent again.
        repeated_names = self.file_names[-self.choices.pick([self.max_files, 1, 2]) :] if self.file_names else []
        new_names = [f"f{len(self.file_names) + number}" for number in range(self.choices.pick([3, 2, 4]))]
        for name in new_names:
            self.cloud.versions[f"incoming/{name}.ndjson", "v1"] = CONTENTS[_file_number(name) % len(CONTENTS)]
        self.file_names += new_names
        self._notify(new_names + repeated_names)

    def _deliver_batch_again(self) -> None:
        if self.unhandled_batches:
            self._notify(self.unhandled_batches.pop(0))

    def _notify(self, batch: list[str]) -> None:
        """Let a builder handle the notifications of these files."""

        def work() -> None:
            messages = [
                message for name in batch for message in announce(name, eventTime=ARRIVAL_TIMES[_file_number(name) % 2])
            ]
            failures = self.harness.builder().handle(messages)["batchItemFailures"]
            if batch in self.unhandled_batches:  # otherwise, the queue has delivered it again meanwhile
                self.unhandled_batches.remove(batch)
            if failures:
                self.unhandled_batches.append([item["itemIdentifier"] for item in failures])

        self.unhandled_batches.append(batch)
        self._start("builder", work)

    def _sweep(self) -> None:
        self.cloud.advance_time(self.choices.pick([CLAIM_CHECK_SECONDS, 1, SETTLE_SECONDS]))
        self._start("sweeper", lambda: self.harness.sweeper().sweep())

    def _redrive(self) -> None:
        failed_ids = self._list_manifests("failed")
        if failed_ids:
            self._start_redrive(failed_ids[self.choices.pick(range(3)) % len(failed_ids)])

    def _start_redrive(self, manifest_id: str) -> None:
        self.counts.redrives += 1
        self._start("operator", lambda: self.harness.redrive(manifest_id))

    def _delete_version(self) -> None:
        if not self.file_names:
            return
        if self.choices.pick([False, True]):
            name = self.file_names[self.choices.pick(range(10)) % len(self.file_names)]
            self.cloud.versions.pop((f"incoming/{name}.ndjson", "v1"), None)
            self.deleted_keys.add(f"incoming/{name}.ndjson#v1")
            self._add_log_line(f"the producer deletes {name}")

    def _deliver_delayed_request(self) -> None:
        if self.delayed_requests:
            self._deliver_request(self.choices.pick(range(5)) % len(self.delayed_requests))

    def _deliver_request(self, index: int) -> None:
        label, execute = self.delayed_requests.pop(index)
        self.counts.late_requests += 1
        self._add_log_line(f"late request of {label}")
        execute_unanswered(execute)
        self._check_moment()

    def _choose_start_fate(self) -> None:
        """Choose the fate of the next start of an execution by the newest actor."""
        if self.actors:
            self.actors[-1].start_fate = self.choices.pick(START_FATES)

    # Workflow executions

    def _begin_execution(self) -> None:
        waiting_names = self.harness.waiting_executions
        if waiting_names:
            execution = Execution(waiting_names.pop(self.choices.pick(range(3)) % len(waiting_names)))
            self.executions.append(execution)
            self._start_state(execution)

    def _time_out_step(self) -> None:
        """Let the workflow give up a step or a run, which continues nevertheless."""
        if self.executions:
            execution = self.executions[self.choices.pick(range(3)) % len(self.executions)]
            self.counts.interruptions += 1
            self._add_log_line(f"timeout of {execution.state} of {execution.name}")
            self._end_state(execution, failed=True)

    def _stop_execution(self) -> None:
        """End an execution from outside. Its step or run continues nevertheless."""
        if self.executions:
            execution = self.executions.pop(self.choices.pick(range(3)) % len(self.executions))
            self.counts.interruptions += 1
            self._end_execution(execution, self.choices.pick(["ABORTED", "TIMED_OUT"]))

    def _start_state(self, execution: Execution) -> None:
        name, state = execution.name, execution.state
        if state == "run":
            run_id, token = f"{name}-{execution.retries}", next(self.label_numbers)
            work: Task = lambda: convert_files(self.storage, execution.uri, run_id, f"{run_id}-{token}")  # noqa: E731
        else:
            fields: dict[str, Any] = {"cause": "States.TaskFailed"} if state == "fail" else {}
            work = lambda: self.harness.step(state, name, **fields)  # noqa: E731
        execution.actor = self._start(f"{state} of {name[-20:]}", work)

    def _end_state(self, execution: Execution, *, failed: bool) -> None:
        result = execution.actor.result if execution.actor and not failed else None
        if failed and execution.retries < 1:
            execution.retries += 1
        else:
            execution.retries = 0
            match execution.state:
                case "confirm" if result:
                    execution.state, execution.uri = "run" if result["files"] else "", result["manifestUri"]
                case "run" if not failed:
                    execution.state = "finish"
                case "finish" if not failed:
                    execution.state = ""
                case "fail":
                    self._end_execution(execution, "FAILED")
                    self.executions.remove(execution)
                    return
                case _:
                    execution.state = "fail"
        if execution.state:
            self._start_state(execution)
        else:
            self._end_execution(execution, "SUCCEEDED")
            self.executions.remove(execution)

    def _end_execution(self, execution: Execution, status: str) -> None:
        self._add_log_line(f"{execution.name} ends as {status}")
        self.cloud.executions[execution.name] = status

    # Actors

    def _start(self, kind: str, work: Task) -> ScheduledActor:
        actor = ScheduledActor(f"{kind} ({next(self.label_numbers)})", work, self._delay_request, self._add_log_line)
        self.actors.append(actor)
        return actor

    def _resume(self, actor: ScheduledActor, calls: int = 1_000_000, fate: CallFate = CallFate.DONE) -> None:
        self.resumed_actor = actor
        actor.resume(calls, fate)
        self.resumed_actor = None
        if not actor.has_ended:
            return
        self.actors.remove(actor)
        if isinstance(actor.failure, Killed):
            self.counts.kills += 1
        if actor.failure is not None:
            self._add_log_line(f"{actor.label}: ends with {type(actor.failure).__name__}")
            if not isinstance(actor.failure, EXPECTED_FAILURES):
                raise actor.failure
        for execution in self.executions:
            if execution.actor is actor:
                self._end_state(execution, failed=actor.failure is not None)
                break

    def _send(self, name: str, execute: Task) -> Any:
        assert self.resumed_actor is not None
        try:
            return self.resumed_actor.send(name, execute)
        finally:
            self._check_moment()

    def _delay_request(self, label: str, execute: Task) -> None:
        self.delayed_requests.append((label, execute))

    def _add_log_line(self, line: str) -> None:
        self.log.append(line)

    # Checks

    def _settle(self) -> None:
        """Let time pass without faults, and check that everything ends correctly."""
        redrives: Counter[str] = Counter()
        for _ in range(MAX_ROUNDS):
            self._run_actors()
            while self.unhandled_batches:
                self._deliver_batch_again()
                self._run_actors()
            self.cloud.advance_time(SETTLE_SECONDS)
            self.cloud.update_index()
            self._start("sweeper", lambda: self.harness.sweeper().sweep())
            self._run_actors()
            self.cloud.update_index()
            failed_ids = self._list_manifests("failed")
            redrivable_ids = [failed for failed in failed_ids if redrives[failed] < MAX_REDRIVES_WITHOUT_FAULTS]
            for manifest_id in redrivable_ids:
                redrives[manifest_id] += 1
                self._start_redrive(manifest_id)
                self._run_actors()
            if not redrivable_ids and not self.cloud.indexed:
                break
        self._check_end()

    def _run_actors(self) -> None:
        while self.actors or self.harness.waiting_executions:
            while self.harness.waiting_executions:
                execution = Execution(self.harness.waiting_executions.pop(0))
                self.executions.append(execution)
                self._start_state(execution)
            self._resume(self.actors[0])
            self._raise_violation()

    def _raise_violation(self) -> None:
        if self.violation is not None:
            raise self.violation

    def _check_moment(self) -> None:
        """Check the rules that hold at every moment. Store a violation instead of raising it, because an actor could
        catch it.
        """
        if not self.cloud.has_changed or self.violation is not None:
            return
        self.cloud.has_changed = False
        try:
            self._check_changes()
            visible = self._visible_rows()
            running_ids = set(self._list_manifests("running"))
            for key, item in self.cloud.files().items():
                match item["status"]["S"]:
                    case "processed":
                        _require(
                            visible[key[1]] == _row_count(key[1]), f"rows of a processed file are missing: {key[1]}"
                        )
                    case "manifested":
                        _require(item["manifest_id"]["S"] in running_ids, f"the manifest of {key[1]} is not running")
        except ProtocolViolation as violation:
            self.violation = violation

    def _check_changes(self) -> None:
        for key, before, after in self.cloud.status_changes:
            _require(after in ALLOWED_TRANSITIONS.get(before, set()), f"{key} went from {before} to {after}")
            if after == "running":
                execution = self.cloud.items[key]["execution_arn"]["S"].rpartition(":")[2]
                _require(execution in self.cloud.executions, f"{key} has no execution")
        self.cloud.status_changes.clear()

    def _visible_rows(self) -> Counter[str]:
        """Return the number of rows of each file that readers see."""
        rows: Counter[str] = Counter()
        for pointer, content in self.cloud.objects.items():
            if pointer.startswith("pointers/"):
                for path in content.decode().splitlines():
                    parquet = self.cloud.objects.get(path.removeprefix(LAKE))
                    _require(parquet is not None, f"{pointer} names a Parquet file that does not exist")
                    rows.update((parquet or b"").decode().splitlines())
        _require(all(count == 1 for count in rows.values()), "readers see a row twice")
        return Counter(row.partition("|")[0] for row in rows)

    def _check_end(self) -> None:
        self._raise_violation()
        files = self.cloud.files()
        tracked_keys = {key[1] for key in files}
        _require(tracked_keys == {f"incoming/{name}.ndjson#v1" for name in self.file_names}, "a file is not tracked")
        failed_ids = set(self._list_manifests("failed"))
        for key, item in files.items():
            status, manifest_id = item["status"]["S"], item.get("manifest_id", {}).get("S", "")
            if manifest_id in failed_ids:
                _require(status in FINAL_STATUSES | {"failed"}, f"{key[1]} stays {status}")
            else:
                _require(status in FINAL_STATUSES, f"{key[1]} stays {status}")
        for manifest_id in failed_ids:
            # A redrive refuses to publish if this would remove the rows of a deleted version.
            members = {key[1] for key, item in files.items() if item.get("manifest_id", {}).get("S") == manifest_id}
            _require(bool(members & self.deleted_keys), f"manifest {manifest_id} stays failed after several redrives")
        _require(not self._list_manifests("running"), "a manifest stays running")
        _require(not self.cloud.indexed, "the index of open items is not empty")
        self._check_rows(files)

    def _check_rows(self, files: dict[Key, Item]) -> None:
        visible = self._visible_rows()
        for key, item in files.items():
            expected = _row_count(key[1])
            match item["status"]["S"]:
                case "processed":
                    _require(visible[key[1]] == expected, f"rows of a processed file are missing: {key[1]}")
                    _require(expected > 0, f"a file without rows is processed: {key[1]}")
                case "rejected":
                    _require(expected == 0, f"a good file is rejected: {key[1]}")
                case "superseded":
                    _require(key[1] in self.deleted_keys, f"a file that exists is superseded: {key[1]}")
                    _require(not visible[key[1]], f"readers see rows of a superseded file: {key[1]}")

    def _list_manifests(self, status: str) -> list[str]:
        return sorted(
            key[1].removeprefix("MANIFEST#")
            for key, item in self.cloud.manifests().items()
            if item["status"]["S"] == status
        )


Action = Callable[[ClaimProtocolModel], None]
ACTIONS: Sequence[Action] = (
    *[ClaimProtocolModel._continue_actor] * 20,
    *[ClaimProtocolModel._let_files_arrive] * 2,
    *[ClaimProtocolModel._deliver_batch_again, ClaimProtocolModel._sweep],
    *[ClaimProtocolModel._begin_execution] * 3,
    *[ClaimProtocolModel._redrive] * 3,
    *[
        ClaimProtocolModel._deliver_delayed_request,
        ClaimProtocolModel._time_out_step,
        ClaimProtocolModel._stop_execution,
    ],
    *[ClaimProtocolModel._delete_version, ClaimProtocolModel._choose_start_fate],
)


def convert_files(storage: S3Storage, manifest_uri: str, run_id: str, run_name: str) -> None:
    """Run the Spark job without Spark: the order of its calls is that of `handlers.ingestion.glue.job.main`."""
    file_list, previous_result = read_input(manifest_uri, LAKE, storage)
    dates = sorted({file.date_prefix for file in file_list.files})
    output = RunOutput(storage, LAKE, file_list.manifest_id, run_name, dates)
    output.begin()
    scans = [
        scan_file(file, storage, f"{output.rejected_uri(file.date_prefix)}{index:05}")
        for index, file in enumerate(file_list.files)
    ]
    check_published_files(scans, previous_result, output)
    paths: dict[str, list[str]] = {}
    for date in sorted({scan.file.date_prefix for scan in scans if scan.rows}):
        rows = [
            f"{scan.file.file_key}|{row}\n"
            for scan in scans
            if scan.file.date_prefix == date
            for row in range(scan.rows)
        ]
        paths[date] = [f"{output.data_uri(date)}part-0.parquet"]
        storage.put(paths[date][0], "".join(rows).encode())
    output.publish(paths)
    outcomes = [scan.outcome() for scan in scans]
    output.finish(file_list_and_result_json.format_result(file_list.manifest_id, run_id, outcomes, ()))


def _file_number(name: str) -> int:
    return int(name.removeprefix("f"))


def _row_count(file_key: str) -> int:
    return ROW_COUNTS[_file_number(file_key.removeprefix("incoming/").partition(".")[0]) % len(ROW_COUNTS)]


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ProtocolViolation(problem)
