"""Builders, sweepers, workflows and redrives, interleaved call by call at random, with crashes, losses and delays."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from operations.manifest_redrive import redrive
from tests.handlers.ingestion.fake_cloud import Cloud, Gate
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, announce, check_final_state, check_invariants
from tests.handlers.ingestion.stepped_actor import Actor

MAX_ACTORS_PER_KIND = 2
"""Limit of concurrent actors of each kind."""
MAX_FILES = 12
WHICH = st.integers(0, 9)
CALLS = st.sampled_from([1, 2, 3, 5, 8, 13, 40, 40])
"""Number of calls that an actor makes before another actor continues."""
DIES = st.sampled_from([False] * 7 + [True])
CAUGHT_UP = st.sampled_from([100, 100, 3, 1, 0])
"""Number of changes that are applied to the index meanwhile."""


class Interleaving(RuleBasedStateMachine):
    """State machine that interleaves the actors in random order."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud = Cloud(datetime(2026, 1, 2, 12, 0, 10, tzinfo=UTC))
        self.cloud.lag = True
        self.harness = IngestionHarness(self.cloud)
        self.names: list[str] = []
        self.undelivered: list[list[str]] = []
        self.actors: list[Actor] = []

    @initialize(size=st.sampled_from([10**9, 7, 3]))
    def the_size_limit_is_chosen(self, size: int) -> None:
        """Size limit of a manifest: unlimited, two files of three bytes, or one."""
        self.harness.manifest_bytes = size

    def may_add(self, what: str) -> bool:
        return sum(actor.what == what for actor in self.actors) < MAX_ACTORS_PER_KIND

    def add_actor(self, what: str, work: Callable[[Gate], object]) -> None:
        def attempt(gate: Gate) -> None:
            with suppress(BotoCoreError):  # logged; the next invocation handles it
                work(gate)

        self.actors.append(Actor(what, attempt))

    @precondition(lambda self: self.may_add("builder") and len(self.names) < MAX_FILES)
    @rule(new=st.integers(2, 7), old=st.integers(0, 2), seconds=st.integers(0, 3))
    def files_arrive(self, new: int, old: int, seconds: int) -> None:
        """Deliver a batch of new files, with some that were announced before."""
        self.cloud.advance_time(seconds)
        fresh = [f"f{len(self.names) + number}" for number in range(new)]
        batch = fresh + (self.names[-old:] if old else [])
        self.names += fresh
        self.deliver(batch)

    def deliver(self, batch: list[str]) -> None:
        self.undelivered.append(batch)

        def work(gate: Gate) -> None:
            back = self.harness.builder(gate).handle(announce(*batch))["batchItemFailures"]
            self.undelivered.remove(batch)
            if back:
                self.undelivered.append([item["itemIdentifier"] for item in back])

        self.add_actor("builder", work)

    @precondition(lambda self: self.undelivered and not any(actor.what == "builder" for actor in self.actors))
    @rule()
    def the_queue_delivers_again(self) -> None:
        self.deliver(self.undelivered.pop(0))

    @precondition(lambda self: self.may_add("sweeper"))
    @rule(seconds=st.sampled_from([1, 901, 3601]))
    def a_sweep_begins(self, seconds: int) -> None:
        self.cloud.advance_time(seconds)
        self.add_actor("sweeper", lambda gate: self.harness.sweeper(gate).sweep())

    @precondition(lambda self: self.harness.waiting_executions and self.may_add("workflow"))
    @rule(which=WHICH, broken=st.sampled_from(["", "", "run", "file"]))
    def a_workflow_begins(self, which: int, broken: str) -> None:
        name = self.harness.waiting_executions.pop(which % len(self.harness.waiting_executions))
        self.add_actor("workflow", lambda gate: self.harness.run(name, gate, broken=broken))

    @precondition(
        lambda self: (
            self.may_add("operator")
            and any(manifest["status"]["S"] == "failed" for manifest in self.cloud.manifests().values())
        )
    )
    @rule(which=WHICH)
    def an_operator_redrives(self, which: int) -> None:
        failed = sorted(key for key, manifest in self.cloud.manifests().items() if manifest["status"]["S"] == "failed")
        manifest_id = failed[which % len(failed)][1].removeprefix("MANIFEST#")
        harness = self.harness
        self.add_actor(
            "operator",
            lambda gate: redrive(
                manifest_id, harness.records(gate), harness.lists(gate), harness.workflow(gate), harness.lifecycle(gate)
            ),
        )

    @precondition(lambda self: self.actors)
    @rule(which=WHICH, calls=CALLS, dies=DIES, caught_up=CAUGHT_UP)
    def an_actor_continues(self, which: int, calls: int, *, dies: bool, caught_up: int) -> None:
        actor = self.actors[which % len(self.actors)]
        for _ in range(calls):
            if not actor.ended:
                actor.step()
        if dies and not actor.ended:
            actor.kill()
        if actor.ended:
            self.actors.remove(actor)
        self.cloud.update_index(caught_up)

    @precondition(lambda self: self.actors)
    @rule(which=WHICH, calls=CALLS, caught_up=CAUGHT_UP)
    def another_actor_continues(self, which: int, calls: int, caught_up: int) -> None:
        self.an_actor_continues(which, calls, dies=False, caught_up=caught_up)

    @rule(
        start=st.sampled_from(["", "refused", "lost", "lost after", "delayed"]),
        call=st.sampled_from(["", "lost", "lost after"]),
        calls_before=st.integers(0, 9),
    )
    def a_start_or_call_fails(self, start: str, call: str, calls_before: int) -> None:
        """Let the next start and one of the next calls fail."""
        self.cloud.next_starts.append(start)
        self.cloud.next_calls.extend([""] * calls_before + [call])

    @precondition(lambda self: self.cloud.delayed_starts)
    @rule()
    def delayed_starts_arrive(self) -> None:
        self.cloud.deliver_delayed_starts()

    @invariant()
    def nothing_is_wrong_at_any_moment(self) -> None:
        check_invariants(self.harness)

    def teardown(self) -> None:
        self.cloud.next_starts.clear()
        self.cloud.next_calls.clear()
        for actor in self.actors:
            actor.run()
        for batch in list(self.undelivered):
            self.harness.builder().handle(announce(*batch))
        self.harness.run_until_settled(len(self.names) + 6)
        check_final_state(self.harness, set(self.names))


def test_with_any_interleaving_each_version_ends_in_exactly_one_started_manifest() -> None:
    thorough = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
    run_state_machine_as_test(
        Interleaving, settings=settings(max_examples=2000 if thorough else 100, stateful_step_count=100)
    )
