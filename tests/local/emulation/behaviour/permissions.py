"""Shows how the emulator decides on requests and on calls of services."""

import json
from typing import Any
from unittest.mock import patch

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import cloudwatch_logs, cognito, dynamodb, eventbridge, lambda_svc

from tests.local.emulation.behaviour.common import (
    FUNCTION,
    QUEUE,
    REGION,
    ROLE,
    allow,
    may,
    set_function,
    set_queue,
    set_role,
    shows,
)


@shows(emulator=[False, False], aws=[True, False])
def policy_variables() -> Any:
    set_role(allow("s3:GetObject", "arn:aws:s3:::b/${aws:userid}/*"))
    return [may("s3:GetObject", f"arn:aws:s3:::b/{user}/x") for user in ("id:session", "another")]


@shows(emulator=[False, True, True], aws=[True, False, True])
def line_breaks() -> Any:
    set_role(allow("s3:GetObject", "arn:aws:s3:::b/any/*"), allow("s3:GetObject", "arn:aws:s3:::b/one"))
    return [may("s3:GetObject", f"arn:aws:s3:::b/{key}") for key in ("any/a\nb", "one\n", "one")]


@shows(emulator=[False] * 7, aws=[True, True, True, True, False, False, False])
def leading_keys() -> Any:
    table = f"arn:aws:dynamodb:{REGION}:{get_account_id()}:table/items"
    dynamodb._tables["items"] = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [{"KeySchema": [{"AttributeName": "gk", "KeyType": "HASH"}]}],
    }
    key = "dynamodb:LeadingKeys"
    set_role(allow("dynamodb:*", condition={"ForAllValues:StringEquals": {key: "a"}, "Null": {key: "false"}}))
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


@shows(emulator=[False, False, False], aws=[True, True, False])
def metric_namespace() -> Any:
    set_role(allow("cloudwatch:PutMetricData", condition={"StringEquals": {"cloudwatch:namespace": "Own"}}))
    bodies = [{"Namespace": "Own"}, b"Action=PutMetricData&Namespace=Own", {"Namespace": "Other"}]
    return [may("cloudwatch:PutMetricData", body=body) for body in bodies]


@shows(emulator=[False, False, False, False], aws=[True, True, False, False])
def event_source() -> Any:
    set_role(allow("events:PutEvents", condition={"StringEquals": {"events:source": "own"}}))
    lists = [["own"], ["own", "own"], ["own", "aws.s3"], ["other"]]
    return [may("events:PutEvents", body={"Entries": [{"Source": s} for s in sources]}) for sources in lists]


@shows(emulator=None, aws="key")
def kms_key_of_upload() -> Any:
    header = "x-amz-server-side-encryption-aws-kms-key-id"
    return iam_actions.s3_service_context("s3:PutObject", {}, "/b/k", {header: "key"}).get(f"s3:{header}")


@shows(emulator=[True, True, True, True], aws=[False, False, True, True])
def session_tags() -> Any:
    tags = {"aws:RequestTag/user": "u1", "aws:TagKeys": ["user"]}
    results = []
    for value in (None, "u2", "u1"):
        condition = {"StringEquals": {"aws:RequestTag/user": value}}
        set_role(allow("sts:AssumeRole"), *([allow("sts:TagSession", condition=condition)] if value else []))
        results.append(may("sts:AssumeRole", ROLE, keys=tags))
    return [*results, may("sts:AssumeRole", ROLE)]


@shows(emulator=[[None, False]] * 3, aws=[["bedrock-agentcore:CreateEvent", True]] * 3)
def memory_resource() -> Any:
    memory = f"arn:aws:bedrock-agentcore:{REGION}:{get_account_id()}:memory/clips_memory-a1B2c3D4e5"
    results = []
    for name in ("clips_memory-a1B2c3D4e5", memory, memory.replace("/", "%2F").replace(":", "%3A")):
        request: Any = ("bedrock-agentcore", "POST", f"/memories/{name}/events", {}, b"{}", {})
        resource = iam_actions.extract_resource_arn(*request, REGION, get_account_id())
        results.append([iam_actions.extract_iam_action(*request), resource == memory])
    return results


@shows(emulator="*", aws="job/a1-b2")
def terminated_job() -> Any:
    request: Any = ("batch", "POST", "/v1/terminatejob", {}, b'{"jobId": "a1-b2"}', {})
    return iam_actions.extract_resource_arn(*request, REGION, get_account_id()).rpartition(":")[2]


@shows(emulator=False, aws=True)
def loopback_as_tls() -> Any:
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    set_role(allow("s3:GetObject"), {**allow("s3:GetObject", condition=plain), "Effect": "Deny"})
    return may("s3:GetObject", "arn:aws:s3:::b/k")


def set_identity_pool() -> None:
    identities = {"_identities": {"me": {}}, "_roles": {"unauthenticated": ROLE}}
    cognito._identity_pools["pool"] = {"IdentityPoolId": "pool", **identities}


@shows(emulator=[200, 200, 200, 200], aws=[400, 400, 200, 400])
def guest_credentials() -> Any:
    set_identity_pool()
    statuses = []
    for trusted in ("another.amazonaws.com", "cognito-identity.amazonaws.com"):
        set_role(trusted=trusted)
        statuses += [
            cognito._get_credentials_for_identity({"IdentityId": identity})[0] for identity in ("me", "unknown")
        ]
    return statuses


@shows(emulator=None, aws="me")
def guest_identity() -> Any:
    set_role(trusted="cognito-identity.amazonaws.com")
    set_identity_pool()
    body = json.loads(cognito._get_credentials_for_identity({"IdentityId": "me"})[2])
    keys = iam_evaluator.resolve_principal(body["Credentials"]["AccessKeyId"], get_account_id()).keys
    return keys.get("cognito-identity.amazonaws.com:sub")


@shows(emulator=[1, 1], aws=[0, 1])
def function_logs() -> Any:
    function = set_function()
    results = []
    for actions in ([], ["logs:CreateLogStream", "logs:PutLogEvents"]):
        set_role(*map(allow, actions))
        cloudwatch_logs._log_groups.clear()
        lambda_svc._emit_lambda_logs(function, "id", "text", error=False, duration_ms=1)
        results.append(len(cloudwatch_logs._log_groups))
    return results


@shows(emulator=[1, 2], aws=[0, 1])
def failure_destination() -> Any:
    set_function()
    queue = set_queue()
    results = []
    for statement in ("sqs:ReceiveMessage", "sqs:SendMessage"):
        set_role(allow(statement))
        lambda_svc._route_async_failure(QUEUE, "one", {}, {})
        results.append(len(queue["messages"]))
    return results


@shows(emulator=[1] * 11, aws=[0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1])
def event_target() -> Any:
    """Messages of a rule and of a schedule, with different roles or queue policies for the caller's service and source.
    At the end, calls of a function by a rule, with different function policies.
    """
    queue = set_queue()
    arn, send = f"arn:aws:events:{REGION}:{get_account_id()}:rule/one", "sqs:SendMessage"
    rule = {"Arn": arn, "Name": "one"}
    schedules = f"arn:aws:scheduler:{REGION}:{get_account_id()}:schedule"
    schedule = {"Arn": f"{schedules}/default/one", "GroupName": "default"}
    events, scheduler = "events.amazonaws.com", "scheduler.amazonaws.com"
    event = {"Source": "own", "DetailType": "type", "Detail": "{}", "Time": 0}
    results = []
    for caller, with_role, service, source, action in (
        (rule, False, "another.amazonaws.com", arn, send),
        (rule, True, events, arn, "sqs:GetQueueUrl"),
        (rule, True, "another.amazonaws.com", arn, send),
        (rule, True, events, f"{arn}-other", send),
        (rule, True, events, arn, send),
        (rule, False, events, f"{arn}-other", send),
        (rule, False, events, arn, send),
        (schedule, True, scheduler, f"{schedules}-group/other", send),
        (schedule, True, scheduler, f"{schedules}-group/default", send),
    ):
        set_role(allow(action), trusted=service, source=source)
        condition = {"ArnEquals": {"aws:SourceArn": source}}
        statement = {**allow(action, QUEUE, condition), "Principal": {"Service": service}}
        queue["attributes"]["Policy"] = json.dumps({"Statement": statement})
        queue["messages"].clear()
        role = {"RoleArn": ROLE} if with_role else {}
        eventbridge._invoke_target({"Id": "1", "Arn": QUEUE, **role}, event, caller)
        results.append(len(queue["messages"]))
    for source in (f"{arn}-other", arn):
        statement = allow("lambda:InvokeFunction", FUNCTION, {"ArnEquals": {"aws:SourceArn": source}})
        set_function({"Statement": {**statement, "Principal": {"Service": events}}})
        with patch.object(eventbridge, "_dispatch_to_lambda") as call:
            eventbridge._invoke_target({"Id": "1", "Arn": FUNCTION}, event, rule)
        results.append(call.call_count)
    return results
