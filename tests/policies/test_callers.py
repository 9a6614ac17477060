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


def schedule(target: str) -> Thing:
    return Thing(t.SCHEDULE, {"target": {"arn": target}}, "nightly")


def test_who_is_called_by_a_schedule_says_where_failed_calls_land() -> None:
    """The Scheduler calls by a role: no permission names it."""
    live = "arn:aws:lambda:eu-west-1:123456789012:function:summarise:live"
    [(message, undecided)] = found("async-failure-lands", function(60), schedule(live))
    assert "scheduler.amazonaws.com calls it without waiting" in message
    assert not undecided
    assert found("async-failure-lands", function(60), schedule(live.replace("summarise", "other"))) == []


def test_a_schedule_of_something_that_is_not_known_yet_hides_nothing() -> None:
    late = Thing(t.SCHEDULE, {"target": {"arn": UNKNOWN}}, "nightly", refers={"target": ["live"]})
    alias = Thing(t.FUNCTION_ALIAS, {"functionName": "other", "name": "live"}, "live")
    called = Thing(t.FUNCTION_PERMISSION, {"function": "summarise", "principal": "s3.amazonaws.com"}, "permission")
    [(message, undecided)] = found("async-failure-lands", function(60), called, alias, late)
    assert message.startswith("s3.amazonaws.com")
    assert not undecided
    own = Thing(t.FUNCTION_ALIAS, {"functionName": "summarise", "name": "live"}, "live")
    [(message, _)] = found("async-failure-lands", function(60), own, late)
    assert message.startswith("scheduler.amazonaws.com")


@pytest.mark.parametrize(
    ("comparison", "threshold", "rings"),
    [
        ("GreaterThanThreshold", 0, True),
        ("GreaterThanThreshold", 1, False),
        ("GreaterThanOrEqualToThreshold", 1, True),
        ("GreaterThanOrEqualToThreshold", 2, False),
        ("LessThanThreshold", 0, False),
    ],
)
def test_dead_letters_are_watched_where_the_first_of_them_rings(comparison: str, threshold: int, rings: bool) -> None:
    watched = {"metricName": "ApproximateNumberOfMessagesVisible", "dimensions": {"QueueName": "q-dlq"}}
    alarm = Thing(t.ALARM, {**watched, "comparisonOperator": comparison, "threshold": threshold}, "alarm")
    messages = found("dead-letters-watched", Thing(t.QUEUE, {"name": "q-dlq"}, "queue"), alarm)
    assert (messages == []) is rings


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


ANY = "x-amazon-apigateway-any-method"
PROXY = {"x-amazon-apigateway-integration": {"type": "aws_proxy"}}
SAYS_WHO = {"CallersCheckedBy": "the token in the body"}


@pytest.mark.parametrize(
    ("operations", "says"),
    [
        ({ANY: PROXY}, "ANY /x asks"),
        ({"post": {"security": [{}]}}, "POST /x asks"),
        ({"post": {"security": [{"jwt": []}, {}]}}, "POST /x asks"),
        ({"post": {"security": []}}, "POST /x asks"),
        ({"post": PROXY}, "POST /x asks"),
    ],
)
@pytest.mark.parametrize("kind", [t.REST_API, t.SOCKET_API])
def test_an_operation_that_anybody_may_call_is_open_whatever_the_document_says_for_all(
    kind: str, operations: dict[str, object], says: str
) -> None:
    document = {"security": [{"jwt": []}], "paths": {"/x": operations}}
    [(message, undecided)] = found("api-asks-who-calls", Thing(kind, {"body": json.dumps(document)}))
    assert says in message
    assert not undecided


def test_an_operation_for_any_method_that_asks_is_closed() -> None:
    document = {"paths": {"/x": {ANY: {**PROXY, "security": [{"jwt": []}]}}}}
    assert found("api-asks-who-calls", Thing(t.REST_API, {"body": json.dumps(document)})) == []


def routed(key: str, protocol: str = "HTTP", tags: dict[str, str] | None = None, **route: str) -> list[Thing]:
    return [
        Thing(t.SOCKET_API, {"name": "h", "protocolType": protocol, "tags": tags or {}}, "api"),
        Thing(t.SOCKET_ROUTE, {"apiId": UNKNOWN, "routeKey": key, **route}, "route", refers={"apiId": ["api"]}),
    ]


@pytest.mark.parametrize("key", ["POST /admin", "ANY /{proxy+}", "$default"])
def test_each_route_of_an_http_api_asks_who_calls(key: str) -> None:
    [(message, undecided)] = found("api-asks-who-calls", *routed(key))
    assert f"{key} asks for no authorization" in message
    assert not undecided
    assert found("api-asks-who-calls", *routed(key, authorizationType="JWT")) == []
    assert found("api-asks-who-calls", *routed(key, tags=SAYS_WHO)) == []


@pytest.mark.parametrize(("protocol", "key"), [("HTTP", "OPTIONS /admin"), ("WEBSOCKET", "$default")])
def test_what_a_browser_asks_before_and_what_comes_after_the_connection_ask_for_nothing(
    protocol: str, key: str
) -> None:
    assert found("api-asks-who-calls", *routed(key, protocol)) == []


def test_a_route_whose_api_is_elsewhere_is_known_by_its_method() -> None:
    [(message, _)] = found("api-asks-who-calls", Thing(t.SOCKET_ROUTE, {"apiId": "a1b2", "routeKey": "GET /admin"}))
    assert "GET /admin asks for no authorization" in message


@pytest.mark.parametrize("target", [LIVE.format("f"), UNKNOWN])
def test_an_api_that_brings_a_route_to_its_target_lets_everybody_call_it(target: str) -> None:
    props = {"name": "h", "protocolType": "HTTP", "target": target}
    [(message, undecided)] = found("api-asks-who-calls", Thing(t.SOCKET_API, props))
    assert "Everybody may call its target" in message
    assert not undecided
    assert found("api-asks-who-calls", Thing(t.SOCKET_API, {**props, "tags": SAYS_WHO})) == []
