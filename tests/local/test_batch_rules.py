"""What AWS Batch refuses, and when it tries again: held against its API reference."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.patches.batch_containers import Image, NoProgram, overridden, program_of, repository_of
from local.patches.batch_faults import NONE, Fault, tell, told
from local.patches.batch_rules import Ending, refused_definition, refused_job, tried_again

pytestmark = pytest.mark.unit

CONTAINER = {
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/polyphony-dev-meetings-media-images@sha256:0",
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
}
DEFINITION = {"type": "container", "platformCapabilities": ["FARGATE"], "containerProperties": CONTAINER}
FAILED = Ending(1, "Essential container in task exited")
SPOT = Ending(143, "Your Spot Task was interrupted.")


def strategy(*entries: dict[str, str], attempts: int = 3) -> dict[str, Any]:
    return {"attempts": attempts, "evaluateOnExit": list(entries)}


@pytest.mark.parametrize(
    ("entries", "ending", "again"),
    [
        ([], FAILED, True),
        ([{"onReason": "*", "action": "EXIT"}], FAILED, False),
        ([{"onExitCode": "2", "action": "EXIT"}], FAILED, True),
        ([{"onExitCode": "1", "action": "EXIT"}], FAILED, False),
        ([{"onExitCode": "1*", "action": "EXIT"}], Ending(137, ""), False),
        ([{"onExitCode": "13", "action": "EXIT"}], Ending(137, ""), True),
        ([{"onStatusReason": "Your Spot*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}], SPOT, True),
        ([{"onReason": "*", "action": "EXIT"}, {"onStatusReason": "Your Spot*", "action": "RETRY"}], SPOT, False),
        ([{"onStatusReason": "Your Spot*", "onExitCode": "0", "action": "EXIT"}], SPOT, True),
        ([{"onStatusReason": "Your Spot*", "onExitCode": "143", "action": "exit"}], SPOT, False),
        ([{"onStatusReason": "your spot*", "action": "EXIT"}], SPOT, True),
        ([{"onReason": "OutOfMemoryError*", "action": "EXIT"}], Ending(137, "", "OutOfMemoryError: killed"), False),
        ([{"onExitCode": "*", "action": "EXIT"}], Ending(None, "Task failed to start"), False),
    ],
    ids=[
        "nothing said",
        "the last entry",
        "no entry holds",
        "an exit code",
        "the beginning of one",
        "not the whole of one",
        "the first that holds decides",
        "whatever comes after it",
        "all conditions must hold",
        "and do",
        "to the letter",
        "the container's reason",
        "no exit code at all",
    ],
)
def test_a_failed_attempt_is_tried_again_as_the_strategy_says(
    entries: list[dict[str, str]], ending: Ending, again: bool
) -> None:
    assert tried_again(strategy(*entries), 1, ending) is again


def test_attempts_are_counted_in_all() -> None:
    assert tried_again({"attempts": 2}, 1, FAILED)
    assert not tried_again({"attempts": 2}, 2, FAILED)
    assert not tried_again({}, 1, FAILED), "one by default"


@given(
    st.integers(1, 10),
    st.integers(1, 12),
    st.lists(st.sampled_from(["RETRY", "EXIT"]).map(lambda action: {"onReason": "*", "action": action}), max_size=5),
)
def test_no_strategy_tries_again_what_succeeded_or_beyond_its_attempts(
    attempts: int, made: int, entries: list[dict[str, str]]
) -> None:
    plan = strategy(*entries, attempts=attempts)
    assert not tried_again(plan, made, Ending(0, SPOT.status_reason))
    if tried_again(plan, made, SPOT):
        assert made < attempts


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({}, None),
        ({"type": "multinode"}, "jobs of one container"),
        ({"retryStrategy": {"attempts": 11}}, "between 1 and 10"),
        ({"retryStrategy": {"evaluateOnExit": [{"onReason": "*", "action": "EXIT"}]}}, "must be specified"),
        ({"retryStrategy": strategy(*[{"onReason": "*", "action": "EXIT"}] * 6)}, "at most 5"),
        ({"retryStrategy": strategy({"onReason": "*Spot*", "action": "EXIT"})}, "restricted characters"),
        ({"retryStrategy": strategy({"onStatusReason": "it's", "action": "EXIT"})}, "restricted characters"),
        ({"retryStrategy": strategy({"onExitCode": "1x", "action": "EXIT"})}, "restricted characters"),
        ({"retryStrategy": strategy({"onExitCode": "1", "action": "STOP"})}, "RETRY or EXIT"),
        ({"retryStrategy": strategy({"action": "EXIT"})}, "needs a condition"),
        ({"retryStrategy": strategy({"onStatusReason": SPOT.status_reason, "action": "retry"})}, None),
        ({"timeout": {"attemptDurationSeconds": 59}}, "at least 60"),
        ({"containerProperties": {**CONTAINER, "executionRoleArn": ""}}, "executionRoleArn"),
        ({"containerProperties": {**CONTAINER, "vcpus": 1}}, "resourceRequirements"),
        ({"containerProperties": {**CONTAINER, "privileged": True}}, "no privileges"),
        ({"containerProperties": {**CONTAINER, "environment": [{"name": "AWS_BATCH_X", "value": ""}]}}, "cannot start"),
        ({"containerProperties": {**CONTAINER, "resourceRequirements": []}}, "no container of None vCPU"),
    ],
)  # fmt: skip
def test_a_definition_that_aws_refuses_is_refused(changed: dict[str, Any], problem: str | None) -> None:
    problems = list(refused_definition({**DEFINITION, **changed}))
    assert problems == [] if problem is None else [one for one in problems if problem in one]


@pytest.mark.parametrize(
    ("vcpu", "memory", "fits"),
    [("0.25", "512", True), ("1", "8192", True), ("1", "1024", False), ("2", "4096", True), ("3", "4096", False), ("1", "2049", False)],
)  # fmt: skip
def test_fargate_has_containers_of_some_sizes_only(vcpu: str, memory: str, *, fits: bool) -> None:
    sizes = [{"type": "VCPU", "value": vcpu}, {"type": "MEMORY", "value": memory}]
    container = {**CONTAINER, "resourceRequirements": sizes}
    assert (list(refused_definition({**DEFINITION, "containerProperties": container})) == []) is fits


@pytest.mark.parametrize(
    "given", [{"jobName": "with spaces"}, {"jobName": "-first"}, {"jobName": "x" * 129}, {"jobName": "ok", "dependsOn": []}]
)  # fmt: skip
def test_a_job_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    assert list(refused_job(given))
    assert list(refused_job({"jobName": "x" * 128})) == []


def test_a_job_says_what_is_different_from_its_definition() -> None:
    container = {
        **CONTAINER,
        "command": ["--from", "Ref::from", "Ref::nothing"],
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
    }
    overrides = {
        "environment": [{"name": "B", "value": "2"}],
        "resourceRequirements": [{"type": "MEMORY", "value": "4096"}],
    }
    found = overridden(container, overrides, {"from": "here"})
    assert found["command"] == ["--from", "here", "Ref::nothing"]
    assert found["environment"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert found["resourceRequirements"] == [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "4096"}]
    assert overridden(container, {"command": ["x"]}, {})["command"] == ["x"]


def test_an_image_is_known_by_its_repository(tmp_path: Any) -> None:
    assert program_of(CONTAINER["image"], tmp_path).module == "handlers.meetings.media_job"  # type: ignore[arg-type]
    assert isinstance(program_of(CONTAINER["image"], tmp_path), Image)  # type: ignore[arg-type]
    assert repository_of("public.ecr.aws/docker/library/alpine:3") is None
    with pytest.raises(NoProgram, match="has a table"):
        program_of("123456789012.dkr.ecr.us-east-1.amazonaws.com/other:1", tmp_path)


def test_a_queue_has_the_faults_that_were_told_last(tmp_path: Any) -> None:
    (tmp_path / "emulator").mkdir()
    assert told(tmp_path, "spot") == NONE
    tell(tmp_path, {"spot": Fault(reclaimed=2)})
    assert (told(tmp_path, "spot"), told(tmp_path, "on-demand")) == (Fault(reclaimed=2), NONE)
    tell(tmp_path, {})
    assert told(tmp_path, "spot") == NONE
