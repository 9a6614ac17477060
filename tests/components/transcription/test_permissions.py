"""Tests of the permissions in transcription: one list per role, and only the router can invoke the processor.

The router receives the clients' messages. For each utterance, which is a few seconds of speech, it reserves a slot in the
live table and invokes the audio processor. The processor posts captions to the client and releases the slot.
"""

from fnmatch import fnmatchcase

from tests.components.deployment_harness import Permission, arn, may, may_log_and_trace, permissions, roles
from tests.components.transcription.recorded_deployment import API, PREFIX, PROCESSOR, deployed

SESSIONS = arn("dynamodb", f"table/{PREFIX}-sessions")
LIVE = arn("dynamodb", f"table/{PREFIX}-live")
NAMESPACE_CONDITION = '{"StringEquals": {"cloudwatch:namespace": "AudioTranscription/PartialResults"}}'
PROCESSOR_MAY: set[Permission] = {
    # The permissions that the customer's requirement of this subsystem lists.
    *may("transcribe", "StartStreamTranscription StartStreamTranscriptionWebSocket", "*"),
    *may("cloudwatch", "PutMetricData", "*", condition=NAMESPACE_CONDITION),
    *may("dynamodb", "GetItem Query", SESSIONS),
    *may_log_and_trace(f"{PREFIX}-audio-processor"),
    # Additional permissions for the callback to clients and for the slots.
    *may("execute-api", "ManageConnections", f"{API}/POST/@connections/*"),
    *may("dynamodb", "GetItem UpdateItem", LIVE),
}
ROUTER_MAY: set[Permission] = {
    *may_log_and_trace(f"{PREFIX}-router"),
    *may("dynamodb", "GetItem PutItem UpdateItem", SESSIONS),
    *may("dynamodb", "GetItem UpdateItem", LIVE),
    *may("lambda", "InvokeFunction", f"{PROCESSOR}:live"),
}


def test_each_role_has_exactly_the_listed_permissions() -> None:
    assert {role: permissions(deployed(), role) for role in roles(deployed())} == {
        f"{PREFIX}-audio-processor": PROCESSOR_MAY,
        f"{PREFIX}-router": ROUTER_MAY,
    }


def allows_invocation(permission: Permission, function_arn: str) -> bool:
    action, resource, _ = permission
    return fnmatchcase("lambda:InvokeFunction", action) and fnmatchcase(function_arn, resource)


def test_only_the_router_can_invoke_the_processor_and_only_by_its_alias() -> None:
    function_arns = (PROCESSOR, f"{PROCESSOR}:live", f"{PROCESSOR}:7", f"{PROCESSOR}:$LATEST")
    callers = {
        (role, function_arn)
        for role in roles(deployed())
        for permission in permissions(deployed(), role)
        for function_arn in function_arns
        if allows_invocation(permission, function_arn)
    }
    assert callers == {(f"{PREFIX}-router", f"{PROCESSOR}:live")}
    resource_policies = deployed().all("lambda.Permission")
    assert {permission.inputs["function"] for permission in resource_policies} == {f"{PREFIX}-router"}
