"""The sweeper: ends what a builder or a workflow left, and tells how long files wait."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.ingestion.manifest_keys import list_key
from handlers.ingestion.sweeper import handler
from handlers.ingestion.table_items import get_text
from tests.handlers.ingestion.concurrent_actors import Killed, World, announced, check_settled
from tests.handlers.ingestion.conftest import NOW, Aws
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.manifest_builder.harness import arrivals, create_builder
from tests.handlers.ingestion.test_crashes import Axe


@pytest.fixture
def world() -> World:
    return World(Cloud(NOW))


def statuses(world: World) -> list[str]:
    return sorted(get_text(item, "status") for item in world.cloud.files().values())


def dies(world: World, before: str, *names: str) -> None:
    """A builder that dies before a call."""

    def gate(point: str) -> None:
        if point == f"before {before}":
            raise Killed(point)

    with pytest.raises(Killed):
        world.builder(gate).handle(announced(*(names or ("a", "b", "c"))))


@pytest.mark.parametrize("call", ["PutObject", "StartExecution"])
def test_one_sweep_releases_claims_that_are_older_than_any_builder_and_creates_their_manifest(
    world: World, call: str
) -> None:
    dies(world, call)
    world.cloud.passes(899)
    world.sweeper().sweep()
    assert statuses(world) == ["claimed"] * 3
    world.cloud.passes(2)
    swept = world.sweeper().sweep()
    assert (swept.released, swept.resolved, swept.manifests, swept.failed) == (3, 1, 1, 0)
    assert len(world.cloud.executions) == 1
    assert statuses(world) == ["manifested"] * 3


def test_claims_of_a_running_execution_get_a_record_and_stay_for_its_confirmation(world: World) -> None:
    world.cloud.next_starts.append("lost after")
    world.builder().handle(announced("a", "b", "c"))
    assert not world.cloud.manifests()
    world.cloud.passes(901)
    assert world.sweeper().sweep().released == 0
    (record,) = world.cloud.manifests().values()
    assert get_text(record, "status") == "running"
    world.run_all()
    assert statuses(world) == ["processed"] * 3


def test_status_checks_of_many_executions_do_not_delay_waiting_files(world: World) -> None:
    for number in range(15):
        world.builder().handle(announced(*(f"{number}{letter}" for letter in "abc")))
    world.builder().handle(announced("late"))
    world.cloud.passes(3601)
    asked: list[str] = []

    def slow(point: str) -> None:
        if point == "before DescribeExecution":
            asked.append(point)
            world.cloud.passes(10)

    swept = world.sweeper(slow).sweep()
    assert len(asked) == 7, "for a minute"
    assert (swept.failed, swept.files) == (0, 1)
    assert len(world.cloud.executions) == 16


def test_files_of_an_execution_that_died_before_confirmation_are_marked_as_failed(world: World) -> None:
    world.cloud.next_starts.append("lost after")
    world.builder().handle(announced("a", "b", "c"))
    world.cloud.executions[world.waiting.pop()] = "TIMED_OUT"
    world.cloud.passes(901)
    world.sweeper().sweep()
    assert statuses(world) == ["failed"] * 3
    (record,) = world.cloud.manifests().values()
    assert (get_text(record, "status"), get_text(record, "cause")) == ("failed", "EXECUTION_TIMED_OUT")


def test_claims_are_not_released_if_the_list_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    dies(world, "StartExecution")
    dies(world, "StartExecution", "d", "e", "f")
    world.cloud.passes(901)
    first = min(key for key in world.cloud.objects if key.startswith("manifests/"))
    monkeypatch.setitem(world.cloud.objects, first, b"not a list")
    swept = world.sweeper().sweep()
    assert (swept.failed, swept.released) == (1, 3), "one manifest's trouble does not stop the other"
    assert statuses(world).count("claimed") == 3


def test_a_run_that_died_before_the_last_step_is_finished_from_its_result(world: World) -> None:
    world.builder().handle(announced("a", "b", "c"))
    name = world.waiting.pop()

    def gate(point: str) -> None:
        if world.runs and point.startswith("before"):
            raise Killed(point)

    with pytest.raises(Killed):
        world.run(name, gate)
    world.cloud.passes(901)
    assert world.sweeper().sweep().settled == 1
    assert statuses(world) == ["processed"] * 3
    check_settled(world, {"a", "b", "c"})


def test_a_manifest_fails_if_its_execution_no_longer_exists(world: World) -> None:
    world.builder().handle(announced("a", "b", "c"))
    del world.cloud.executions[world.waiting.pop()]
    world.cloud.passes(901)
    assert world.sweeper().sweep().settled == 1
    (record,) = world.cloud.manifests().values()
    assert get_text(record, "cause") == "EXECUTION_GONE"


def test_pending_files_are_flushed_once_the_oldest_has_waited_long_enough(world: World) -> None:
    world.builder().handle(announced("a"))
    world.cloud.passes(3000)
    world.builder().handle(announced("b"))
    assert (world.sweeper().sweep().files, statuses(world)) == (0, ["pending", "pending"])
    world.cloud.passes(600)
    assert world.sweeper().sweep().files == 2, "the younger goes along"
    assert statuses(world) == ["manifested", "manifested"]


@pytest.mark.parametrize(("wait", "files"), [(0, 2), (3600, 1)], ids=["both are late", "one is younger"])
def test_late_files_that_exceed_the_size_limit_are_flushed_in_several_manifests(
    world: World, wait: int, files: int
) -> None:
    world.manifest_bytes = 3
    world.builder().handle(announced("a"))
    world.cloud.passes(wait)
    world.builder().handle(announced("b"))
    world.cloud.passes(3600 - wait)
    assert (world.sweeper().sweep().files, len(world.cloud.executions)) == (files, files)


def test_full_manifests_that_builders_could_not_start_are_created_at_once(world: World) -> None:
    world.cloud.next_starts.extend(["refused"] * 3)
    for batch in (("a", "b", "c"), ("d", "e", "f"), ("g",)):
        world.builder().handle(announced(*batch))
    world.cloud.next_starts.clear()
    assert world.sweeper().sweep().manifests == 2
    assert statuses(world) == ["manifested"] * 6 + ["pending"]


def test_the_age_of_the_oldest_pending_file_is_reported_even_if_starts_are_refused(world: World) -> None:
    assert world.sweeper().sweep().oldest_pending_seconds == 0
    world.builder().handle(announced("a"))
    world.cloud.passes(7200)
    world.cloud.next_starts.append("refused")
    assert world.sweeper().sweep().oldest_pending_seconds == 7200
    world.cloud.passes(60)
    assert world.sweeper().sweep().oldest_pending_seconds == 7260, "a file given back keeps its age"


def test_a_sweep_with_nothing_to_do_changes_nothing(world: World) -> None:
    world.builder().handle(announced("a", "b", "c"))
    world.run_all()
    before = dict(world.cloud.items)
    world.cloud.passes(90_000)
    world.sweeper().sweep()
    assert world.cloud.items == before


def test_the_number_of_calls_of_a_sweep_does_not_grow_with_the_table() -> None:
    counts = []
    for files in (3, 9):
        world = World(Cloud(NOW))
        world.builder().handle(announced(*(str(number) for number in range(files))))
        world.run_all()
        counted = Axe()
        world.sweeper(counted).sweep()
        counts.append(counted.passed)
    assert counts[0] == counts[1]


def test_the_function_sweeps_and_reconciles(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create_builder(aws, size=4).handle(
        arrivals("a", "b", "c")
    )  # claimed by nobody, and long ago by the function's own clock
    given = {
        "MANIFEST_TABLE_NAME": "files",
        "RECORD_DAYS": "400",
        "LAKE_BUCKET": "lake",
        "LANDING_BUCKET": "landing",
        "STATE_MACHINE_ARN": aws.state_machine_arn,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    handler._sweeper_and_reconciler.cache_clear()
    answer = handler.handler({"kind": "sweep"}, None)
    assert (answer["files"], answer["missing"]) == (3, 0)
    assert aws.s3.list_objects_v2(Bucket="lake", Prefix=list_key("")[:10])["KeyCount"] == 1
    assert handler.handler({"kind": "reconcile"}, None) == {"checked": 0, "missing": 0}
    with pytest.raises(ValidationError):
        handler.handler({"kind": "other"}, None)
    lines: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in lines if line["message"] == "sweep"]
    assert line["oldest_pending_seconds"] > 0
    handler._sweeper_and_reconciler.cache_clear()
