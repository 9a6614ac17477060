"""What the functions that show the emulator's behaviour share: their register, a role, a function and a queue."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from ministack import app
from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.responses import get_account_id
from ministack.services import iam, lambda_svc, sqs, sts

Behaviour = Callable[[], Any]
BEHAVIOURS: dict[str, tuple[Behaviour, Any, Any]] = {}
"""Functions that show the emulator's behaviour, by the name of a correction, with the results of emulator and AWS."""
REGION = "us-east-1"
KEY = "ASIAEXAMPLE"
ROLE = f"arn:aws:iam::{get_account_id()}:role/caller"
FUNCTION = f"arn:aws:lambda:{REGION}:{get_account_id()}:function:one"
QUEUE = f"arn:aws:sqs:{REGION}:{get_account_id()}:one"
API_FUNCTION = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


def shows(*, emulator: Any, aws: Any) -> Callable[[Behaviour], Behaviour]:
    """Register a function under its name, with its results without and with the corrections."""

    def register(function: Behaviour) -> Behaviour:
        BEHAVIOURS[function.__name__] = function, emulator, aws
        return function

    return register


def request(service: Any, target: str, **fields: Any) -> tuple[int, Any]:
    """Send a request to a service with a JSON protocol. Return the status and content of its answer."""
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
    status, _, body = asyncio.run(service.handle_request("POST", "/", headers, json.dumps(fields).encode(), {}))
    return status, json.loads(body or b"null")


def allow(action: str, resource: str = "*", condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}


def set_role(*statements: dict[str, Any], trusted: str = "", source: str = "") -> None:
    """Give the role `ROLE` one policy, and let it be assumed by a service, if given only for this source."""
    condition = {"ArnEquals": {"aws:SourceArn": source}} if source else {}
    trust = {"Statement": {**allow("sts:*", condition=condition), "Principal": {"Service": trusted}}}
    iam._roles["caller"] = {
        "Arn": ROLE,
        "RoleName": "caller",
        "InlinePolicies": {"grants": {"Statement": list(statements)}},
        "AssumeRolePolicyDocument": trust,
    }


def may(action: str, resource: str = "*", body: Any = b"", keys: Mapping[str, Any] | None = None) -> bool:
    """Return True if a session of `ROLE` may perform an action. `body` and condition `keys` are those of its request."""
    arn = f"arn:aws:sts::{get_account_id()}:assumed-role/caller/session"
    sts.register_session(KEY, {"Arn": arn, "UserId": "id:session", "SecretAccessKey": "s", "SessionToken": "t"})
    app.pin_signed_body(body if isinstance(body, bytes) else json.dumps(body).encode())
    return iam_evaluator.enforce(KEY, action, action.partition(":")[0], REGION, resource, keys or {}) is None


def set_function(policy: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"FunctionName": "one", "FunctionArn": FUNCTION, "Role": ROLE, "Runtime": "python3.13"}
    config |= {"Version": "$LATEST", "Handler": "function.handler", "Timeout": 20}
    record = {"config": config, "policy": policy or {}, "code_zip": b"zip", "versions": {}, "aliases": {}, **fields}
    lambda_svc._functions["one"] = record
    return record


def set_queue() -> Any:
    request(sqs, "AmazonSQS.CreateQueue", QueueName="one")
    queue = sqs._queue_by_arn(QUEUE)
    queue["messages"].clear()
    queue["attributes"].pop("Policy", None)
    return queue


API_PERMISSION = {
    "Statement": {**allow("lambda:InvokeFunction", FUNCTION), "Principal": {"Service": "apigateway.amazonaws.com"}}
}
ANSWER = {"body": {"statusCode": 200, "body": "answer"}}
FAILURE = {"error": True, "body": {"errorMessage": "secret", "trace": ["secret"]}}


@contextmanager
def function_result(result: dict[str, Any], later_result: dict[str, Any] | None = None) -> Iterator[list[Any]]:
    """Let the first call of a function return a result, and later calls another result. Yield the events of the calls."""
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


@contextmanager
def finished_threads() -> Iterator[None]:
    """Wait at the end of the block for all threads that were started in it."""
    threads_before = threading.enumerate()
    yield
    while started := [thread for thread in threading.enumerate() if thread not in threads_before]:
        for thread in started:
            thread.join(10)
