"""Identity pools: guests, no classic flow, and a role that ends at the guest's own identity."""

import functools
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.blocks.bucket import Bucket, BucketArgs
from components.blocks.identity_pool import IdentityPool, IdentityPoolArgs, own_items, own_objects
from components.blocks.stage_parts import Throttle
from components.blocks.table import Table, TableArgs
from components.blocks.websocket_api import Authorization, WebSocketApi, WebSocketApiArgs
from local import program
from local.graph import Resource
from local.iam.evaluator import Request, judge
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig
from local.values import Props
from tests.engine import Engine, Recorded, scope

POOL = "us-east-1:0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
OWN = "${cognito-identity.amazonaws.com:sub}"
BUCKET = "arn:aws:s3:::polyphony-test-ingestion-audio-123456789012"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/polyphony-test-ingestion-sessions"
ROLE = "arn:aws:iam::123456789012:role/polyphony-test-ingestion-visitors-guest"


class Deployed(PreviewProvider):
    """Knows the ids that AWS would give, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        if resource.kind == "Api":
            return "a1b2c3", {"apiEndpoint": "wss://a1b2c3.execute-api.us-east-1.amazonaws.com"}
        return (POOL if resource.kind == "IdentityPool" else f"{resource.name}-id"), {}


def guests() -> None:
    """A pool whose guests upload, keep sessions, and connect."""
    own = scope()
    bucket = Bucket("audio", BucketArgs(own, "Audio"))
    table = Table("sessions", TableArgs(own, "Sessions", "sessionId", "lectureId"))
    api = WebSocketApi("live", WebSocketApiArgs(own, "LiveApi", "live", Throttle(50, 100), Authorization.IAM))
    grants = [own_objects(bucket, "queries", "PutObject"), own_items(table, "GetItem", "PutItem"), api.grant_connect()]
    IdentityPool("visitors", IdentityPoolArgs(own, "Visitors", grants))


def deployed(body: Callable[[], None]) -> Recorded:
    return Recorded(program.record(body, StackConfig("polyphony", "test", {}), Deployed(), preview=True).graph)


def document(resource: Resource, key: str = "policy") -> Any:
    return json.loads(resource.inputs[key])


def test_a_pool_lets_guests_in_by_the_enhanced_flow_only(engine: Engine) -> None:
    pool = engine.run(guests).one("cognito.IdentityPool")
    assert pool.inputs["identityPoolName"] == "polyphony-test-ingestion-visitors"
    assert pool.inputs["allowUnauthenticatedIdentities"] is True
    assert pool.inputs["allowClassicFlow"] is False
    assert pool.inputs["tags"]["Name"] == "Visitors"
    assert not {name for name in pool.inputs if name.endswith(("Providers", "Arns", "ProviderName"))}


def test_its_guests_have_one_role_and_nobody_else_has_any(engine: Engine) -> None:
    ran = engine.run(guests)
    attachment = ran.one("cognito.IdentityPoolRoleAttachment")
    assert attachment.inputs["roles"] == {"unauthenticated": ROLE}
    assert "roleMappings" not in attachment.inputs
    before = {one.name for one in ran.ancestors(attachment)}
    assert {"ingestion-visitors-pool", "ingestion-visitors-guest-role"} <= before
    assert {"ingestion-visitors-guest-grants", "ingestion-visitors-guest-grants-2"} <= before, (
        "or guests come too early"
    )


def test_the_role_is_for_this_pools_guests() -> None:
    ran = deployed(guests)
    assert document(ran.one("iam.Role", "visitors"), "assumeRolePolicy")["Statement"] == [
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
    role = ran.one("iam.Role", "visitors").inputs
    assert "maxSessionDuration" not in role, "an hour, where nothing is said: as Cognito gives"


def test_guests_reach_what_is_their_own() -> None:
    known, late = deployed(guests).all("iam.RolePolicy")
    assert document(known)["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
            "Resource": [TABLE],
            "Condition": {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{OWN}#*"},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        },
        {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"{BUCKET}/queries/{OWN}/*"]},
    ]
    connect = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/live/$connect"
    assert document(late)["Statement"] == [{"Effect": "Allow", "Action": ["execute-api:Invoke"], "Resource": [connect]}]


def test_before_a_deployment_only_what_has_an_id_in_it_is_unknown(engine: Engine) -> None:
    ran = engine.run(guests)
    known = {
        one.name: "policy" in one.inputs and isinstance(one.inputs["policy"], str) for one in ran.all("iam.RolePolicy")
    }
    assert known == {"ingestion-visitors-guest-grants": True, "ingestion-visitors-guest-grants-2": False}
    assert not isinstance(ran.one("iam.Role", "visitors").inputs["assumeRolePolicy"], str)


identity = st.uuids(version=4).map(lambda one: f"us-east-1:{one}")
anything = st.text(max_size=60)


@functools.cache
def granted() -> list[Any]:
    return [document(one) for one in deployed(guests).all("iam.RolePolicy")]


def may(who: str, action: str, resource: str, **context: Any) -> bool:
    known = {"cognito-identity.amazonaws.com:sub": who, **context}
    return judge(granted(), Request(action, resource, known)).allowed


@given(me=identity, key=anything, other=st.one_of(anything, identity.map("{}#1".format)))
def test_a_guest_reads_keys_that_begin_with_his_identity_and_no_others(me: str, key: str, other: str) -> None:
    own = f"{me}#{key}"
    assert may(me, "dynamodb:GetItem", TABLE, **{"dynamodb:LeadingKeys": [own]})
    for keys in ([other], [own, other], []):
        assert not may(me, "dynamodb:PutItem", TABLE, **{"dynamodb:LeadingKeys": keys})
    assert not may(me, "dynamodb:GetItem", TABLE)
    for action in ("dynamodb:Query", "dynamodb:Scan", "dynamodb:DeleteItem", "dynamodb:UpdateItem"):
        assert not may(me, action, TABLE, **{"dynamodb:LeadingKeys": [own]})


@given(me=identity, key=anything, other=st.one_of(anything, identity.map("queries/{}/q".format)))
def test_a_guest_uploads_below_his_identity_and_nowhere_else(me: str, key: str, other: str) -> None:
    assert may(me, "s3:PutObject", f"{BUCKET}/queries/{me}/{key}")
    assert not may(me, "s3:PutObject", f"{BUCKET}/{other}")
    assert not may(me, "s3:GetObject", f"{BUCKET}/queries/{me}/{key}")
