"""Shows how the emulator's Lambda, S3, Athena, CloudWatch and Step Functions behave."""

import asyncio
import json
import time
import zipfile
from io import BytesIO
from typing import Any
from unittest.mock import patch

from ministack.core import lambda_runtime
from ministack.services import athena, cloudwatch, eventbridge, lambda_svc, s3, sqs, stepfunctions

from tests.local.emulation.behaviour.common import (
    ANSWER,
    FAILURE,
    FUNCTION,
    QUEUE,
    ROLE,
    allow,
    finished_threads,
    function_result,
    request,
    set_function,
    set_queue,
    set_role,
    shows,
)

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


def run_worker(*events: dict[str, Any]) -> list[Any]:
    """Return the results of calls of a function in a real worker process."""
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("function.py", WORKER_CODE)
    function = set_function(code_zip=zipped.getvalue())
    try:
        return [lambda_svc._execute_function_warm(function, event, "id") for event in events]
    finally:
        lambda_runtime.reset()


@shows(emulator=False, aws=True)
def end_of_log() -> Any:
    """Whether each call has exactly its own lines, although they arrive late."""
    read = lambda_runtime.Worker._read_stderr

    def read_slowly(worker: Any) -> None:
        put = worker._stderr_queue.put

        def put_late(line: str) -> None:
            time.sleep(0.1)
            put(line)

        worker._stderr_queue.put = put_late
        read(worker)

    with patch.object(lambda_runtime.Worker, "_read_stderr", read_slowly):
        results = run_worker({"lines": 2}, {}, {"lines": 1}, {"lines": 2, "exits": True})
    return [result["log"].removesuffix("\nWorker process died") for result in results] == ["0\n1", "", "0", "0\n1"]


@shows(emulator="Runtime.HandlerError", aws="LookupError")
def error_type() -> Any:
    [result] = run_worker({"fails": True})
    return result["body"]["errorType"]


@shows(emulator=["$LATEST"], aws=["live", "live"])
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


def poll_queue(count: int, *actions: str, window: int = 0, age: int = 0) -> int:
    """Return how many messages of this age Lambda gets from a queue, for a batch of 100 messages."""
    set_role(*map(allow, actions))
    set_function()
    queue = set_queue()
    [url] = [url for url, found in sqs._queues.items() if found is queue]
    for _ in range(count):
        request(sqs, "AmazonSQS.SendMessage", QueueUrl=url, MessageBody="x")
    lambda_svc._esms["mapping"] = {"EventSourceArn": QUEUE, "FunctionName": "one", "Enabled": True}
    lambda_svc._esms["mapping"]["MaximumBatchingWindowInSeconds"] = window
    for message in queue["messages"]:
        message["sent_at"] -= age
        message["visible_at"] = 0
    return len(sqs._receive_messages_for_esm(url, 100))


@shows(emulator=[1, 1, 1], aws=[0, 0, 1])
def queue_permissions() -> Any:
    actions = ("sqs:ReceiveMessage", "sqs:GetQueueAttributes")
    return [poll_queue(1), poll_queue(1, actions[0]), poll_queue(1, *actions)]


@shows(emulator=10, aws=12)
def batch_size() -> Any:
    return poll_queue(12, "sqs:*")


@shows(emulator=[1, 1, 1], aws=[0, 1, 1])
def batch_window() -> Any:
    """Messages of a batch that is not full, before and after its window, and without a window."""
    return [poll_queue(1, "sqs:*", window=60, age=age) for age in (0, 61)] + [poll_queue(1, "sqs:*")]


@shows(emulator=0.5, aws=0.02)
def transition_delay() -> Any:
    return lambda_svc._LAMBDA_STATE_TRANSITION_DELAY


VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
NOTIFICATIONS = b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"


def request_s3(method: str, key: str = "", body: bytes = b"", **query: str) -> tuple[int, dict[str, str], bytes]:
    """Send a request about the bucket or an object. `byte_range` is a header."""
    headers = {"host": "localhost"}
    if "byte_range" in query:
        headers["range"] = query.pop("byte_range")
    lists = {name.replace("_", "-"): [value] for name, value in query.items()}
    answer: tuple[int, dict[str, str], bytes] = asyncio.run(
        s3.handle_request(method, f"/bucket{key}", headers, body, lists)
    )
    assert answer[0] in {200, 206}, answer
    return answer


def set_bucket() -> None:
    request_s3("PUT")
    request_s3("PUT", body=VERSIONING, versioning="")
    request_s3("PUT", body=NOTIFICATIONS, notification="")


@shows(emulator=False, aws=True)
def event_version() -> Any:
    """Whether the event of an uploaded object has the object's version when EventBridge delivers it."""
    queue = set_queue()
    policy = {"Statement": {**allow("sqs:*", QUEUE), "Principal": {"Service": "events.amazonaws.com"}}}
    queue["attributes"]["Policy"] = json.dumps(policy)
    request(eventbridge, "AWSEvents.PutRule", Name="uploads", EventPattern='{"source": ["aws.s3"]}')
    request(eventbridge, "AWSEvents.PutTargets", Rule="uploads", Targets=[{"Id": "1", "Arn": QUEUE}])
    set_bucket()
    with finished_threads():
        request_s3("PUT", "/k", b"0123456789")
    [event] = [json.loads(message["body"]) for message in queue["messages"]]
    return bool(event["detail"]["object"].get("version-id"))


@shows(emulator=[200, "0123456789", None], aws=[206, "234", "bytes 2-4/10"])
def range_of_version() -> Any:
    set_bucket()
    version = request_s3("PUT", "/k", b"0123456789")[1]["x-amz-version-id"]
    status, headers, body = request_s3("GET", "/k", versionId=version, byte_range="bytes=2-4")
    return [status, body.decode(), headers.get("Content-Range")]


@shows(emulator=[True, False], aws=[False, True])
def encoded_keys() -> Any:
    set_bucket()
    request_s3("PUT", "/a%20b")
    body = request_s3("GET", versions="", encoding_type="url")[2]
    return [b"a%20b" in body, b"<EncodingType>url</EncodingType>" in body]


@shows(emulator=[200, None], aws=[400, "InvalidRequestException"])
def athena_query() -> Any:
    output = {"OutputLocation": "s3://bucket/"}
    query = {"QueryString": "SELECT 1", "ResultConfiguration": output}
    status, answer = request(athena, "AmazonAthena.StartQueryExecution", **query)
    return [status, answer.get("__type")]


@shows(emulator="ALARM", aws="INSUFFICIENT_DATA")
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
    return request(stepfunctions, f"AWSStepFunctions.{action}", **fields)[1]


def run_task(resource: str, arguments: dict[str, Any]) -> str:
    """Run a state machine with one task. Return the error of its execution, or an empty text."""
    task = {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True}
    definition = {"StartAt": "task", "QueryLanguage": "JSONata", "States": {"task": task}}
    name = f"machine-{time.monotonic_ns()}"
    machine = request_states("CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=ROLE)
    with finished_threads():
        execution = request_states("StartExecution", stateMachineArn=machine["stateMachineArn"])
    return str(request_states("DescribeExecution", executionArn=execution["executionArn"]).get("error") or "")


@shows(emulator=["", ""], aws=["States.TaskFailed", ""])
def task_permissions() -> Any:
    set_function()
    results = []
    with function_result(ANSWER):
        for action in ("lambda:GetFunction", "lambda:InvokeFunction"):
            set_role(allow(action))
            results.append(run_task("arn:aws:states:::lambda:invoke", {"FunctionName": FUNCTION}))
    return results


@shows(emulator=["States.Runtime", "States.Runtime"], aws=["Batch.ClientException", ""])
def batch_and_glue_tasks() -> Any:
    set_role(allow("batch:*"), allow("glue:*"))
    job = {"JobName": "one", "JobQueue": "one", "JobDefinition": "one"}
    return [
        run_task("arn:aws:states:::batch:submitJob", job),
        run_task("arn:aws:states:::glue:startJobRun.sync", {"JobName": "one"}),
    ]


@shows(emulator="States.Runtime", aws="Transcribe.SdkClientException")
def sdk_tasks() -> Any:
    resource = "arn:aws:states:::aws-sdk:transcribe:getTranscriptionJob"
    return run_task(resource, {"TranscriptionJobName": "one"})
