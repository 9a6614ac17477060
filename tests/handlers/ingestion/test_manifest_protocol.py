"""State machine of ingestion's protocol: the handlers' code on an in-memory AWS, with kills and lost calls at any point.

Hypothesis chooses the order of deliveries, workflow steps, sweeps and redrives. In each action, it may kill the function
at an AWS call, lose a request or a response, or run other actions between two calls. The Spark job is replaced: a run
publishes the rows of its list at once, in place of the rows that an earlier run of the manifest published.

At every moment, no row is published twice, and every row of a processed file is published. Without further faults,
everything must end within a few sweeps and redrives, and then every row is published exactly once.
"""

from contextlib import suppress
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud, Gate
from tests.handlers.ingestion.ingestion_harness import (
    REJECTED,
    TIMEOUT,
    IngestionHarness,
    Killed,
    RunFailed,
    announce,
    check_final_state,
    check_invariants,
)

MAX_ROUNDS = 12
"""Maximum number of sweeps until everything must have ended."""
MAX_STEPS = 40
"""Maximum number of batches in the queue, and of steps of executions, between two of these sweeps."""
MAX_FILES = 9
FAULTS = (*["kill"] * 4, *["lose"] * 2, "deliver", "step", "complete", "sweep", "redrive", "abort")
"""Faults of an action: at a pass of the gate, the caller is killed, the call is lost, or another action happens.

A fault that occurs several times is chosen more often."""


@dataclass
class Execution:
    """Execution of the workflow, with the state that it enters next: `confirm`, `run`, `finish` or `fail`."""

    name: str
    state: str = "confirm"
    retries: int = 0
    is_busy: bool = False


Fault = tuple[str, int] | None
"""Kind of a fault, and the number of the gate's pass at which it happens, starting with 1. None if there is none."""
faults: st.SearchStrategy[Fault] = (
    st.tuples(st.sampled_from(FAULTS), st.integers(1, 16) | st.integers(1, 40)) | st.none()
)


class ManifestProtocol(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    @initialize(manifest_bytes=st.sampled_from([10**9, 10**9, 7, 3]), index_lags=st.booleans())
    def start(self, manifest_bytes: int, *, index_lags: bool) -> None:
        self.cloud = Cloud(NOW)
        self.cloud.index_lags = index_lags
        self.harness = IngestionHarness(self.cloud)
        self.harness.manifest_bytes = manifest_bytes
        self.queue: list[str] = []
        """Names of the files whose notification is in the queue."""
        self.executions: list[Execution] = []
        self.cloud.on_start = lambda name: self.executions.append(Execution(name))

    # Rules

    @precondition(lambda self: len(self.names) < MAX_FILES)
    @rule(count=st.integers(1, 4))
    def notify(self, count: int) -> None:
        numbers = range(len(self.names), len(self.names) + count)
        new_names = [f"f{number}{REJECTED if number % 5 == 4 else ''}" for number in numbers]
        self.names += new_names
        self.queue += new_names

    @precondition(lambda self: self.names)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        self.queue.append(data.draw(st.sampled_from(self.names)))

    @precondition(lambda self: self.queue)
    @rule(fault=faults, count=st.integers(1, 6))
    def deliver(self, fault: Fault, count: int = 6) -> None:
        batch, self.queue = self.queue[:count], self.queue[count:]
        try:
            response = self.harness.builder(self._gate(fault)).handle(announce(*dict.fromkeys(batch)))
        except Killed:
            self.queue += batch
            return
        self.queue += [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    @precondition(lambda self: self.executions)
    @rule(fault=faults, index=st.integers(0, 3), broken=st.sampled_from([False, False, False, True]))
    def step(self, fault: Fault, index: int = 0, *, broken: bool = False) -> None:
        """Run the next state of an execution. The workflow retries each state once. A run may be broken."""
        idle = [execution for execution in self.executions if not execution.is_busy]
        if not idle:
            return
        execution = idle[index % len(idle)]
        execution.is_busy = True
        try:
            self._run_state(execution, self._gate(fault), broken=broken)
            execution.retries = 0
        except (Killed, RunFailed, BotoCoreError, ClientError):
            execution.retries += 1
            if execution.retries > 1:
                execution.retries = 0
                if execution.state == "fail":
                    self._end(execution, "FAILED")
                execution.state = "fail"
        finally:
            execution.is_busy = False

    def complete(self) -> None:
        """Run all states of an execution."""
        for _ in range(3):
            self.step(None)

    @precondition(lambda self: self.executions)
    @rule(index=st.integers(0, 3), status=st.sampled_from(["ABORTED", "TIMED_OUT"]))
    def abort(self, index: int = 0, status: str = "ABORTED") -> None:
        if self.executions:
            self._end(self.executions[index % len(self.executions)], status)

    @rule(fault=faults, seconds=st.sampled_from([1, 901, 3601]))
    def sweep(self, fault: Fault, seconds: int = 1) -> None:
        self.cloud.advance_time(seconds)
        with suppress(Killed, BotoCoreError, ClientError):
            self.harness.sweeper(self._gate(fault)).sweep()

    @precondition(lambda self: self._list_failed())
    @rule(index=st.integers(0, 3))
    def redrive(self, index: int = 0) -> None:
        failed = self._list_failed()
        if failed:
            with suppress(BotoCoreError, ClientError):
                self.harness.redrive(failed[index % len(failed)])

    @rule(outcome=st.sampled_from(["refused", "lost", "response lost"]))
    def disturb_next_start(self, outcome: str) -> None:
        self.cloud.next_starts.append(outcome)

    @precondition(lambda self: self.cloud.index_lags)
    @rule()
    def update_index(self) -> None:
        self.cloud.update_index()

    # Checks

    @invariant()
    def check(self) -> None:
        if self.names:
            check_invariants(self.harness)

    def teardown(self) -> None:
        """Let everything end without further faults."""
        if not self.names:
            return
        self.cloud.next_starts.clear()
        self.cloud.index_lags = False
        for _ in range(MAX_ROUNDS):
            for _ in range(MAX_STEPS):
                if not self.queue and not self.executions:
                    break
                self.deliver(None)
                self.step(None)
            for manifest_id in self._list_failed():
                self.harness.redrive(manifest_id)
            self.sweep(None, 3601)
            self.check()
            if not self.queue and not self.executions and not self.cloud.indexed and not self._list_failed():
                break
        check_final_state(self.harness, self.names)

    # Helpers

    def _gate(self, fault: Fault) -> Gate:
        """Return a gate that every AWS call passes before and after it, and at which the fault happens."""
        passes = 0

        def gate(point: str) -> None:
            nonlocal passes
            passes += 1
            if point == "after UpdateItem":
                check_invariants(self.harness)
            if fault is None or passes != fault[1]:
                return
            match fault[0]:
                case "kill":
                    raise Killed
                case "lose":
                    raise TIMEOUT
                case action:
                    arguments = {"deliver": (None,), "step": (None,), "sweep": (None,)}.get(action, ())
                    getattr(self, action)(*arguments)

        return gate

    def _run_state(self, execution: Execution, gate: Gate, *, broken: bool) -> None:
        name, harness = execution.name, self.harness
        match execution.state:
            case "confirm":
                confirmed = harness.step("confirm", name, gate)
                if not confirmed["files"]:
                    self._end(execution, "SUCCEEDED")
                execution.state = "run"
            case "run":
                harness.run_spark(name, self._stop_with(execution, gate), broken=broken)
                execution.state = "finish"
            case "finish":
                harness.step("finish", name, gate)
                self._end(execution, "SUCCEEDED")
            case _:
                harness.step("fail", name, gate, cause="States.TaskFailed")
                self._end(execution, "FAILED")

    def _stop_with(self, execution: Execution, gate: Gate) -> Gate:
        """Return a gate that also stops the run if its execution was aborted."""

        def stopping_gate(point: str) -> None:
            gate(point)
            if execution not in self.executions:
                raise Killed(point)

        return stopping_gate

    def _end(self, execution: Execution, status: str) -> None:
        if execution in self.executions:
            self.executions.remove(execution)
            self.cloud.executions[execution.name] = status

    def _list_failed(self) -> list[str]:
        items = self.cloud.manifests().values()
        return [item["manifest_id"] for item in items if item["status"] == "failed"]


def test_no_order_of_events_loses_or_duplicates_a_row() -> None:
    """`make fuzz` tries more examples, with random seeds."""
    run_state_machine_as_test(
        ManifestProtocol,
        settings=settings(
            max_examples=60 if settings().derandomize else 2_000,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
