"""Two builders, sweepers, workflows and redrives, interleaved call by call at random, with deaths, losses and delays."""

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
from tests.handlers.ingestion.concurrent_actors import World, announced, check_always, check_settled
from tests.handlers.ingestion.fake_cloud import Cloud, Gate
from tests.handlers.ingestion.stepped_actor import Actor

MOST_ALIVE = 2
"""Of each kind."""
MOST_FILES = 12
WHICH = st.integers(0, 9)
CALLS = st.sampled_from([1, 2, 3, 5, 8, 13, 40, 40])
"""How many calls somebody makes before somebody else goes on."""
DIES = st.sampled_from([False] * 7 + [True])
CAUGHT_UP = st.sampled_from([100, 100, 3, 1, 0])
"""How many changes the index learns of meanwhile."""


class Interleaving(RuleBasedStateMachine):
    """Whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud = Cloud(datetime(2026, 1, 2, 12, 0, 10, tzinfo=UTC))
        self.cloud.lag = True
        self.world = World(self.cloud)
        self.names: list[str] = []
        self.undelivered: list[list[str]] = []
        self.actors: list[Actor] = []

    @initialize(size=st.sampled_from([10**9, 7, 3]))
    def a_run_is_given_so_much(self, size: int) -> None:
        """All that a manifest may hold, two files of three bytes, or one."""
        self.world.manifest_bytes = size

    def few(self, what: str) -> bool:
        return sum(actor.what == what for actor in self.actors) < MOST_ALIVE

    def begins(self, what: str, work: Callable[[Gate], object]) -> None:
        def attempt(gate: Gate) -> None:
            with suppress(BotoCoreError):  # logged, and met again by whoever comes next
                work(gate)

        self.actors.append(Actor(what, attempt))

    @precondition(lambda self: self.few("builder") and len(self.names) < MOST_FILES)
    @rule(new=st.integers(2, 7), old=st.integers(0, 2), seconds=st.integers(0, 3))
    def files_arrive(self, new: int, old: int, seconds: int) -> None:
        """A batch: files that are new, and some that were announced before."""
        self.cloud.passes(seconds)
        fresh = [f"f{len(self.names) + number}" for number in range(new)]
        batch = fresh + (self.names[-old:] if old else [])
        self.names += fresh
        self.delivers(batch)

    def delivers(self, batch: list[str]) -> None:
        self.undelivered.append(batch)

        def work(gate: Gate) -> None:
            back = self.world.builder(gate).handle(announced(*batch))["batchItemFailures"]
            self.undelivered.remove(batch)
            if back:
                self.undelivered.append([item["itemIdentifier"] for item in back])

        self.begins("builder", work)

    @precondition(lambda self: self.undelivered and not any(actor.what == "builder" for actor in self.actors))
    @rule()
    def the_queue_delivers_again(self) -> None:
        self.delivers(self.undelivered.pop(0))

    @precondition(lambda self: self.few("sweeper"))
    @rule(seconds=st.sampled_from([1, 901, 3601]))
    def a_sweep_begins(self, seconds: int) -> None:
        self.cloud.passes(seconds)
        self.begins("sweeper", lambda gate: self.world.sweeper(gate).sweep())

    @precondition(lambda self: self.world.waiting and self.few("workflow"))
    @rule(which=WHICH, broken=st.sampled_from(["", "", "run", "file"]))
    def a_workflow_begins(self, which: int, broken: str) -> None:
        name = self.world.waiting.pop(which % len(self.world.waiting))
        self.begins("workflow", lambda gate: self.world.run(name, gate, broken=broken))

    @precondition(
        lambda self: (
            self.few("person")
            and any(manifest["status"]["S"] == "failed" for manifest in self.cloud.manifests().values())
        )
    )
    @rule(which=WHICH)
    def somebody_redrives(self, which: int) -> None:
        failed = sorted(key for key, manifest in self.cloud.manifests().items() if manifest["status"]["S"] == "failed")
        manifest_id = failed[which % len(failed)][1].removeprefix("MANIFEST#")
        world = self.world
        self.begins(
            "person",
            lambda gate: redrive(
                manifest_id, world.records(gate), world.lists(gate), world.workflow(gate), world.lifecycle(gate)
            ),
        )

    @precondition(lambda self: self.actors)
    @rule(which=WHICH, calls=CALLS, dies=DIES, caught_up=CAUGHT_UP)
    def somebody_goes_on(self, which: int, calls: int, *, dies: bool, caught_up: int) -> None:
        actor = self.actors[which % len(self.actors)]
        for _ in range(calls):
            if not actor.ended:
                actor.step()
        if dies and not actor.ended:
            actor.kill()
        if actor.ended:
            self.actors.remove(actor)
        self.cloud.catch_up(caught_up)

    @precondition(lambda self: self.actors)
    @rule(which=WHICH, calls=CALLS, caught_up=CAUGHT_UP)
    def somebody_else_goes_on(self, which: int, calls: int, caught_up: int) -> None:
        self.somebody_goes_on(which, calls, dies=False, caught_up=caught_up)

    @rule(
        start=st.sampled_from(["", "refused", "lost", "lost after", "delayed"]),
        call=st.sampled_from(["", "lost", "lost after"]),
        calls_before=st.integers(0, 9),
    )
    def something_goes_wrong(self, start: str, call: str, calls_before: int) -> None:
        """With the next start, and with some call soon."""
        self.cloud.next_starts.append(start)
        self.cloud.next_calls.extend([""] * calls_before + [call])

    @precondition(lambda self: self.cloud.travelling)
    @rule()
    def delayed_starts_arrive(self) -> None:
        self.cloud.deliver()

    @invariant()
    def nothing_is_wrong_at_any_moment(self) -> None:
        check_always(self.world)

    def teardown(self) -> None:
        self.cloud.next_starts.clear()
        self.cloud.next_calls.clear()
        for actor in self.actors:
            actor.run()
        for batch in list(self.undelivered):
            self.world.builder().handle(announced(*batch))
        self.world.settle_down(len(self.names) + 6)
        check_settled(self.world, set(self.names))


def test_with_any_interleaving_each_version_ends_in_exactly_one_started_manifest() -> None:
    thorough = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
    run_state_machine_as_test(
        Interleaving, settings=settings(max_examples=2000 if thorough else 100, stateful_step_count=100)
    )
