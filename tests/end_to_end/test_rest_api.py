"""A REST API on an emulator of its own, over HTTP: what clients meet as they do on AWS."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import pulumi
import pytest
from pydantic import Field

from components.blocks.api.rest_api import Judge, RestApi, RestApiArgs
from components.blocks.api.rest_rate_limits import Plan
from components.blocks.api.rest_stage import RestAlarms
from components.blocks.api.stage_settings import Throttle
from components.blocks.compute.function import Function, FunctionArgs
from components.foundation.api_logs import ApiLogs
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from handlers.common.http.rest_operations import Operation
from handlers.common.websocket.messages import Message
from local.platform.resource_changes import ResourceAction
from tests.end_to_end.small_stack import SmallStack, small_stack
from tests.fake_engine import scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("rest")]

CODE = """
import json

def handler(event, context):
    if event.get("type") == "TOKEN":
        return judged(event)
    asked = json.loads(event["body"]) if event["body"] else {}
    if asked.get("title") == "raise":
        raise ValueError("canary-traceback")
    told = {name: event[name] for name in ("httpMethod", "resource", "pathParameters", "queryStringParameters")}
    told["caller"] = event["requestContext"].get("authorizer", {}).get("principalId")
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "https://page.example.com"}
    return {"statusCode": 201 if asked else 200, "headers": headers, "body": json.dumps({"asked": asked, **told})}

def judged(event):
    token = event["authorizationToken"]
    if token == "Bearer wrong":
        raise Exception("Unauthorized")
    effect = "Allow" if token == "Bearer right" else "Deny"
    every = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": every}
    return {"principalId": "somebody", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"""
ORIGIN = "https://page.example.com"


class NotePath(Message):
    note_id: str


class NoteQuery(Message):
    limit: int = 10
    owner: str


class Tag(Message):
    name: Annotated[str, Field(min_length=1)]


class NewNote(Message):
    title: Annotated[str, Field(min_length=1, max_length=20)]
    stars: Annotated[int, Field(gt=0)] | None = None
    tags: tuple[Tag, ...] = ()


class Note(Message):
    asked: NewNote


OPERATIONS = (
    Operation("createNote", "POST", "/notes", "Makes a note.", body=NewNote, answer=Note, statuses=(201,)),
    Operation("listNotes", "GET", "/notes", "Lists notes.", query=NoteQuery, answer=Note),
    Operation("readNote", "GET", "/notes/{noteId}", "Reads a note.", parameters=NotePath, answer=Note),
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class Shared:
    """The stack, and what the program makes of it."""

    stack: SmallStack
    options: dict[str, Any] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, api: str = "open"
    ) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.stack.outputs[api] + path, data, given, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read().decode())


def body(operations: tuple[Operation, ...] = OPERATIONS) -> None:
    logs = ApiLogs(scope(layers=[]))
    own = scope(layers=[], after=[logs.account])

    def function(what: str) -> Function:
        return Function(
            what,
            FunctionArgs(
                scope=own,
                logical_name="Echo",
                entry="echo.handler",
                settings=FunctionSettings.model_validate({"timeoutSeconds": 20}),
                environment=HandlerEnvironment,
            ),
        )

    echo, judge = function("echo"), function("judge")

    def api(what: str, **more: Any) -> None:
        given = {
            "operations": operations,
            "function": echo,
            "throttle": Throttle(rate=50, burst=100),
            "alarms": RestAlarms(100, 2_000),
        }
        made = RestApi(what, RestApiArgs(scope=own, logical_name="Notes", cors_origin=ORIGIN, **{**given, **more}))
        pulumi.export(what, made.url)

    api("open", requests_per_address=1000)
    api("keyed", plan=Plan(rate=5, burst=10, requests_per_day=3))
    api("judged", judge=Judge(judge, 60))
    api("slow", throttle=Throttle(rate=0.001, burst=1))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with small_stack(tmp_path_factory.mktemp("rest"), CODE) as stack:
        stack.outputs, _ = stack.up(body)
        yield Shared(stack)


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: these APIs have an emulator of their own."""


def error_of(answer: Answer) -> tuple[int, str]:
    """Status and code of an error, whose body and headers are as every error's."""
    assert set(answer.body) == {"code", "message", "fields", "requestId"}
    assert answer.body["fields"] == []
    assert answer.body["requestId"]
    assert "$" not in answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    return answer.status, answer.body["code"]


@pytest.mark.parametrize("wrong", [{}, {"title": "x", "tags": [{"name": 1}]}, b"{"], ids=str)
def test_a_body_of_another_form_is_refused_before_any_function(live: Shared, wrong: Any) -> None:
    assert error_of(live.ask("POST", "/notes", wrong)) == (400, "MALFORMED")


def test_a_parameter_that_is_missing_is_named(live: Shared) -> None:
    answer = live.ask("GET", "/notes")
    assert error_of(answer) == (400, "MALFORMED")
    assert "[owner]" in answer.body["message"]


def test_a_content_type_that_has_no_template_is_refused_where_the_gateway_answers(live: Shared) -> None:
    answer = live.ask("POST", "/other", b"x", {"Content-Type": "image/png"})
    assert error_of(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_function_that_fails_shows_nothing_of_itself(live: Shared) -> None:
    answer = live.ask("POST", "/notes", {"title": "raise"})
    assert error_of(answer) == (502, "INTERNAL")
    assert "canary" not in answer.text


def key_of(live: Shared) -> str:
    gateway = live.stack.clients("apigateway")
    return str(gateway.get_api_key(apiKey=live.stack.ids["ingestion-keyed-key"], includeValue=True)["value"])


def test_a_key_is_needed_where_a_plan_is_and_counts(live: Shared) -> None:
    assert error_of(live.ask("GET", "/notes/7", api="keyed")) == (403, "INVALID_API_KEY")
    assert error_of(live.ask("GET", "/notes/7", headers={"x-api-key": "x" * 20}, api="keyed")) == (
        403,
        "INVALID_API_KEY",
    )
    assert error_of(live.ask("GET", "/other", api="keyed")) == (404, "NOT_FOUND"), "nobody's path needs no key"
    key = {"x-api-key": key_of(live)}
    assert [live.ask("GET", "/notes/7", headers=key, api="keyed").status for _ in range(3)] == [200] * 3
    assert error_of(live.ask("GET", "/notes/7", headers=key, api="keyed")) == (429, "QUOTA_EXCEEDED")


def test_a_function_judges_who_calls(live: Shared) -> None:
    def asked(token: str | None, path: str = "/notes/7") -> Answer:
        return live.ask("GET", path, headers={"Authorization": token} if token else {}, api="judged")

    assert error_of(asked(None)) == (401, "UNAUTHORIZED")
    assert error_of(asked("Bearer wrong")) == (401, "UNAUTHORIZED")
    assert error_of(asked("Bearer other")) == (401, "UNAUTHORIZED")
    assert (asked("Bearer right").status, asked("Bearer right").body["caller"]) == (200, "somebody")
    assert asked("Bearer right", "/notes?owner=me").status == 200, "what was judged on one path counts on the others"


def test_too_many_requests_are_told_so(live: Shared) -> None:
    assert live.ask("GET", "/notes/7", api="slow").status == 200
    assert error_of(live.ask("GET", "/notes/7", api="slow")) == (429, "THROTTLED")


def test_the_stage_is_as_its_block_says(live: Shared) -> None:
    gateway, api = live.stack.clients("apigateway"), live.stack.ids["ingestion-open-api"]
    stage = gateway.get_stage(restApiId=api, stageName="api")
    settings = stage["methodSettings"]["*/*"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (50.0, 100)
    assert (settings["metricsEnabled"], settings["loggingLevel"], settings["dataTraceEnabled"]) == (
        True,
        "ERROR",
        False,
    )
    assert stage["tracingEnabled"] is True
    assert stage["accessLogSettings"]["destinationArn"].endswith(":/aws/apigateway/polyphony-test-ingestion-open")
    groups = live.stack.clients("logs").describe_log_groups(logGroupNamePrefix="API-Gateway-Execution-Logs_")
    assert f"API-Gateway-Execution-Logs_{api}/api" in {one["logGroupName"] for one in groups["logGroups"]}
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api}/stages/api"
    assert live.stack.clients("wafv2").get_web_acl_for_resource(ResourceArn=arn)["WebACL"]["Name"].endswith("-open")


@pytest.mark.parametrize(
    ("what", "api", "statement", "then"),
    [("echo", "open", "ingestion-open", 200), ("judge", "judged", "ingestion-judged-authorizer", 401)],
)
def test_a_function_that_does_not_let_the_gateway_in_is_not_called(
    live: Shared, what: str, api: str, statement: str, then: int
) -> None:
    functions, function = live.stack.clients("lambda"), f"polyphony-test-ingestion-{what}"
    policy = json.loads(functions.get_policy(FunctionName=function, Qualifier="live")["Policy"])
    (source,) = [one["Condition"]["ArnLike"]["AWS:SourceArn"] for one in policy["Statement"] if one["Sid"] == statement]
    given = {"FunctionName": function, "StatementId": statement, "Qualifier": "live"}
    unheard = {"Authorization": "Bearer unheard"}
    functions.remove_permission(**given)
    try:
        assert error_of(live.ask("GET", "/notes/7", headers=unheard, api=api)) == (500, "INTERNAL")
    finally:
        action = {
            "ResourceAction": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": source,
        }
        functions.add_permission(**given, **action)
    assert live.ask("GET", "/notes/7", headers=unheard, api=api).status == then


def test_a_changed_document_is_applied_and_deployed_and_nothing_else_is(live: Shared) -> None:
    _, done = live.stack.up(body)
    assert set(done.values()) == {ResourceAction.SAME}
    more = Operation("dropNote", "DELETE", "/notes/{noteId}", "Drops a note.", parameters=NotePath, statuses=(204,))
    try:
        before = dict(live.stack.ids)
        _, done = live.stack.up(lambda: body((*OPERATIONS[:2], more)))
        assert done["ingestion-open-api"] is ResourceAction.UPDATE
        assert done["ingestion-open-deployment"] is ResourceAction.REPLACE
        assert live.stack.ids["ingestion-open-api"] == before["ingestion-open-api"]
        assert live.ask("DELETE", "/notes/7").status == 200
        assert error_of(live.ask("GET", "/notes/7")) == (405, "METHOD_NOT_ALLOWED")
    finally:
        live.stack.up(body)
    assert live.ask("GET", "/notes/7").status == 200
    assert error_of(live.ask("DELETE", "/notes/7")) == (405, "METHOD_NOT_ALLOWED")


def test_all_of_it_can_be_taken_away(live: Shared) -> None:
    """The last of these tests: what they share is gone behind it."""
    gateway = live.stack.clients("apigateway")

    def left() -> list[Any]:
        firewalls = live.stack.clients("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
        apis, plans, keys = gateway.get_rest_apis(), gateway.get_usage_plans(), gateway.get_api_keys()
        return [apis["items"], plans["items"], keys["items"], firewalls]

    assert all(left()), "there is one of each"
    live.stack.up(lambda: None)
    assert left() == [[], [], [], []]
