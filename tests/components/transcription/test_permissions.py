"""Who may do what in transcription: one list for each role, and nobody but the router calls the processor."""

from fnmatch import fnmatchcase

from tests.components.subsystem import ACCOUNT, Permission, permissions, roles
from tests.components.transcription.deployment import API, PREFIX, PROCESSOR, ROUTER, complete

SESSIONS = f"arn:aws:dynamodb:{ACCOUNT}:table/{PREFIX}-sessions"
LIVE = f"arn:aws:dynamodb:{ACCOUNT}:table/{PREFIX}-live"
LOGS = f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/{PREFIX}"

IN_NAMESPACE = '{"StringEquals": {"cloudwatch:namespace": "AudioTranscription/PartialResults"}}'
PROCESSOR_MAY: set[Permission] = {
    # As the requirement lists them.
    ("transcribe:StartStreamTranscription", "*", None),
    ("transcribe:StartStreamTranscriptionWebSocket", "*", None),
    ("cloudwatch:PutMetricData", "*", IN_NAMESPACE),
    ("dynamodb:GetItem", SESSIONS, None),
    ("dynamodb:Query", SESSIONS, None),
    ("logs:CreateLogStream", f"{LOGS}-audio-processor:*", None),
    ("logs:PutLogEvents", f"{LOGS}-audio-processor:*", None),
    # Beyond it: captions are delivered, places are given back, and every function is traced.
    ("execute-api:ManageConnections", f"{API}/POST/@connections/*", None),
    ("dynamodb:GetItem", LIVE, None),
    ("dynamodb:UpdateItem", LIVE, None),
    ("xray:PutTelemetryRecords", "*", None),
    ("xray:PutTraceSegments", "*", None),
}
ROUTER_MAY: set[Permission] = {
    ("dynamodb:GetItem", SESSIONS, None),
    ("dynamodb:PutItem", SESSIONS, None),
    ("dynamodb:UpdateItem", SESSIONS, None),
    ("dynamodb:GetItem", LIVE, None),
    ("dynamodb:UpdateItem", LIVE, None),
    ("dynamodb:Query", f"{LIVE}/index/due", None),
    ("lambda:InvokeFunction", f"{PROCESSOR}:live", None),
    ("execute-api:ManageConnections", f"{API}/POST/@connections/*", None),
    ("transcribe:StartStreamTranscriptionWebSocket", "*", None),
    ("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-router-failed", None),
    ("logs:CreateLogStream", f"{LOGS}-router:*", None),
    ("logs:PutLogEvents", f"{LOGS}-router:*", None),
    ("xray:PutTelemetryRecords", "*", None),
    ("xray:PutTraceSegments", "*", None),
}
SWEEP_MAY: set[Permission] = {
    ("lambda:InvokeFunction", f"{ROUTER}:live", None),
    ("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-sweep-dlq", None),
}


def test_each_role_may_do_what_is_listed_here_and_nothing_else() -> None:
    found = {role: permissions(complete(), role) for role in roles(complete())}
    assert found == {
        f"{PREFIX}-audio-processor": PROCESSOR_MAY,
        f"{PREFIX}-router": ROUTER_MAY,
        f"{PREFIX}-sweep": SWEEP_MAY,
    }


def calls(permission: Permission, arn: str) -> bool:
    action, resource, _ = permission
    return fnmatchcase("lambda:InvokeFunction", action) and fnmatchcase(arn, resource)


def test_only_the_router_may_call_the_processor_and_only_by_its_alias() -> None:
    arns = (PROCESSOR, f"{PROCESSOR}:live", f"{PROCESSOR}:7", f"{PROCESSOR}:$LATEST")
    callers = {
        (role, arn)
        for role in roles(complete())
        for one in permissions(complete(), role)
        for arn in arns
        if calls(one, arn)
    }
    assert callers == {(f"{PREFIX}-router", f"{PROCESSOR}:live")}
    assert {one.inputs["function"] for one in complete().all("lambda.Permission")} == {f"{PREFIX}-router"}
