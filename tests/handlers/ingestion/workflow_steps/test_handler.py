"""The workflow's steps: idempotent, and in any order with the builder's own writes."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.ingestion.manifest import FileResult, Manifest, RunResult
from handlers.ingestion.manifest_keys import confirmed_key, result_key
from handlers.ingestion.manifest_lifecycle import ListMissing, ResultMissing
from handlers.ingestion.table_items import get_text
from handlers.ingestion.workflow_steps import handler
from handlers.ingestion.workflow_steps.handler import ForeignExecution, StepRequest, run_step
from operations.manifest_redrive import redrive
from tests.handlers.ingestion.concurrent_actors import World, announced
from tests.handlers.ingestion.conftest import NOW, Aws
from tests.handlers.ingestion.fake_cloud import Cloud, arn
from tests.handlers.ingestion.manifest_builder.harness import arrivals, create_builder


@pytest.fixture
def world() -> World:
    return World(Cloud(NOW))


def started(world: World, *names: str) -> str:
    world.builder().handle(announced(*(names or ("a", "b", "c"))))
    return world.waiting.pop()


def step(world: World, kind: str, name: str, **more: Any) -> Any:
    return run_step(
        world.lifecycle(),
        StepRequest.model_validate({"step": kind, "manifestId": name[:26], "executionArn": arn(name), **more}),
    )


def results(world: World, name: str, *statuses: Any, run_id: str = "run") -> None:
    confirmed = Manifest.model_validate_json(world.cloud.objects[confirmed_key(name[:26])])
    files = tuple(
        FileResult(file_key=file.file_key, date_prefix=file.date_prefix, status=status, reason="WHY", rows=2)
        for file, status in zip(confirmed.files, statuses, strict=False)
    )
    result = RunResult(manifest_id=name[:26], run_id=run_id, files=files)
    world.cloud.objects[result_key(name[:26])] = result.model_dump_json(by_alias=True).encode()


def statuses(world: World) -> list[str]:
    return [get_text(item, "status") for _, item in sorted(world.cloud.files().items())]


def manifest(world: World) -> dict[str, Any]:
    (item,) = world.cloud.manifests().values()
    return dict(item)


def test_a_repeated_confirmation_gives_the_run_the_same_files(world: World) -> None:
    name = started(world)
    for _ in range(2):
        assert step(world, "confirm", name) == {"files": 3, "manifestUri": f"s3://lake/{confirmed_key(name[:26])}"}
        assert len(Manifest.model_validate_json(world.cloud.objects[confirmed_key(name[:26])]).files) == 3
        assert statuses(world) == ["manifested"] * 3


def test_there_is_no_run_if_all_files_were_released(world: World) -> None:
    world.cloud.next_starts.append("delayed")
    world.builder().handle(announced("a", "b", "c"))
    world.cloud.passes(901)
    world.sweeper().sweep()
    world.cloud.deliver()
    late = world.waiting[-1]
    assert step(world, "confirm", late)["files"] == 0
    assert confirmed_key(late[:26]) not in world.cloud.objects


def test_a_workflow_may_finish_before_its_builder_has_written_anything(world: World) -> None:
    world.cloud.on_start = world.run
    world.builder().handle(announced("a", "b", "c"))
    assert statuses(world) == ["processed"] * 3
    assert manifest(world)["status"]["S"] == "processed"


def test_each_file_gets_the_status_and_reason_of_the_runs_result(world: World) -> None:
    name = started(world)
    step(world, "confirm", name)
    results(world, name, "processed", "rejected", "superseded")
    assert step(world, "finish", name, runId="run") == {"processed": 1, "rejected": 1, "superseded": 1}
    assert statuses(world) == ["processed", "rejected", "superseded"]
    assert {get_text(item, "reason") for item in world.cloud.files().values()} == {"WHY"}
    found = manifest(world)
    assert (get_text(found, "status"), found["files_rejected"]["N"]) == ("processed", "1")


def test_a_file_without_a_result_fails_with_its_manifest(world: World) -> None:
    name = started(world)
    step(world, "confirm", name)
    results(world, name, "processed", "processed")
    assert step(world, "finish", name) == {"processed": 2, "failed": 1}
    assert get_text(manifest(world), "status") == "failed", "so that it can be redriven"
    assert sorted({get_text(item, "reason") for item in world.cloud.files().values()}) == ["NO_RESULT", "WHY"]


@pytest.mark.parametrize("kind", ["confirm", "finish", "fail"])
def test_a_repeated_step_after_the_end_changes_nothing(world: World, kind: str) -> None:
    name = started(world)
    step(world, "confirm", name)
    results(world, name, "processed", "rejected", "processed")
    step(world, "finish", name)
    before = dict(world.cloud.items)
    step(world, kind, name)
    assert world.cloud.items == before


def redriven(world: World, name: str) -> str:
    redrive(name[:26], world.records(), world.lists(), world.workflow(), world.lifecycle())
    return world.waiting.pop()


def test_a_redrive_marks_the_files_of_a_finished_run_without_a_new_run(world: World) -> None:
    name = started(world)
    step(world, "confirm", name)
    results(world, name, "processed", "rejected", "superseded")
    step(world, "fail", name, cause="States.Timeout")
    assert statuses(world) == ["failed"] * 3
    again = redriven(world, name)
    assert step(world, "confirm", again)["files"] == 0, "sources may be gone, and a run would take their rows away"
    assert statuses(world) == ["processed", "rejected", "superseded"]
    assert get_text(manifest(world), "status") == "processed"


@pytest.mark.parametrize("told", [("processed", "processed"), ("processed", "processed", "failed")])
def test_a_redrive_runs_again_if_the_result_is_incomplete(world: World, told: tuple[str, ...]) -> None:
    name = started(world)
    step(world, "confirm", name)
    results(world, name, *told)
    step(world, "finish", name)
    assert step(world, "confirm", redriven(world, name))["files"] == 3
    assert statuses(world) == ["processed", "processed", "manifested"]


def test_the_result_of_another_run_is_not_used(world: World) -> None:
    name = started(world)
    step(world, "confirm", name)
    with pytest.raises(ResultMissing):
        step(world, "finish", name)
    results(world, name, "processed", "processed", "processed", run_id="another")
    with pytest.raises(ResultMissing):
        step(world, "finish", name, runId="run")
    assert statuses(world) == ["manifested"] * 3


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_failed_run_marks_its_files_as_failed_with_the_cause(world: World, *, confirmed: bool) -> None:
    name = started(world)
    if confirmed:
        step(world, "confirm", name)
    assert step(world, "fail", name, cause="States.TaskFailed") == {"failed": 3}
    assert statuses(world) == ["failed"] * 3
    assert {get_text(item, "reason") for item in world.cloud.files().values()} == {"States.TaskFailed"}
    assert (get_text(manifest(world), "status"), get_text(manifest(world), "cause")) == ("failed", "States.TaskFailed")


def test_files_that_now_belong_to_another_manifest_are_not_changed(world: World) -> None:
    world.cloud.next_starts.append("delayed")
    world.builder().handle(announced("a", "b", "c"))
    world.cloud.passes(901)
    world.sweeper().sweep()
    (other,) = world.waiting
    world.cloud.deliver()
    (late,) = set(world.waiting) - {other}
    step(world, "confirm", other)
    before = {key: item for key, item in world.cloud.items.items() if not key[1].endswith(late[:26])}
    assert step(world, "fail", late, cause="X") == {}
    assert before.items() <= world.cloud.items.items()


@pytest.mark.parametrize("cause", ["could not read incoming/canary", '{"error": "canary"}', "c" * 81, ""])
def test_a_cause_that_could_quote_data_is_not_stored(world: World, cause: str) -> None:
    name = started(world)
    step(world, "fail", name, cause=cause)
    assert get_text(manifest(world), "cause") == "UNNAMED_CAUSE"
    assert "canary" not in str(world.cloud.items)


def test_a_missing_list_is_an_error_of_the_confirmation(world: World) -> None:
    name = started(world)
    world.cloud.objects.clear()
    with pytest.raises(ListMissing):
        step(world, "confirm", name)


def test_a_step_of_another_manifests_execution_is_refused(world: World) -> None:
    name, other = started(world), f"{world.new_id()}-{'0' * 16}"
    with pytest.raises(ForeignExecution):
        step(world, "confirm", name, executionArn=arn(other))


@pytest.mark.parametrize("change", [{"step": "other"}, {"manifestId": "x"}, {"executionArn": None}])
def test_an_invalid_step_request_is_refused(change: dict[str, Any]) -> None:
    good = {"step": "confirm", "manifestId": f"0{'1' * 25}", "executionArn": "arn"}
    with pytest.raises(ValidationError):
        StepRequest.model_validate(good | change)


def test_the_function_confirms_and_finishes_a_real_manifest(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    create_builder(aws).handle(arrivals("a", "b", "c"))
    (name,) = aws.executions()
    arn_of = f"{aws.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    for variable, value in {"MANIFEST_TABLE_NAME": "files", "RECORD_DAYS": "400", "LAKE_BUCKET": "lake"}.items():
        monkeypatch.setenv(variable, value)
    handler._lifecycle.cache_clear()
    event = {"step": "confirm", "manifestId": name[:26], "executionArn": arn_of}
    answer = handler.handler(event, None)
    assert answer["files"] == 3
    key = answer["manifestUri"].removeprefix("s3://lake/")
    listed = json.loads(aws.s3.get_object(Bucket="lake", Key=key)["Body"].read())
    files = [
        {"fileKey": file["fileKey"], "datePrefix": file["datePrefix"], "status": "processed"}
        for file in listed["files"]
    ]
    document = {"manifestId": name[:26], "runId": "r", "files": files}
    aws.s3.put_object(Bucket="lake", Key=result_key(name[:26]), Body=json.dumps(document).encode())
    assert handler.handler(event | {"step": "finish", "runId": "r"}, None) == {"processed": 3}
    assert set(aws.statuses().values()) == {"processed"}
    assert handler.handler(event | {"step": "fail", "cause": "X"}, None) == {}
    handler._lifecycle.cache_clear()
