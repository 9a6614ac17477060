"""Tests of the permissions in voice Q&A: one list per role, guests limited to their own identity, and only the handler can invoke
the worker."""

import json
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.table_records import allowance_key, connection_key, conversation_key, query_key
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies
from tests.components.deployment_harness import ACCOUNT, POOL, Permission, may, may_consume, may_run, permissions, roles
from tests.components.voice_qa.recorded_deployment import (
    API,
    BUCKET,
    HANDLER,
    PREFIX,
    RUNTIME,
    TABLE,
    VALIDATOR,
    WORKER,
    bedrock,
    complete,
    open_to_guests,
)

AUDIO = f"arn:aws:s3:::{BUCKET}"
SESSIONS = f"arn:aws:dynamodb:{ACCOUNT}:table/{TABLE}"
QUEUES = f"arn:aws:sqs:{ACCOUNT}:{PREFIX}"
OWN = "${cognito-identity.amazonaws.com:sub}"
OWN_KEYS = json.dumps(
    {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{OWN}#*"},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
)
BELOW_LECTURES = '{"StringLike": {"s3:prefix": "lectures/*"}}'


GUESTS_MAY: set[Permission] = {
    *may("dynamodb", "GetItem PutItem", SESSIONS, condition=OWN_KEYS),
    *may("execute-api", "Invoke", f"{API}/$connect"),
}
HANDLER_MAY: set[Permission] = {
    *may_run(f"{PREFIX}-websocket-handler"),
    *may("s3", "PutObject", f"{AUDIO}/queries/*"),
    *may("dynamodb", "GetItem UpdateItem", SESSIONS),
    *may("lambda", "InvokeFunction", f"{WORKER}:live"),
    *may("sqs", "SendMessage", f"{QUEUES}-time-limits"),
    *may("ssm", "GetParameter", f"arn:aws:ssm:{ACCOUNT}:parameter/{PREFIX}-guest-ids"),
    *may_consume(f"{PREFIX}-time-limits"),
    *may("execute-api", "ManageConnections", f"{API}/POST/@connections/*"),
}
WORKER_MAY: set[Permission] = {
    *may_run(f"{PREFIX}-query-worker"),
    *may("s3", "GetObject", f"{AUDIO}/queries/*", f"{AUDIO}/lectures/*", f"{AUDIO}/responses/*"),
    *may("s3", "GetObjectVersion", f"{AUDIO}/queries/*", f"{AUDIO}/lectures/*"),
    *may("s3", "PutObject", f"{AUDIO}/responses/*"),
    *may("s3", "ListBucket", AUDIO),
    *may("dynamodb", "GetItem UpdateItem", SESSIONS),
    *may("execute-api", "ManageConnections", f"{API}/POST/@connections/*"),
    *may("sqs", "SendMessage", f"{QUEUES}-queries-failed"),
}
VALIDATOR_MAY: set[Permission] = {
    *may_run(f"{PREFIX}-validate-lecture"),
    *may("s3", "GetObject GetObjectVersion", f"{AUDIO}/lectures/*"),
    *may("s3", "ListBucket", AUDIO),
    *may("s3", "ListBucketVersions", AUDIO, condition=BELOW_LECTURES),
    *may("dynamodb", "GetItem UpdateItem", SESSIONS),
    *may_consume(f"{PREFIX}-uploads"),
    *may("sqs", "SendMessage", f"{QUEUES}-validator-failed"),
    # The guest who uploaded a lecture gets a message about its verdict.
    *may("execute-api", "ManageConnections", f"{API}/POST/@connections/*"),
}
SWEEP_MAY: set[Permission] = {
    *may("lambda", "InvokeFunction", f"{VALIDATOR}:live"),
    *may("sqs", "SendMessage", f"{QUEUES}-sweep-dlq"),
}


def test_each_role_has_exactly_the_listed_permissions() -> None:
    found = {role: permissions(complete(), role) for role in roles(complete())}
    assert found == {
        f"{PREFIX}-guests-guest": GUESTS_MAY,
        f"{PREFIX}-websocket-handler": HANDLER_MAY,
        f"{PREFIX}-query-worker": WORKER_MAY,
        f"{PREFIX}-validate-lecture": VALIDATOR_MAY,
        f"{PREFIX}-sweep": SWEEP_MAY,
    }


def test_the_handler_can_sign_lecture_uploads_only_if_guests_upload_lectures() -> None:
    for role in roles(complete()):
        more = permissions(open_to_guests(), role) - permissions(complete(), role)
        assert more == (
            {("s3:PutObject", f"{AUDIO}/lectures/*", None)} if role == f"{PREFIX}-websocket-handler" else set()
        )


def test_guests_can_be_limited_to_reading_and_connecting() -> None:
    reading = complete(sessions={"guestWrites": False})
    writes = {permission for permission in GUESTS_MAY if permission[0] == "dynamodb:PutItem"}
    assert permissions(reading, f"{PREFIX}-guests-guest") == GUESTS_MAY - writes
    for role in roles(complete()) - {f"{PREFIX}-guests-guest"}:
        assert permissions(reading, role) == permissions(complete(), role)


def test_the_worker_can_invoke_only_the_configured_runtime_and_endpoint() -> None:
    assert permissions(bedrock(), f"{PREFIX}-query-worker") - WORKER_MAY == {
        ("bedrock-agentcore:InvokeAgentRuntime", RUNTIME, None),
        ("bedrock-agentcore:InvokeAgentRuntime", f"{RUNTIME}/runtime-endpoint/spring", None),
    }
    for role in roles(complete()) - {f"{PREFIX}-query-worker"}:
        assert permissions(bedrock(), role) == permissions(complete(), role)


@pytest.mark.parametrize(("function", "caller"), [(WORKER, "websocket-handler"), (VALIDATOR, "sweep"), (HANDLER, None)])
def test_each_function_is_invoked_by_one_role_and_only_by_its_alias(function: str, caller: str | None) -> None:
    callers = {
        (role, arn)
        for role in roles(complete())
        for action, resource, _ in permissions(complete(), role)
        for arn in (function, f"{function}:live", f"{function}:7", f"{function}:$LATEST")
        if fnmatchcase("lambda:InvokeFunction", action) and fnmatchcase(arn, resource)
    }
    assert callers == ({(f"{PREFIX}-{caller}", f"{function}:live")} if caller else set())


def test_only_the_api_can_invoke_only_the_handler_from_outside() -> None:
    found = complete().one("lambda.Permission").inputs
    assert (found["function"], found["qualifier"]) == (f"{PREFIX}-websocket-handler", "live")
    assert (found["principal"], found["sourceArn"]) == ("apigateway.amazonaws.com", f"{API}/*")


def test_only_guests_of_this_pool_can_assume_the_guest_role() -> None:
    trust = json.loads(complete().one("iam.Role", "guests").inputs["assumeRolePolicy"])
    assert trust["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Federated": "cognito-identity.amazonaws.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"cognito-identity.amazonaws.com:aud": POOL},
                "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "unauthenticated"},
            },
        }
    ]


identities = st.uuids(version=4).map(lambda item: f"us-east-1:{item}")


@cache
def guest_statements() -> list[Any]:
    role = f"{PREFIX}-guests-guest"
    return [
        json.loads(policy.inputs["policy"])
        for policy in complete().all("iam.RolePolicy")
        if policy.inputs["role"] == role
    ]


def is_allowed(who: str, action: str, resource: str, **context: Any) -> bool:
    known = {"cognito-identity.amazonaws.com:sub": who, **context}
    return evaluate_policies(guest_statements(), AccessRequest(action, resource, known)).allowed


def leading(*keys: str) -> dict[str, list[str]]:
    return {"dynamodb:LeadingKeys": list(keys)}


@given(me=identities, other=identities, rest=st.text(max_size=20))
def test_a_guest_reads_and_writes_only_the_guests_own_conversations(me: str, other: str, rest: str) -> None:
    own = conversation_key(me, rest, "lecture")["sessionId"]
    ours = [
        f"lecture#{rest}",
        *(
            key["sessionId"]
            for key in (
                connection_key(rest),
                query_key(me, rest),
                allowance_key(me),
                conversation_key(other, rest, "lecture"),
            )
        ),
    ]
    for action in ("dynamodb:GetItem", "dynamodb:PutItem"):
        assert is_allowed(me, action, SESSIONS, **leading(own))
        for key in (*ours, me):
            assert not is_allowed(me, action, SESSIONS, **leading(key))
            assert not is_allowed(me, action, SESSIONS, **leading(own, key))
        assert not is_allowed(me, action, SESSIONS), "a request without a key is refused too"
    for action in ("Query", "Scan", "UpdateItem", "DeleteItem"):
        assert not is_allowed(me, f"dynamodb:{action}", SESSIONS, **leading(own))


@given(me=identities, other=identities, name=st.text(min_size=1, max_size=20))
def test_a_guest_accesses_the_bucket_only_with_forms_and_urls(me: str, other: str, name: str) -> None:
    """IAM could compare only the identity id, which must be in no S3 key."""
    for prefix in (f"queries/{me}", f"queries/{other}", "queries", f"lectures/{me}", f"responses/{me}"):
        for action in ("PutObject", "GetObject"):
            assert not is_allowed(me, f"s3:{action}", f"{AUDIO}/{prefix}/{name}")


@given(me=identities)
def test_a_guest_can_connect_but_cannot_post(me: str) -> None:
    assert is_allowed(me, "execute-api:Invoke", f"{API}/$connect")
    assert not is_allowed(me, "execute-api:Invoke", f"{API}/query")
    assert not is_allowed(me, "execute-api:ManageConnections", f"{API}/POST/@connections/abc=")
