"""What changes a policy's answer beside the resource itself: who calls a function, and who checks an API's callers."""

import json

import pytest

from guardrails import types as t
from tests.policies.harness import UNKNOWN, Thing, ask, of_things, policies, surroundings

LIVE = "arn:aws:lambda:us-east-1:123456789012:function:{}:live"


def found(policy: str, *things: Thing) -> list[tuple[str, bool]]:
    """What a policy says, and whether it could not tell."""
    where = surroundings()
    answers = ask([policies(where)[policy]], of_things(things), where)
    return [(one.message, one.undecided) for one in answers]


def function(seconds: int) -> Thing:
    return Thing(t.FUNCTION, {"name": "summarise", "timeout": seconds}, "function")


def workflow(calls: object) -> Thing:
    states = {"One": {"Type": "Task", "Arguments": {"FunctionName": LIVE.format(calls)}}}
    return Thing(t.WORKFLOW, {"definition": json.dumps({"States": states})}, "workflow")


def test_a_function_that_a_workflow_calls_may_run_for_all_of_lambdas_time() -> None:
    assert found("function-timeout-ceiling", function(900), workflow("summarise")) == []


@pytest.mark.parametrize("other", ["summarise-more", "do-summarise"])
def test_a_workflow_of_other_functions_excuses_nothing(other: str) -> None:
    [(message, undecided)] = found("function-timeout-ceiling", function(900), workflow(other))
    assert "900 seconds" in message
    assert not undecided


def test_a_workflow_that_is_not_known_yet_may_call_it() -> None:
    late = Thing(t.WORKFLOW, {"definition": UNKNOWN}, "workflow")
    assert {undecided for _, undecided in found("function-timeout-ceiling", function(900), late)} == {True}


def api(tags: dict[str, str]) -> Thing:
    body = {"openapi": "3.0.1", "paths": {"/exchange": {"post": {"operationId": "exchange"}}}}
    return Thing(t.REST_API, {"body": json.dumps(body), "tags": tags}, "api")


def test_an_api_that_says_who_checks_its_callers_needs_no_authorizer() -> None:
    assert found("api-asks-who-calls", api({"CallersCheckedBy": "the token in the body"})) == []


@pytest.mark.parametrize("tags", [{}, {"CallersCheckedBy": ""}, {"CallersCheckedBy": "somebody"}])
def test_an_api_that_does_not_say_it_or_says_next_to_nothing_is_open(tags: dict[str, str]) -> None:
    [(message, undecided)] = found("api-asks-who-calls", api(tags))
    assert "POST /exchange asks for no authorization" in message
    assert not undecided


def test_spaces_are_no_reason() -> None:
    assert found("api-asks-who-calls", api({"CallersCheckedBy": f"nobody{' ' * 20}"}))
