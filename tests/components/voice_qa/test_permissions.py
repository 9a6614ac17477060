"""Who may do what in voice Q&A: one list for each role, guests end at their own identity, and only the handler asks."""

import json
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.table_records import allowance_key, connection_key, conversation_key, query_key
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies
from tests.components.subsystem_tests import ACCOUNT, POOL, Permission, may, may_consume, may_run, permissions, roles
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
    *may("s3", "PutObject", f"{AUDIO}/queries/{OWN}/*"),
    *may("dynamodb", "GetItem PutItem", SESSIONS, condition=OWN_KEYS),
    *may("execute-api", "Invoke", f"{API}/$connect"),
}
HANDLER_MAY: set[Permission] = {
    *may_run(f"{PREFIX}-websocket-handler"),
    *may("s3", "PutObject", f"{AUDIO}/queries/*"),
    *may("dynamodb", "GetItem UpdateItem", SESSIONS),
    *may("lambda", "InvokeFunction", f"{WORKER}:live"),
}
WORKER_MAY: set[Permission] = {
    *may_run(f"{PREFIX}-query-worker"),
    *may("s3", "GetObject", f"{AUDIO}/queries/*", f"{AUDIO}/lectures/*", f"{AUDIO}/responses/*"),
    *may("s3", "GetObjectVersion", f"{AUDIO}/lectures/*"),
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
}
SWEEP_MAY: set[Permission] = {
    *may("lambda", "InvokeFunction", f"{VALIDATOR}:live"),
    *may("sqs", "SendMessage", f"{QUEUES}-sweep-dlq"),
}


def test_each_role_may_do_what_is_listed_here_and_nothing_else() -> None:
    found = {role: permissions(complete(), role) for role in roles(complete())}
    assert found == {
        f"{PREFIX}-guests-guest": GUESTS_MAY,
        f"{PREFIX}-websocket-handler": HANDLER_MAY,
        f"{PREFIX}-query-worker": WORKER_MAY,
        f"{PREFIX}-validate-lecture": VALIDATOR_MAY,
        f"{PREFIX}-sweep": SWEEP_MAY,
    }


def test_only_where_guests_upload_lectures_may_the_handler_sign_for_them() -> None:
    for role in roles(complete()):
        more = permissions(open_to_guests(), role) - permissions(complete(), role)
        assert more == (
            {("s3:PutObject", f"{AUDIO}/lectures/*", None)} if role == f"{PREFIX}-websocket-handler" else set()
        )


def test_guests_may_be_let_read_and_connect_alone() -> None:
    reading = complete(sessions={"guestWrites": False})
    writes = {one for one in GUESTS_MAY if one[0] in {"s3:PutObject", "dynamodb:PutItem"}}
    assert permissions(reading, f"{PREFIX}-guests-guest") == GUESTS_MAY - writes
    for role in roles(complete()) - {f"{PREFIX}-guests-guest"}:
        assert permissions(reading, role) == permissions(complete(), role)


def test_with_an_agent_in_its_runtime_the_worker_may_ask_that_one_at_that_endpoint_and_no_other() -> None:
    assert permissions(bedrock(), f"{PREFIX}-query-worker") - WORKER_MAY == {
        ("bedrock-agentcore:InvokeAgentRuntime", RUNTIME, None),
        ("bedrock-agentcore:InvokeAgentRuntime", f"{RUNTIME}/runtime-endpoint/spring", None),
    }
    for role in roles(complete()) - {f"{PREFIX}-query-worker"}:
        assert permissions(bedrock(), role) == permissions(complete(), role)


@pytest.mark.parametrize(("function", "caller"), [(WORKER, "websocket-handler"), (VALIDATOR, "sweep"), (HANDLER, None)])
def test_a_function_is_called_by_one_role_and_only_by_its_alias(function: str, caller: str | None) -> None:
    callers = {
        (role, arn)
        for role in roles(complete())
        for action, resource, _ in permissions(complete(), role)
        for arn in (function, f"{function}:live", f"{function}:7", f"{function}:$LATEST")
        if fnmatchcase("lambda:InvokeFunction", action) and fnmatchcase(arn, resource)
    }
    assert callers == ({(f"{PREFIX}-{caller}", f"{function}:live")} if caller else set())


def test_from_outside_only_the_api_calls_and_only_the_handler() -> None:
    found = complete().one("lambda.Permission").inputs
    assert (found["function"], found["qualifier"]) == (f"{PREFIX}-websocket-handler", "live")
    assert (found["principal"], found["sourceArn"]) == ("apigateway.amazonaws.com", f"{API}/*")


def test_the_guests_role_is_for_guests_of_this_pool() -> None:
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


identities = st.uuids(version=4).map(lambda one: f"us-east-1:{one}")


@cache
def granted() -> list[Any]:
    role = f"{PREFIX}-guests-guest"
    return [json.loads(one.inputs["policy"]) for one in complete().all("iam.RolePolicy") if one.inputs["role"] == role]


def allowed(who: str, action: str, resource: str, **context: Any) -> bool:
    known = {"cognito-identity.amazonaws.com:sub": who, **context}
    return evaluate_policies(granted(), AccessRequest(action, resource, known)).allowed


def leading(*keys: str) -> dict[str, list[str]]:
    return {"dynamodb:LeadingKeys": list(keys)}


@given(me=identities, other=identities, rest=st.text(max_size=20))
def test_a_guest_reads_and_writes_his_own_conversations_and_no_other_items(me: str, other: str, rest: str) -> None:
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
        assert allowed(me, action, SESSIONS, **leading(own))
        for key in (*ours, me):
            assert not allowed(me, action, SESSIONS, **leading(key))
            assert not allowed(me, action, SESSIONS, **leading(own, key))
        assert not allowed(me, action, SESSIONS), "a request that names no key is refused, too"
    for action in ("Query", "Scan", "UpdateItem", "DeleteItem"):
        assert not allowed(me, f"dynamodb:{action}", SESSIONS, **leading(own))


@given(me=identities, other=identities, name=st.text(min_size=1, max_size=20))
def test_a_guest_uploads_questions_below_his_identity_and_neither_lectures_nor_answers(
    me: str, other: str, name: str
) -> None:
    assert allowed(me, "s3:PutObject", f"{AUDIO}/queries/{me}/{name}")
    for key in (f"queries/{other}/{name}", f"queries/{name}", f"lectures/{me}/{name}", f"responses/{me}/{name}"):
        assert not allowed(me, "s3:PutObject", f"{AUDIO}/{key}")
    assert not allowed(me, "s3:GetObject", f"{AUDIO}/queries/{me}/{name}")


@given(me=identities)
def test_a_guest_connects_and_posts_to_nobody(me: str) -> None:
    assert allowed(me, "execute-api:Invoke", f"{API}/$connect")
    assert not allowed(me, "execute-api:Invoke", f"{API}/query")
    assert not allowed(me, "execute-api:ManageConnections", f"{API}/POST/@connections/abc=")
