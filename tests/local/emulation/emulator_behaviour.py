"""Functions that show how the emulator behaves where this project corrects it, one for each name of a `Correction`.

`test_corrections.py` runs this program with the emulator's Python, once without and once with the corrections. The
program prints the results of all functions as JSON. Each function calls the emulator where a request or event of the
emulator reaches the corrected code, and creates only what it needs.
"""

import asyncio
import json
import os
import pkgutil
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT))

from ministack import app  # noqa: E402
from ministack.core import iam_actions, iam_evaluator, lambda_runtime  # noqa: E402
from ministack.core.responses import get_account_id  # noqa: E402
from ministack.services import (  # noqa: E402
    apigateway,
    apigateway_v1,
    athena,
    cloudwatch,
    cloudwatch_logs,
    cognito,
    dynamodb,
    eventbridge,
    iam,
    lambda_svc,
    s3,
    sqs,
    stepfunctions,
    sts,
)

REGION = "us-east-1"
KEY = "ASIAEXAMPLE"
ROLE = f"arn:aws:iam::{get_account_id()}:role/caller"
FUNCTION = f"arn:aws:lambda:{REGION}:{get_account_id()}:function:one"
QUEUE = f"arn:aws:sqs:{REGION}:{get_account_id()}:one"
URL = f"http://localhost:4566/{get_account_id()}/one"
API_FUNCTION = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


def allow(action: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}


def set_role(*statements: dict[str, Any], trusted: str = "") -> None:
    """Give the role `ROLE` one policy, and let it be assumed by a service."""
    trust = {"Statement": {"Effect": "Allow", "Action": "sts:*", "Principal": {"Service": trusted}}}
    iam._roles["caller"] = {
        "Arn": ROLE,
        "RoleName": "caller",
        "InlinePolicies": {"grants": {"Statement": list(statements)}},
        "AssumeRolePolicyDocument": trust,
    }


def may(action: str, resource: str = "*", body: bytes | dict[str, Any] = b"", **keys: Any) -> bool:
    """Return True if a session of `ROLE` may perform an action. `body` is that of its request."""
    arn = f"arn:aws:sts::{get_account_id()}:assumed-role/caller/session"
    sts.register_session(KEY, {"Arn": arn, "UserId": "id:session", "SecretAccessKey": "s", "SessionToken": "t"})
    app.pin_signed_body(body if isinstance(body, bytes) else json.dumps(body).encode())
    return iam_evaluator.enforce(KEY, action, action.partition(":")[0], REGION, resource, keys) is None


def policy_variables() -> Any:
    set_role(allow("s3:GetObject", "arn:aws:s3:::b/${aws:userid}/*"))
    return [may("s3:GetObject", f"arn:aws:s3:::b/{user}/x") for user in ("id:session", "another")]


def line_breaks() -> Any:
    set_role(allow("s3:GetObject", "arn:aws:s3:::b/any/*"), allow("s3:GetObject", "arn:aws:s3:::b/one"))
    return [may("s3:GetObject", f"arn:aws:s3:::b/{key}") for key in ("any/a\nb", "one\n", "one")]


def leading_keys() -> Any:
    table = f"arn:aws:dynamodb:{REGION}:{get_account_id()}:table/items"
    dynamodb._tables["items"] = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [{"KeySchema": [{"AttributeName": "gk", "KeyType": "HASH"}]}],
    }
    key = "dynamodb:LeadingKeys"
    set_role(allow("dynamodb:*", **{"ForAllValues:StringEquals": {key: "a"}, "Null": {key: "false"}}))
    query = {"KeyConditionExpression": "#k = :p AND begins_with(sk, :s)", "ExpressionAttributeNames": {"#k": "pk"}}
    bodies = [
        {"Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}},
        {"Item": {"pk": {"S": "a"}, "x": {"S": "b"}}},
        {**query, "ExpressionAttributeValues": {":p": {"S": "a"}, ":s": {"S": "b"}}},
        {"KeyConditionExpression": "gk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}},
        {"Key": {"pk": {"S": "other"}, "sk": {"S": "a"}}},
        {"KeyConditionExpression": "gk = :p", "ExpressionAttributeValues": {":p": {"S": "other"}}},
        {"TableName": "items"},
    ]
    return [may("dynamodb:GetItem", table, body) for body in bodies]


def metric_namespace() -> Any:
    set_role(allow("cloudwatch:PutMetricData", StringEquals={"cloudwatch:namespace": "Own"}))
    bodies = [{"Namespace": "Own"}, b"Action=PutMetricData&Namespace=Own", {"Namespace": "Other"}]
    return [may("cloudwatch:PutMetricData", body=body) for body in bodies]


def event_source() -> Any:
    set_role(allow("events:PutEvents", StringEquals={"events:source": "own"}))
    lists = [["own"], ["own", "own"], ["own", "aws.s3"], ["other"]]
    return [may("events:PutEvents", body={"Entries": [{"Source": s} for s in sources]}) for sources in lists]


def kms_key_of_upload() -> Any:
    header = "x-amz-server-side-encryption-aws-kms-key-id"
    return iam_actions.s3_service_context("s3:PutObject", {}, "/b/k", {header: "key"}).get(f"s3:{header}")


def message_batch() -> Any:
    set_role(allow("sqs:SendMessage"))
    return may("sqs:SendMessageBatch", QUEUE)


def session_tags() -> Any:
    tags = {"aws:RequestTag/user": "u1", "aws:TagKeys": ["user"]}
    results = []
    for value in (None, "u2", "u1"):
        condition = {"StringEquals": {"aws:RequestTag/user": value}}
        set_role(allow("sts:AssumeRole"), *([allow("sts:TagSession", **condition)] if value else []))
        results.append(may("sts:AssumeRole", ROLE, **tags))
    return [*results, may("sts:AssumeRole", ROLE)]


def memory_resource() -> Any:
    memory = f"arn:aws:bedrock-agentcore:{REGION}:{get_account_id()}:memory/clips_memory-a1B2c3D4e5"
    results = []
    for name in ("clips_memory-a1B2c3D4e5", memory, memory.replace("/", "%2F").replace(":", "%3A")):
        request = ("bedrock-agentcore", "POST", f"/memories/{name}/events", {}, b"{}", {})
        resource = iam_actions.extract_resource_arn(*request, REGION, get_account_id())
        results.append([iam_actions.extract_iam_action(*request), resource == memory])
    return results


def terminated_job() -> Any:
    request = ("batch", "POST", "/v1/terminatejob", {}, b'{"jobId": "a1-b2"}', {})
    return iam_actions.extract_resource_arn(*request, REGION, get_account_id()).rpartition(":")[2]


def loopback_as_tls() -> Any:
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    set_role(allow("s3:GetObject"), {**allow("s3:GetObject", **plain), "Effect": "Deny"})
    return may("s3:GetObject", "arn:aws:s3:::b/k")


def guest_credentials() -> Any:
    cognito._identity_pools["pool"] = {
        "IdentityPoolId": "pool",
        "_identities": {"me": {}},
        "_roles": {"unauthenticated": ROLE},
    }
    statuses = []
    for trusted in ("another.amazonaws.com", "cognito-identity.amazonaws.com"):
        set_role(trusted=trusted)
        statuses += [
            cognito._get_credentials_for_identity({"IdentityId": identity})[0] for identity in ("me", "unknown")
        ]
    return statuses


def guest_identity() -> Any:
    set_role(trusted="cognito-identity.amazonaws.com")
    cognito._identity_pools["pool"] = {
        "IdentityPoolId": "pool",
        "_identities": {"me": {}},
        "_roles": {"unauthenticated": ROLE},
    }
    body = json.loads(cognito._get_credentials_for_identity({"IdentityId": "me"})[2])
    keys = iam_evaluator.resolve_principal(body["Credentials"]["AccessKeyId"], get_account_id()).keys
    return keys.get("cognito-identity.amazonaws.com:sub")


def set_function(policy: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    config = {
        "FunctionName": "one",
        "FunctionArn": FUNCTION,
        "Role": ROLE,
        "Runtime": "python3.13",
        "Version": "$LATEST",
    }
    record = {"config": config, "policy": policy or {}, "code_zip": b"zip", "versions": {}, "aliases": {}, **fields}
    lambda_svc._functions["one"] = record
    return record


def set_queue() -> Any:
    body = json.dumps({"QueueName": "one"}).encode()
    headers = {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"}
    asyncio.run(sqs.handle_request("POST", "/", headers, body, {}))
    queue = sqs._queue_by_arn(QUEUE)
    queue["messages"].clear()
    return queue


def function_logs() -> Any:
    function = set_function()
    results = []
    for actions in ([], ["logs:CreateLogStream", "logs:PutLogEvents"]):
        set_role(*map(allow, actions))
        cloudwatch_logs._log_groups.clear()
        lambda_svc._emit_lambda_logs(function, "id", "text", error=False, duration_ms=1)
        results.append(len(cloudwatch_logs._log_groups))
    return results


def failure_destination() -> Any:
    set_function()
    queue = set_queue()
    results = []
    for statement in ("sqs:ReceiveMessage", "sqs:SendMessage"):
        set_role(allow(statement))
        lambda_svc._route_async_failure(QUEUE, "one", {}, {})
        results.append(len(queue["messages"]))
    return results


def event_target() -> Any:
    queue = set_queue()
    rule = {"Arn": f"arn:aws:events:{REGION}:{get_account_id()}:rule/one", "Name": "one"}
    schedule = {"Arn": f"arn:aws:scheduler:{REGION}:{get_account_id()}:schedule/default/one", "GroupName": "default"}
    event = {"Source": "own", "DetailType": "type", "Detail": "{}", "Time": 0}
    results = []
    for source, role, service, action in (
        (rule, None, "", ""),
        (rule, ROLE, "events.amazonaws.com", "sqs:GetQueueUrl"),
        (rule, ROLE, "another.amazonaws.com", "sqs:SendMessage"),
        (rule, ROLE, "events.amazonaws.com", "sqs:SendMessage"),
        (schedule, ROLE, "scheduler.amazonaws.com", "sqs:SendMessage"),
    ):
        set_role(allow(action), trusted=service)
        queue["messages"].clear()
        eventbridge._invoke_target({"Id": "1", "Arn": QUEUE, **({"RoleArn": role} if role else {})}, event, source)
        results.append(len(queue["messages"]))
    return results


API_PERMISSION = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
    }
}
ANSWER = {"body": {"statusCode": 200, "body": "answer"}}
FAILURE = {"error": True, "body": {"errorMessage": "secret", "trace": ["secret"]}}


@contextmanager
def function_result(result: dict[str, Any], later_result: dict[str, Any] | None = None) -> Iterator[list[Any]]:
    """Let the first call of a function return a result, and later calls another one. Yield the events of the calls."""
    events: list[Any] = []

    def execute(_record: Any, event: Any) -> dict[str, Any]:
        events.append(event)
        return result if later_result is None or len(events) == 1 else later_result

    class Worker:
        def invoke(self, event: Any, _id: str) -> dict[str, Any]:
            returned = execute(None, {**event, "by": "worker"})
            if returned.get("error"):
                return {"status": "error", "error": json.dumps(returned["body"])}
            return {"status": "ok", "result": returned["body"]}

    with (
        patch.object(lambda_svc, "_execute_function_with_config_scope", execute),
        patch.object(lambda_runtime, "get_or_create_worker", lambda *_arguments, **_keywords: Worker()),
    ):
        yield events


def rest_api_permission() -> Any:
    context = {"apiId": "api", "stage": "dev", "httpMethod": "GET", "resourcePath": "/x"}
    results = []
    with function_result(ANSWER) as events:
        for policy in ({}, API_PERMISSION):
            set_function(policy)
            asyncio.run(
                apigateway_v1._call_lambda_raw(
                    FUNCTION, {"requestContext": context}, account_id=get_account_id(), region=REGION
                )
            )
            arn = f"arn:aws:execute-api:{REGION}:{get_account_id()}:api/dev/GET/x"
            authorizer = {"id": "a", "authorizerUri": API_FUNCTION}
            asyncio.run(
                apigateway_v1._invoke_authorizer_lambda(authorizer, {"methodArn": arn}, get_account_id(), REGION)
            )
            results.append(len(events))
    return results


def rest_api_error() -> Any:
    set_function(API_PERMISSION)
    resource = {"id": "r", "path": "/x"}
    with function_result(FAILURE):
        answer = asyncio.run(
            apigateway_v1._invoke_lambda_proxy_v1(
                {"uri": API_FUNCTION}, "api", "dev", {}, resource, "/x", "GET", {}, b"", {}, {},
                owner_account_id=get_account_id(), owner_region=REGION,
            )
        )  # fmt: skip
    if not isinstance(answer, tuple):
        details = {"request_id": "id", "resource_path": "/x", "stage_name": "dev", "method": "GET"}
        request = {"api_id": "api", "stage": {}, "headers": {}, "query_params": {}, "path_params": {}, **details}
        answer = apigateway_v1._gateway_error_response(answer, request)
    return [answer[0], b"secret" in answer[2]]


def mock_request_id() -> Any:
    templates = {"application/json": '{"requestId":"$context.requestId"}'}
    integration = {"integrationResponses": {"200": {"statusCode": "200", "responseTemplates": templates}}}
    return b"$context" in apigateway_v1._invoke_mock_v1(integration)[2]


def websocket(
    *results: dict[str, Any],
    route_response: bool = False,
    policy: dict[str, Any] = API_PERMISSION,
    authorization: str = "NONE",
    offered: tuple[str, ...] = ("a",),
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Open a connection and send a message. Return the messages to the client, and the events of the function."""
    set_function(policy)
    apigateway._apis["api"] = {"protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action"}
    selection = {"routeResponseSelectionExpression": "$default"} if route_response else {}
    apigateway._routes["api"] = {
        "c": {"routeId": "c", "routeKey": "$connect", "target": "integrations/i", "authorizationType": authorization},
        "d": {"routeId": "d", "routeKey": "$default", "target": "integrations/i", **selection},
    }
    apigateway._integrations["api"] = {"i": {"integrationType": "AWS_PROXY", "integrationUri": API_FUNCTION}}
    apigateway._route_responses["api"] = {"d": {"r": {"routeResponseKey": "$default"}}} if route_response else {}
    incoming = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "{}"},
        {"type": "websocket.disconnect"},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if len(incoming) == 1:  # the emulator would look for more messages to the client for half a second
            apigateway._ws_connections[next(iter(apigateway._ws_connections))]["outbox"].put_nowait(None)
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "path": "/dev", "headers": [], "query_string": f"X-Amz-Credential={KEY}/x".encode(), "subprotocols": offered,
        "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    with function_result(*results) as events:
        asyncio.run(apigateway.handle_websocket(scope, receive, send, "api", path_override="/dev"))
    return sent, events


def websocket_handshake() -> Any:
    def first(status: int, subprotocol: str) -> Any:
        answer = {"body": {"statusCode": status, "headers": {"SEC-WebSocket-Protocol": subprotocol}}}
        message = websocket(answer)[0][0]
        return message.get("subprotocol") or message.get("status")

    return [first(200, "a"), first(200, "b"), first(401, "a")]


def websocket_identity() -> Any:
    set_role(allow("execute-api:Invoke"))
    may("execute-api:Invoke")
    _, events = websocket(ANSWER, authorization="AWS_IAM")
    identity = events[0]["requestContext"]["identity"]
    return identity.get("userArn", "").rpartition(":")[2]


def websocket_call() -> Any:
    """First message to the client, and what calls the function: its worker, or Lambda with logs and concurrency."""
    results = []
    for policy in ({}, API_PERMISSION):
        sent, events = websocket(ANSWER, policy=policy)
        results.append([sent[0]["type"], events[0].get("by", "Lambda") if events else None])
    return results


def websocket_answer() -> Any:
    """Beginning of the texts that the client of an open connection gets."""

    def texts(answer: dict[str, Any], *, route_response: bool = True) -> list[str]:
        sent, _ = websocket({"body": {"statusCode": 200}}, answer, route_response=route_response)
        return [message["text"][:10] for message in sent if message["type"] == "websocket.send"]

    malformed = {"body": {"statusCode": "200", "body": "answer"}}
    return [texts(ANSWER), texts(ANSWER, route_response=False), texts(FAILURE), texts(malformed)]


WORKER_CODE = """
import os, sys

def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(number, file=sys.stderr)
    if event.get("exits"):
        os._exit(1)
    if event.get("fails"):
        raise LookupError("no")
"""


@contextmanager
def finished_threads() -> Iterator[None]:
    """Wait at the end of the block for all threads that were started in it."""
    threads_before = threading.enumerate()
    yield
    while started := [thread for thread in threading.enumerate() if thread not in threads_before]:
        for thread in started:
            thread.join(10)


def run_worker(*events: dict[str, Any], **config: Any) -> list[Any]:
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("function.py", WORKER_CODE)
    set_function(
        config={**set_function()["config"], "Handler": "function.handler", "Timeout": 20, **config},
        code_zip=zipped.getvalue(),
    )
    function = lambda_svc._functions["one"]
    try:
        return [lambda_svc._execute_function_warm(function, event, "id") for event in events]
    finally:
        lambda_runtime.reset()


def end_of_log() -> Any:
    """Whether each call has exactly its own lines, although they arrive late."""
    read = lambda_runtime.Worker._read_stderr

    def read_slowly(worker: Any) -> None:
        put = worker._stderr_queue.put
        worker._stderr_queue.put = lambda line: (time.sleep(0.1), put(line))
        read(worker)

    with patch.object(lambda_runtime.Worker, "_read_stderr", read_slowly):
        results = run_worker({"lines": 2}, {}, {"lines": 1}, {"lines": 2, "exits": True})
    return [result["log"].removesuffix("\nWorker process died") for result in results] == ["0\n1", "", "0", "0\n1"]


def error_type() -> Any:
    [result] = run_worker({"fails": True})
    return result["body"]["errorType"]


def qualifier_settings() -> Any:
    """Failure destinations of calls of an alias, by its caller and by EventBridge."""
    settings = {
        name: {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": name}}}
        for name in ("$LATEST", "live")
    }
    set_function(event_invoke_configs=settings, aliases={"live": {"FunctionVersion": "$LATEST"}})
    destinations: list[str] = []
    with (
        patch.object(lambda_svc, "_execute_function", lambda *_arguments: FAILURE),
        patch.object(lambda_svc, "_route_async_failure", lambda target, *_arguments: destinations.append(target)),
    ):
        record, config, _ = lambda_svc._get_func_record_for_ref(f"{FUNCTION}:live")
        called = lambda_svc._execution_record_for_config(record, {**config, "FunctionArn": f"{FUNCTION}:live"})
        with finished_threads():
            lambda_svc.invoke_async_with_retry(called, {})
        with finished_threads():
            eventbridge._dispatch_to_lambda(f"{FUNCTION}:live", "{}")
    return destinations


def request_id() -> Any:
    ids: list[str] = []

    def execute(_function: Any, _event: Any, request_id: str) -> dict[str, Any]:
        ids.append(request_id)
        return FAILURE

    function = set_function(event_invoke_config={"MaximumRetryAttempts": 2})
    with (
        patch.object(lambda_svc, "_execute_function_warm", execute),
        patch.object(lambda_svc, "_LAMBDA_ASYNC_RETRY_BASE_SECONDS", 0),
        finished_threads(),
    ):
        lambda_svc.invoke_async_with_retry(function, {})
    return [len(ids), len(set(ids))]


def reserved_concurrency() -> Any:
    """Reserved concurrency of a version, which is a setting of the function."""
    function = set_function(concurrency=0)
    return lambda_svc._reserved_concurrency({"config": function["config"]}, function["config"])


def poll_queue(count: int, *actions: str) -> int:
    set_role(*map(allow, actions))
    set_function()
    queue = set_queue()
    message = {
        "body": "x",
        "md5_body": "",
        "sent_at": time.time(),
        "visible_at": 0,
        "receive_count": 0,
        "first_receive_at": None,
        "receipt_handle": None,
        "sys": {},
        "message_attributes": {},
        "md5_attrs": "",
        "group_id": None,
        "dedup_id": None,
        "dedup_cache_key": None,
        "seq": None,
    }
    queue["messages"] += [{**message, "id": str(number)} for number in range(count)]
    lambda_svc._esms["mapping"] = {"EventSourceArn": QUEUE, "FunctionName": "one", "Enabled": True}
    [url] = [url for url, found in sqs._queues.items() if found is queue]
    return len(sqs._receive_messages_for_esm(url, 100))


def queue_permissions() -> Any:
    actions = ("sqs:ReceiveMessage", "sqs:GetQueueAttributes")
    return [poll_queue(1), poll_queue(1, actions[0]), poll_queue(1, *actions)]


def batch_size() -> Any:
    return poll_queue(12, "sqs:*")


def transition_delay() -> Any:
    return lambda_svc._LAMBDA_STATE_TRANSITION_DELAY


def set_bucket() -> None:
    """Create a bucket with two versions of the object `k`."""
    for path, query, body in (
        ("/bucket", {}, b""),
        (
            "/bucket",
            {"versioning": [""]},
            b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        ),
        (
            "/bucket",
            {"notification": [""]},
            b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
        ),
        ("/bucket/k", {}, b"0123456789"),
    ):
        status = asyncio.run(s3.handle_request("PUT", path, {"host": "localhost"}, body, query))[0]
        assert status == 200, (path, query, status)


def event_version() -> Any:
    """Whether the event of an uploaded object has the object's version when EventBridge delivers it."""
    queue = set_queue()
    policy = {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:*",
            "Resource": QUEUE,
        }
    }
    queue["attributes"]["Policy"] = json.dumps(policy)
    headers = {"content-type": "application/x-amz-json-1.1"}
    for action, fields in (
        ("PutRule", {"Name": "uploads", "EventPattern": '{"source": ["aws.s3"]}'}),
        ("PutTargets", {"Rule": "uploads", "Targets": [{"Id": "1", "Arn": QUEUE}]}),
    ):
        target = {**headers, "x-amz-target": f"AWSEvents.{action}"}
        asyncio.run(eventbridge.handle_request("POST", "/", target, json.dumps(fields).encode(), {}))
    with finished_threads():
        set_bucket()
    [event] = [json.loads(message["body"]) for message in queue["messages"]]
    return bool(event["detail"]["object"].get("version-id"))


def range_of_version() -> Any:
    set_bucket()
    version = asyncio.run(s3.handle_request("PUT", "/bucket/k", {"host": "localhost"}, b"0123456789", {}))[1][
        "x-amz-version-id"
    ]
    headers = {"host": "localhost", "range": "bytes=2-4"}
    status, answer, body = asyncio.run(s3.handle_request("GET", "/bucket/k", headers, b"", {"versionId": [version]}))
    return [status, body.decode(), answer.get("Content-Range")]


def encoded_keys() -> Any:
    set_bucket()
    asyncio.run(s3.handle_request("PUT", "/bucket/a%20b", {"host": "localhost"}, b"", {}))
    query = {"versions": [""], "encoding-type": ["url"]}
    body = asyncio.run(s3.handle_request("GET", "/bucket", {"host": "localhost"}, b"", query))[2]
    return [b"a%20b" in body, b"<EncodingType>url</EncodingType>" in body]


def athena_query() -> Any:
    headers = {"x-amz-target": "AmazonAthena.StartQueryExecution"}
    query = {"QueryString": "SELECT 1", "ResultConfiguration": {"OutputLocation": "s3://bucket/"}}
    status, _, body = asyncio.run(athena.handle_request("POST", "/", headers, json.dumps(query).encode(), {}))
    return [status, json.loads(body).get("__type")]


def alarm_evaluation() -> Any:
    metric = {"Namespace": "Own", "MetricName": "failed"}
    alarm = {"AlarmName": "alarm", "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}
    dimensions = [{"Name": "FunctionName", "Value": "one"}]
    fields = {**metric, **alarm, "Period": 60, "EvaluationPeriods": 1, "Dimensions": dimensions}
    cloudwatch._put_metric_alarm({}, fields, False, True)
    data = {"Namespace": "Own", "MetricData": [{"MetricName": "failed", "Value": 1}]}
    cloudwatch._put_metric_data({}, data, False, True)
    return cloudwatch._alarms["alarm"]["StateValue"]


def request_states(action: str, **fields: Any) -> Any:
    headers = {"x-amz-target": f"AWSStepFunctions.{action}", "content-type": "application/x-amz-json-1.0"}
    answer = asyncio.run(stepfunctions.handle_request("POST", "/", headers, json.dumps(fields).encode(), {}))
    return json.loads(answer[2])


def run_task(resource: str, arguments: dict[str, Any]) -> str:
    """Run a state machine with one task. Return the error of its execution, or an empty text."""
    task = {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True}
    definition = {"StartAt": "task", "QueryLanguage": "JSONata", "States": {"task": task}}
    name = f"machine-{time.monotonic_ns()}"
    machine = request_states("CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=ROLE)
    with finished_threads():
        execution = request_states("StartExecution", stateMachineArn=machine["stateMachineArn"])
    return str(request_states("DescribeExecution", executionArn=execution["executionArn"]).get("error") or "")


def task_permissions() -> Any:
    set_function()
    results = []
    with function_result(ANSWER):
        for action in ("lambda:GetFunction", "lambda:InvokeFunction"):
            set_role(allow(action))
            results.append(run_task("arn:aws:states:::lambda:invoke", {"FunctionName": FUNCTION}))
    return results


def batch_and_glue_tasks() -> Any:
    set_role(allow("batch:*"), allow("glue:*"))
    job = {"JobName": "one", "JobQueue": "one", "JobDefinition": "one"}
    return [
        run_task("arn:aws:states:::batch:submitJob", job),
        run_task("arn:aws:states:::glue:startJobRun.sync", {"JobName": "one"}),
    ]


def sdk_tasks() -> Any:
    resource = "arn:aws:states:::aws-sdk:transcribe:getTranscriptionJob"
    return run_task(resource, {"TranscriptionJobName": "one"})


def run(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception:  # noqa: BLE001 - the test shows it as the result
        return traceback.format_exc()


def install_corrections(folder: Path) -> None:
    from local.emulation import extended_emulator, lambda_corrections  # noqa: PLC0415
    from local.emulation.batch.batch_service import BatchService  # noqa: PLC0415
    from local.emulation.step_functions.state_machine_tasks import StateMachineTasks  # noqa: PLC0415

    permissions = extended_emulator.install_corrections(folder)
    StateMachineTasks(permissions, BatchService(folder), lambda parameters: parameters).install()
    lambda_corrections.PATIENCE_SECONDS = 60  # on a busy machine, the results must be the same


def exists(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def main() -> None:
    request = json.load(sys.stdin)
    os.environ |= {"GATEWAY_PORT": "1", "AWS_DEFAULT_REGION": REGION}  # no service listens on port 1
    with tempfile.TemporaryDirectory() as folder:
        if request["corrected"]:
            install_corrections(Path(folder))
        results = {name: run(globals()[name]) for name in request["names"]}
    missing_names = [name for name in request["private_names"] if not exists(name)]
    json.dump({"version": version("ministack"), "missing_names": missing_names, "results": results}, sys.stdout)


if __name__ == "__main__":
    main()
