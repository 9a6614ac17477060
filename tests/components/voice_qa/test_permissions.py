"""Tests of the permissions in voice Q&A: the list of each role, the callers of each function, and the limits of guests.

A guest is a browser user with unauthenticated Cognito credentials.
"""

import json
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.table_records import allowance_key, connection_key, conversation_key, lecture_key, query_key
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies
from tests.components.deployment_harness import (
    IDENTITY_POOL_ID,
    Permission,
    arn,
    may,
    may_consume,
    may_log_and_trace,
    permissions,
    roles,
    trust_statement,
)
from tests.components.voice_qa.recorded_deployment import (
    API,
    BUCKET,
    HANDLER,
    PREFIX,
    RUNTIME,
    TABLE,
    VALIDATOR,
    WORKER,
    deployed,
    deployed_with_bedrock_agent,
    deployed_with_guest_uploads,
)

AUDIO_BUCKET = f"arn:aws:s3:::{BUCKET}"
SESSIONS_TABLE = arn("dynamodb", f"table/{TABLE}")
QUEUES = arn("sqs", f"{PREFIX}")
OWN_ITEMS_CONDITION = json.dumps(
    {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "${cognito-identity.amazonaws.com:sub}#*"},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
)
"""Condition for items whose partition key begins with the guest's identity id."""
GUESTS_MAY: set[Permission] = {
    *may("dynamodb", "GetItem PutItem", SESSIONS_TABLE, condition=OWN_ITEMS_CONDITION),
    *may("execute-api", "Invoke", f"{API}/$connect"),
}
HANDLER_MAY: set[Permission] = {
    *may_log_and_trace(f"{PREFIX}-websocket-handler"),
    *may("s3", "PutObject", f"{AUDIO_BUCKET}/queries/*"),
    *may("dynamodb", "GetItem UpdateItem", SESSIONS_TABLE),
    *may("lambda", "InvokeFunction", f"{WORKER}:live"),
    *may("sqs", "SendMessage", f"{QUEUES}-time-limits"),
    *may("ssm", "GetParameter", arn("ssm", f"parameter/{PREFIX}-guest-ids")),
    *may_consume(f"{PREFIX}-time-limits"),
    *may("execute-api", "ManageConnections", f"{API}/POST/@connections/*"),
}
WORKER_MAY: set[Permission] = {
    *may_log_and_trace(f"{PREFIX}-query-worker"),
    *may("s3", "GetObject", f"{AUDIO_BUCKET}/queries/*", f"{AUDIO_BUCKET}/lectures/*", f"{AUDIO_BUCKET}/responses/*"),
    *may("s3", "GetObjectVersion", f"{AUDIO_BUCKET}/queries/*", f"{AUDIO_BUCKET}/lectures/*"),
    *may("s3", "PutObject", f"{AUDIO_BUCKET}/responses/*"),
    *may("s3", "ListBucket", AUDIO_BUCKET),
    *may("dynamodb", "GetItem UpdateItem", SESSIONS_TABLE),
    *may("execute-api", "ManageConnections", f"{API}/POST/@connections/*"),
    *may("sqs", "SendMessage", f"{QUEUES}-queries-failed"),
}
VALIDATOR_MAY: set[Permission] = {
    *may_log_and_trace(f"{PREFIX}-validate-lecture"),
    *may("s3", "GetObject GetObjectVersion", f"{AUDIO_BUCKET}/lectures/*"),
    *may("s3", "ListBucket", AUDIO_BUCKET),
    *may("dynamodb", "GetItem UpdateItem", SESSIONS_TABLE),
    *may_consume(f"{PREFIX}-uploads"),
    # The guest who uploaded a lecture gets a message with its validation status.
    *may("execute-api", "ManageConnections", f"{API}/POST/@connections/*"),
}


def test_each_role_has_exactly_the_listed_permissions() -> None:
    assert {role: permissions(deployed(), role) for role in roles(deployed())} == {
        f"{PREFIX}-guests-guest": GUESTS_MAY,
        f"{PREFIX}-websocket-handler": HANDLER_MAY,
        f"{PREFIX}-query-worker": WORKER_MAY,
        f"{PREFIX}-validate-lecture": VALIDATOR_MAY,
    }


def test_the_handler_can_sign_lecture_uploads_only_if_guests_upload_lectures() -> None:
    for role in roles(deployed()):
        added_permissions = permissions(deployed_with_guest_uploads(), role) - permissions(deployed(), role)
        is_handler = role == f"{PREFIX}-websocket-handler"
        assert added_permissions == ({("s3:PutObject", f"{AUDIO_BUCKET}/lectures/*", None)} if is_handler else set())


def test_guests_can_be_limited_to_reading_and_connecting() -> None:
    without_writes = deployed(sessions={"guestWrites": False})
    writes = {permission for permission in GUESTS_MAY if permission[0] == "dynamodb:PutItem"}
    assert permissions(without_writes, f"{PREFIX}-guests-guest") == GUESTS_MAY - writes
    for role in roles(deployed()) - {f"{PREFIX}-guests-guest"}:
        assert permissions(without_writes, role) == permissions(deployed(), role)


def test_the_worker_can_invoke_only_the_configured_runtime_and_endpoint() -> None:
    assert permissions(deployed_with_bedrock_agent(), f"{PREFIX}-query-worker") - WORKER_MAY == {
        ("bedrock-agentcore:InvokeAgentRuntime", RUNTIME, None),
        ("bedrock-agentcore:InvokeAgentRuntime", f"{RUNTIME}/runtime-endpoint/spring", None),
    }
    for role in roles(deployed()) - {f"{PREFIX}-query-worker"}:
        assert permissions(deployed_with_bedrock_agent(), role) == permissions(deployed(), role)


@pytest.mark.parametrize(("function", "caller"), [(WORKER, "websocket-handler"), (VALIDATOR, None), (HANDLER, None)])
def test_only_the_handler_can_invoke_the_worker_and_only_by_its_alias(function: str, caller: str | None) -> None:
    callers = {
        (role, function_arn)
        for role in roles(deployed())
        for action, resource, _ in permissions(deployed(), role)
        for function_arn in (function, f"{function}:live", f"{function}:7", f"{function}:$LATEST")
        if fnmatchcase("lambda:InvokeFunction", action) and fnmatchcase(function_arn, resource)
    }
    assert callers == ({(f"{PREFIX}-{caller}", f"{function}:live")} if caller else set())


def test_the_only_resource_policy_allows_the_api_to_invoke_the_handler() -> None:
    permission = deployed().one("lambda.Permission").inputs
    assert (permission["function"], permission["qualifier"]) == (f"{PREFIX}-websocket-handler", "live")
    assert (permission["principal"], permission["sourceArn"]) == ("apigateway.amazonaws.com", f"{API}/*")


def test_only_guests_of_this_pool_can_assume_the_guest_role() -> None:
    assert trust_statement(deployed(), "guests") == {
        "Effect": "Allow",
        "Principal": {"Federated": "cognito-identity.amazonaws.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {"cognito-identity.amazonaws.com:aud": IDENTITY_POOL_ID},
            "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "unauthenticated"},
        },
    }


IDENTITIES = st.uuids(version=4).map(lambda uuid: f"us-east-1:{uuid}")


@cache
def guest_policies() -> list[Any]:
    policies = [policy.inputs for policy in deployed().all("iam.RolePolicy")]
    return [json.loads(policy["policy"]) for policy in policies if policy["role"] == f"{PREFIX}-guests-guest"]


def is_allowed(identity: str, action: str, resource: str, **context: Any) -> bool:
    """Return True if IAM allows the request of a guest."""
    request = AccessRequest(action, resource, {"cognito-identity.amazonaws.com:sub": identity, **context})
    return evaluate_policies(guest_policies(), request).allowed


def leading_keys(*keys: str) -> dict[str, list[str]]:
    """Return the condition key with the partition keys of a request to DynamoDB."""
    return {"dynamodb:LeadingKeys": list(keys)}


@given(guest=IDENTITIES, other_guest=IDENTITIES, text=st.text(max_size=20))
def test_a_guest_reads_and_writes_only_the_guests_own_conversations(guest: str, other_guest: str, text: str) -> None:
    own_key = conversation_key(guest, text, "lecture")["sessionId"]
    other_items = (
        *(lecture_key(text), connection_key(text), query_key(guest, text), allowance_key(guest)),
        conversation_key(other_guest, text, "lecture"),
    )
    for action in ("dynamodb:GetItem", "dynamodb:PutItem"):
        assert is_allowed(guest, action, SESSIONS_TABLE, **leading_keys(own_key))
        for key in (*(item["sessionId"] for item in other_items), guest):
            assert not is_allowed(guest, action, SESSIONS_TABLE, **leading_keys(key))
            assert not is_allowed(guest, action, SESSIONS_TABLE, **leading_keys(own_key, key))
        assert not is_allowed(guest, action, SESSIONS_TABLE), "a request without a key is refused too"
    for action in ("Query", "Scan", "UpdateItem", "DeleteItem"):
        assert not is_allowed(guest, f"dynamodb:{action}", SESSIONS_TABLE, **leading_keys(own_key))


@given(guest=IDENTITIES, other_guest=IDENTITIES, name=st.text(min_size=1, max_size=20))
def test_a_guests_credentials_give_no_access_to_the_bucket(guest: str, other_guest: str, name: str) -> None:
    """A policy could only compare S3 keys with the identity id, and no S3 key may contain it."""
    for prefix in (f"queries/{guest}", f"queries/{other_guest}", "queries", f"lectures/{guest}", f"responses/{guest}"):
        for action in ("PutObject", "GetObject"):
            assert not is_allowed(guest, f"s3:{action}", f"{AUDIO_BUCKET}/{prefix}/{name}")


@given(guest=IDENTITIES)
def test_a_guest_can_connect_but_cannot_post_to_connections(guest: str) -> None:
    assert is_allowed(guest, "execute-api:Invoke", f"{API}/$connect")
    assert not is_allowed(guest, "execute-api:Invoke", f"{API}/query")
    assert not is_allowed(guest, "execute-api:ManageConnections", f"{API}/POST/@connections/abc=")
