"""The launcher's reach into the emulator: every private name that it needs, and what goes wrong without it."""

import json
import re
import subprocess
from typing import Any

import pytest

from local import ROOT
from local.emulator import PYTHON
from local.patches import MADE_FOR
from local.patches.batches import FULL_BYTES, ready
from local.patches.socket_answers import (
    BAD_GATEWAY,
    FAILED,
    FRAME_BYTES,
    MESSAGE_BYTES,
    Answer,
    FrameCount,
    answer_of,
    header_name,
    refusal_message,
)
from local.patches.traces import error_class

pytestmark = pytest.mark.unit

REACHED = {
    "ministack.app.pin_request_origin": "loopback no longer counts as TLS: every bucket and queue refuses its callers",
    "ministack.app.pin_signed_body": "no request body for IAM: namespaces and leading keys are judged without it",
    "ministack.core.iam_actions._BOTOCORE_SERVICE_MAP": "agents' memories are open to everybody",
    "ministack.core.iam_actions.extract_resource_arn": "whoever may use one agent's memory may use none",
    "ministack.core.iam_evaluator._request_origin": "what the emulator does by itself is refused as plain HTTP",
    "ministack.core.iam_evaluator.enforce": "IAM decisions are not recorded, and the known false ones stand",
    "ministack.core.iam_evaluator.resolve_principal": "the keys that describe a caller are not known",
    "ministack.core.iam_evaluator.resolve_caller_identity": "a decision cannot be told whose it was",
    "ministack.core.iam_evaluator.EvalResult": "a corrected refusal cannot be given",
    "ministack.core.iam_evaluator.AuthError": "a failed signature would be recorded as a missing grant",
    "ministack.core.iam_evaluator._principal_keys": "a guest's own prefix and keys are nobody's: he is refused",
    "ministack.core.lambda_runtime._PYTHON_WORKER_SCRIPT": "where a call's log ends is not known, and waited for",
    "ministack.core.lambda_runtime.Worker._drain_stderr_bounded": "the end of a call's log is waited for",
    "ministack.core.lambda_runtime.Worker._read_stderr": "the end of a dead call's log is waited for",
    "ministack.core.responses.get_account_id": "roles are not found",
    "ministack.core.responses.error_response_json": "credentials cannot be refused",
    "ministack.services.apigateway_v1._iam_caller_identity": "$connect does not say who signed it",
    "ministack.services.apigateway_v1._invoke_mock_v1": "what a REST API answers by itself has no request id",
    "ministack.services.apigateway_v1._invoke_lambda_proxy_v1": "a function behind a REST API shows its traceback",
    "ministack.services.apigateway_v1._lambda_proxy_response": "a function behind a REST API shows its traceback",
    "ministack.services.apigateway_v1._gateway_error_response": "a function that failed is answered with 500",
    "ministack.services.apigateway_v1._call_lambda_raw": "a function behind a REST API lets everybody in",
    "ministack.services.apigateway_v1._invoke_authorizer_lambda": "a function that judges callers lets everybody in",
    "ministack.services.apigateway_v1._extract_lambda_ref_from_integration_uri": "which function judges is not known",
    "ministack.services.apigateway_v1._gw_error": "a function that failed is not answered as the document says",
    "ministack.services.cognito._get_credentials_for_identity": "pools hand out roles that do not trust them",
    "ministack.services.cognito._identity_pools": "the pool of an identity is not known",
    "ministack.services.sts._sessions": "whose credentials they are is not known, and Transcribe cannot work in its caller's name",
    "ministack.services.s3._fire_s3_event": "S3's events on the bus do not name the version",
    "ministack.services.eventbridge._invoke_target": "targets are called without asking, and what fails is lost",
    "ministack.services.eventbridge._dispatch_to_lambda": "a rule calls a function once, and keeps no failure",
    "ministack.services.eventbridge._pattern_event_view": "what could not be delivered is parked without its event",
    "ministack.services.eventbridge._SCHEDULER_TICK_INTERVAL": "scheduled rules are up to ten seconds late",
    "ministack.services.scheduler._SCHEDULE_TICK_INTERVAL": "schedules are up to ten seconds late",
    "ministack.services.scheduler._create_schedule": "schedules take roles that do not trust them",
    "ministack.services.scheduler._update_schedule": "schedules take roles that do not trust them",
    "ministack.services.sns._topic_by_arn_any_scope": "a topic's policy cannot be asked",
    "ministack.services.sqs._queue_by_arn": "a queue's policy cannot be asked, and nothing is parked",
    "ministack.services.sqs._act_send_message": "nothing is parked",
    "ministack.services.stepfunctions._resolve_state_machine_arn": "whether a target is there is not known",
    "ministack.services.lambda_svc.invoke_async_with_retry": "calls that nobody waits for go by the wrong settings",
    "ministack.services.lambda_svc._reserved_concurrency": "any number of calls run at once, whatever is reserved",
    "ministack.services.lambda_svc._execute_function": "a call that nobody waits for is lost when there is no place",
    "ministack.services.lambda_svc._invoke": "which alias was called is not known",
    "ministack.services.lambda_svc._get_func_record_for_ref": "which alias was called is not known",
    "ministack.services.lambda_svc._lambda_function_name_and_qualifier_from_arn": "which alias was called is not known",
    "ministack.services.lambda_svc._create_function": "functions take roles that do not trust Lambda",
    "ministack.services.lambda_svc._update_config": "functions take roles that do not trust Lambda",
    "ministack.services.eventbridge._dispatch_event": "S3's events on the bus do not name the version",
    "ministack.services.eventbridge._put_events": "local services say nothing of their jobs on the bus",
    "ministack.services.s3._get_object": "a part of a version is the whole of it",
    "ministack.services.s3._parse_range": "a part of a version is the whole of it",
    "ministack.services.iam._roles": "a role's own policies cannot be read",
    "ministack.core.concurrency.run_reentrant": "a function behind a WebSocket could not post to its own connection",
    "ministack.services.apigateway.handle_websocket": "subprotocols and refusals never reach the client",
    "ministack.services.apigateway._refuse_ws_handshake": "a refused handshake has no status",
    "ministack.services.apigateway._invoke_ws_lambda": "WebSocket calls write no logs, and clients see tracebacks",
    "ministack.services.apigateway.handle_connections_api": "messages of any size are posted",
    "ministack.services.apigateway._integrations": "the function behind a route is not known",
    "ministack.services.apigateway._route_responses": "routes answer that have no response",
    "ministack.services.apigateway._extract_lambda_ref_from_integration_uri": "the alias behind a route is not known",
    "ministack.services.apigateway._ws_request_context": "a WebSocket event has no context",
    "ministack.services.apigateway._ws_connect_fields": "a WebSocket event has no headers",
    "ministack.services.apigateway.execute_api_route_arn": "a function's permission cannot be judged",
    "hypercorn.protocol.ws_stream.WebsocketBuffer": "frames and messages of any size are taken",
    "hypercorn.protocol.ws_stream.FrameTooLargeError": "a long message does not close with 1009",
    "ministack.services.dynamodb._tables": "a table's partition keys are not known: leading keys are never compared",
    "ministack.services.cloudwatch_logs._make_group_arn": "writing logs cannot be judged",
    "ministack.services.lambda_svc._emit_lambda_logs": "logs are written without the grants for it",
    "ministack.services.lambda_svc._route_async_failure": "failed calls are parked without the grant for it",
    "ministack.services.lambda_svc._functions": "the role of a failed function is not known",
    "ministack.services.lambda_svc._execute_function_warm": "a workflow's Catch by class never fires",
    "ministack.services.lambda_svc._get_func_record_for_ref_in_scope": "the version behind an alias is not known",
    "ministack.services.lambda_svc._execute_function_with_config_scope": "WebSocket calls bypass logs and concurrency",
    "ministack.services.lambda_svc._execution_record_for_config": "a version cannot be run",
    "ministack.services.lambda_svc._get_func_record_for_qualifier": "the role behind an event source is not known",
    "ministack.services.lambda_svc._iter_all_esms": "window and role of an event source are not known",
    "ministack.services.lambda_svc._esm_wake": "a window ends up to a second late",
    "ministack.services.sqs._receive_messages_for_esm": "batches have ten messages at most, and no window",
    "ministack.services.sqs._delete_messages_for_esm": "messages are deleted without the grant for it",
    "ministack.services.sqs._queues_lock": "messages could be handed out twice",
    "ministack.services.sqs._get_q": "a queue is not found",
    "ministack.services.sqs._expire_retained": "old messages stay",
    "ministack.services.sqs._dlq_sweep": "failed messages never reach the dead-letter queue",
    "ministack.services.sqs._collect_msgs": "messages cannot be taken",
    "ministack.services.batch._DISPATCH": "nothing of AWS Batch can be changed or deleted, and jobs succeed by themselves",
    "ministack.services.batch._compute_envs": "a queue's kind of machine is not known",
    "ministack.services.batch._job_definitions": "retries, timeouts and capabilities of jobs are forgotten",
    "ministack.services.batch._job_queues": "queues of jobs are not found",
    "ministack.services.batch._jobs": "nobody can ask what became of a job",
    "ministack.services.batch._list_jobs": "jobs are found by name alone",
    "ministack.services.batch._json": "AWS Batch cannot answer",
    "ministack.services.batch.handle_request": "tags of AWS Batch cannot be changed",
    "ministack.services.ecr._repositories": "a job's image may be in a repository that is not there",
    "ministack.services.glue._create_job": "a job has one run at a time, and takes roles that do not trust Glue",
    "ministack.services.glue._jobs": "a workflow cannot find the job that it runs",
    "ministack.services.sts.register_session": "a job, or a workflow's call, gets no credentials of its role",
    "ministack.services.stepfunctions._executions": "the machine behind an execution is not known",
    "ministack.services.stepfunctions._state_machines": "the role behind an execution is not known",
    "ministack.services.stepfunctions._run_execution": "a workflow's role is never asked",
    "ministack.services.stepfunctions._invoke_resource": "a workflow's role is never asked",
    "ministack.services.stepfunctions._invoke_resource_with_timeout": "a job goes on that its workflow gave up",
    "ministack.services.stepfunctions._invoke_aws_sdk_integration": "SDK calls of workflows bypass their role and IAM",
    "ministack.services.stepfunctions._create_state_machine": "a role that may not have managed rules is not refused",
    "ministack.services.stepfunctions._update_state_machine": "a role that may not have managed rules is not refused",
    "ministack.services.stepfunctions._SERVICE_DISPATCH": "missing integrations cannot be registered",
    "ministack.services.stepfunctions._ExecutionError": "an integration cannot fail by name",
}
LOOK = """
import json, pkgutil, sys
from importlib.metadata import version
missing = []
for name in json.load(sys.stdin):
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        missing.append(name)
print(json.dumps({"missing": missing, "version": version("ministack")}))
"""


def test_every_private_name_is_still_there() -> None:
    run = subprocess.run(  # noqa: S603 - the emulator's own environment
        [str(PYTHON), "-P", "-c", LOOK], input=json.dumps(list(REACHED)), capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    broken = [f"{name} is gone: {REACHED[name]}" for name in found["missing"]]
    assert not broken, f"local/patches was made for ministack {MADE_FOR}, this is {found['version']}:\n" + "\n".join(
        broken
    )
    assert found["version"] == MADE_FOR, "another version: read what its private functions do now, then raise MADE_FOR"


def test_the_list_above_is_what_the_patches_reach_for() -> None:
    """A patch that reaches for something new must say here what breaks without it."""
    reached: set[str] = set()
    for path in (ROOT / "local" / "patches").glob("*.py"):
        for owner, name in re.findall(r'reached\((\w+), "(\w+)"\)', path.read_text(encoding="utf-8")):
            reached.add(f"{owner}.{name}")
    listed = {".".join(name.split(".")[-2:]) for name in REACHED}
    assert reached <= listed, f"not explained: {sorted(reached - listed)}"


def test_the_version_is_pinned_to_the_letter() -> None:
    lock = (ROOT / "requirements" / "emulator.txt").read_text(encoding="utf-8")
    assert f"ministack=={MADE_FOR} " in lock


def message(at: float, body: str = "x", visible: float | None = None) -> dict[str, Any]:
    return {"sent_at": at, "visible_at": at if visible is None else visible, "body": body}


@pytest.mark.parametrize(
    ("messages", "size", "window", "taken"),
    [
        ([], 100, 5, 0),
        ([message(99)], 100, 5, 0),
        ([message(95)], 100, 5, 1),
        ([message(99)], 100, 0, 1),
        ([message(99)] * 100, 100, 5, 100),
        ([message(99)] * 150, 100, 5, 100),
        ([message(94), message(99)], 100, 5, 2),
        ([message(50, visible=99)], 100, 5, 0),
        ([message(50, visible=101)], 100, 5, 0),
        ([message(90, "x" * (FULL_BYTES // 2))] * 3, 100, 5, 2),
        ([message(99, "x" * (FULL_BYTES // 2 + 1))] * 2, 100, 5, 1),
    ],
    ids=[
        "nothing there",
        "the window is open",
        "the window is over",
        "no window",
        "full at once",
        "more than full",
        "the oldest decides",
        "a message that came back begins anew",
        "a hidden message does not count",
        "6 MB are full",
        "and go out at once",
    ],
)
def test_a_batch_goes_out_when_lambda_would_send_it(
    messages: list[dict[str, Any]], size: int, window: int, taken: int
) -> None:
    assert ready(messages, size, window, now=100) == taken


def traceback_of(text: str) -> str:
    return f'some output\nTraceback (most recent call last):\n  File "x.py", line 1, in handler\n    fail()\n{text}\n'


@pytest.mark.parametrize(
    ("last", "message", "name"),
    [
        ("KeyError: 'Records'", "'Records'", "KeyError"),
        ("handlers.meetings.errors.TooLong: 3 hours", "3 hours", "TooLong"),
        ("ValueError", "", "ValueError"),
        ("pydantic_core._pydantic_core.ValidationError: 1 error\nfield\n  missing", "1 error\nfield\n  missing", "ValidationError"),
        ("nothing of the kind", "3 hours", ""),
    ],
    ids=["built in", "our own", "no message", "a message of several lines", "no class"],
)  # fmt: skip
def test_the_class_of_a_failure_is_the_end_of_its_traceback(last: str, message: str, name: str) -> None:
    assert error_class(traceback_of(last), message) == name


@pytest.mark.parametrize(
    ("returned", "answer"),
    [
        ({"statusCode": 200, "body": "x"}, Answer(200, "x")),
        ({"statusCode": 200}, Answer(200)),
        ({"statusCode": 200, "body": None, "headers": None}, Answer(200)),
        ({"statusCode": 403, "headers": {}}, Answer(403)),
        ({"statusCode": 200, "headers": {"SEC-WebSocket-Protocol": "a"}}, Answer(200, subprotocol="a")),
        ({}, FAILED),
        (None, FAILED),
        ("text", FAILED),
        ([200], FAILED),
        ({"statusCode": "200"}, FAILED),
        ({"statusCode": 99}, FAILED),
        ({"statusCode": 101}, FAILED),
        ({"statusCode": 600}, FAILED),
        ({"statusCode": 200, "body": {"x": 1}}, FAILED),
    ],
)
def test_an_answer_is_an_object_with_a_status_and_a_text(returned: Any, answer: Answer) -> None:
    assert answer_of({"body": returned}) == answer


@pytest.mark.parametrize("flaw", [{"error": True}, {"throttle": True}])
def test_a_function_that_failed_has_not_answered(flaw: dict[str, Any]) -> None:
    assert answer_of({"body": {"statusCode": 200, "body": "x"}, **flaw}) == FAILED


@pytest.mark.parametrize(("status", "says"), [(401, "Unauthorized"), (BAD_GATEWAY, "Internal server error"), (599, "")])
def test_a_refusal_says_no_more_than_its_status(status: int, says: str) -> None:
    assert refusal_message(status) == says


@pytest.mark.parametrize(
    ("name", "seen"), [("sec-websocket-protocol", "Sec-WebSocket-Protocol"), ("host", "Host"), ("x-a-b", "X-A-B")]
)
def test_functions_see_headers_as_clients_write_them(name: str, seen: str) -> None:
    assert header_name(name) == seen


def test_a_frame_may_have_32_kilobytes_and_a_message_128() -> None:
    count = FrameCount()
    for _ in range(MESSAGE_BYTES // FRAME_BYTES):
        assert count.fits(1, frame_ends=False)
        assert count.fits(FRAME_BYTES - 1, frame_ends=True)
    assert not count.fits(1, frame_ends=False)
    assert not FrameCount().fits(FRAME_BYTES + 1, frame_ends=True)
    pieces = FrameCount()
    assert pieces.fits(FRAME_BYTES, frame_ends=False)
    assert not pieces.fits(1, frame_ends=True)
