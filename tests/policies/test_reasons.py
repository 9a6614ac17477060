"""A tag that says why lets a resource be as it is, where a policy would have it otherwise: one that is long enough."""

import pytest

from guardrails import types as t
from tests.policies.harness import Messages, Thing, ask, of_things, policies, surroundings

WHY = "a record would hold what must not be stored"


def found(policy: str, *things: Thing) -> list[str]:
    where = surroundings("prod")
    return [one.message for one in ask([policies(where)[policy]], of_things(list(things)), where) if one.message]


def table(tags: dict[str, str]) -> Thing:
    return Thing(t.TABLE, {"name": "t", "tags": {"Backup": "none", **tags}})


def function(tags: dict[str, str]) -> Thing:
    return Thing(t.FUNCTION, {"name": "f", "tags": tags})


DROPPING = Thing(t.FUNCTION_ASYNC, {"functionName": "f", "maximumRetryAttempts": 0}, "async")


def test_a_table_may_say_why_it_is_not_backed_up() -> None:
    assert found("table-backed-up", table({"Reason": WHY})) == []


def test_a_function_may_say_why_its_failed_calls_land_nowhere() -> None:
    assert found("async-failure-lands", function({"Reason": WHY}), DROPPING) == []


@pytest.mark.parametrize("tags", [{}, {"Reason": ""}, {"Reason": "because"}, {"Reason": " " * 20}])
def test_a_reason_that_says_nothing_is_none(tags: dict[str, str]) -> None:
    assert found("table-backed-up", table(tags))
    [message] = found("async-failure-lands", function(tags), DROPPING)
    assert "no tag Reason" in message


def test_an_event_of_aws_that_is_dropped_has_no_excuse() -> None:
    """The reason is for calls of our own, which the caller can make again."""
    caller = Thing(t.FUNCTION_PERMISSION, {"function": "f", "principal": "s3.amazonaws.com"}, "permission")
    [message] = found("async-failure-lands", function({"Reason": WHY}), caller, DROPPING)
    assert "s3.amazonaws.com" in message


def test_the_real_program_without_its_reasons_is_at_fault(prod: Messages) -> None:
    where = surroundings("prod")
    for policy, name in (
        ("table-backed-up", "transcription-live-table"),
        ("async-failure-lands", "transcription-audio-processor-function"),
    ):
        broken = prod.copy()
        broken.change(name, {"tags": {"Backup": "none"}})
        assert [one.name for one in ask([policies(where)[policy]], broken, where)] == [name]
