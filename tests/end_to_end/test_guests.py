"""Guests of an identity pool on an emulator of its own: each is who he is, and reaches what is his, and nothing else."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows.guest_client import Guest
from local.platform.resource_changes import ResourceAction
from local.platform.state import PlatformState
from tests.cognito_guests import with_guests
from tests.end_to_end.small_stack import SmallStack, small_stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("guests")]

CODE = """
import json, os
import boto3

table = boto3.client("dynamodb")

def handler(event, context):
    context = event["requestContext"]
    key = {"sessionId": {"S": "connection#" + context["connectionId"]}, "lectureId": {"S": "none"}}
    if context["eventType"] == "CONNECT":
        seen = {"seen": {"S": json.dumps(context["identity"])}}
        table.put_item(TableName=os.environ["SESSIONS_TABLE"], Item={**key, **seen})
    if context["eventType"] != "MESSAGE":
        return {"statusCode": 200}
    item = table.get_item(TableName=os.environ["SESSIONS_TABLE"], Key=key)["Item"]
    said = {"seen": json.loads(item["seen"]["S"]), "now": context["identity"]}
    return {"statusCode": 200, "body": json.dumps(said)}
"""
ACCOUNT = "123456789012"
BUCKET = f"polyphony-test-ingestion-audio-{ACCOUNT}"
TABLE = "polyphony-test-ingestion-sessions"
ROLE = "polyphony-test-ingestion-visitors-guest"


@dataclass
class Live:
    """Two pools, an API of the first one's guests and one of everybody, and whoever looks at it."""

    stack: SmallStack

    def guest(self, pool: str = "pool") -> Guest:
        return Guest.of(self.stack.emulator.endpoint, self.stack.outputs[pool])


def ask(client: Connection, **message: Any) -> Any:
    client.send(json.dumps({"action": "say", **message}))
    return json.loads(client.recv(timeout=20))


def code_of(call: Callable[[], object]) -> str:
    """How a service refuses a call; empty where it does not."""
    try:
        call()
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        return code
    return ""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with small_stack(tmp_path_factory.mktemp("guests"), CODE) as stack:
        stack.outputs, _ = stack.up(with_guests)
        yield Live(stack)


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: these guests have an emulator of their own, and are refused on purpose."""


@pytest.fixture(scope="module")
def one(live: Live) -> Guest:
    return live.guest()


@pytest.fixture(scope="module")
def other(live: Live) -> Guest:
    return live.guest()


def test_each_guest_is_seen_as_himself(live: Live, one: Guest, other: Guest) -> None:
    assert one.identity_id != other.identity_id
    for guest in (one, other):
        with guest.connect(live.stack.outputs["url"]) as client:
            seen = ask(client)["seen"]
        assert seen["cognitoIdentityId"] == guest.identity_id
        assert seen["cognitoIdentityPoolId"] == live.stack.outputs["pool"]
        assert seen["cognitoAuthenticationType"] == "unauthenticated"
        assert seen["cognitoAuthenticationProvider"] is None
        assert seen["userArn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/CognitoIdentityCredentials"
        assert seen["caller"] == seen["user"]
        assert seen["caller"].endswith(":CognitoIdentityCredentials")
        assert seen["sourceIp"] == "127.0.0.1"


def test_later_messages_say_nobody_and_what_they_claim_changes_nothing(live: Live, one: Guest, other: Guest) -> None:
    forged = {"cognitoIdentityId": other.identity_id}
    with one.connect(live.stack.outputs["url"]) as client:
        answer = ask(client, identity=forged, requestContext={"identity": forged}, **forged)
    assert answer["seen"]["cognitoIdentityId"] == one.identity_id
    assert "cognitoIdentityId" not in answer["now"]


def test_a_signature_that_nobody_checks_makes_nobody(live: Live, one: Guest) -> None:
    with one.connect(live.stack.outputs["open"]) as client:
        seen = ask(client)["seen"]
    assert {name for name, value in seen.items() if value is not None} == {"sourceIp", "userAgent"}
    assert seen["cognitoIdentityId"] is None


def refusal(url: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None)
    return refused.value.response.status_code


def test_a_guest_of_another_pool_without_the_grant_is_refused(live: Live) -> None:
    assert refusal(live.guest("others").signed_url(live.stack.outputs["url"])) == 403
    [decision] = {
        one for one in live.stack.decisions() if one.role.endswith("others-guest") and "execute-api" in one.action
    }
    assert decision.verdict is AccessVerdict.IMPLICIT_DENY


def put(guest: Guest, key: str) -> str:
    return code_of(lambda: guest.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"audio"))


def test_a_guest_uploads_below_his_own_prefix_only(one: Guest, other: Guest) -> None:
    assert put(one, f"queries/{one.identity_id}/question.webm") == ""
    for key in (
        f"queries/{other.identity_id}/question.webm",
        f"queries/{one.identity_id}",
        f"queries/{one.identity_id}x/question.webm",
        f"queries/../queries/{other.identity_id}/question.webm",
        f"lectures/{one.identity_id}/lecture.mp3",
        "queries/*/question.webm",
        "queries/${cognito-identity.amazonaws.com:sub}/question.webm",
    ):
        assert put(one, key) == "AccessDenied", key


def key_of(session: str) -> dict[str, dict[str, str]]:
    return {"sessionId": {"S": session}, "lectureId": {"S": "lecture"}}


def test_a_guest_reads_and_writes_his_own_items_only(one: Guest, other: Guest) -> None:
    table = one.client("dynamodb")
    own = key_of(f"{one.identity_id}#01J")
    table.put_item(TableName=TABLE, Item=own)
    assert table.get_item(TableName=TABLE, Key=own)["Item"] == own
    for session in (
        f"{other.identity_id}#01J",
        "lecture#01J",
        one.identity_id,
        f"x{one.identity_id}#01J",
        f"{one.identity_id[:-1]}#01J",
        "*#01J",
        "#01J",
    ):
        read_it, write_it = partial(table.get_item, Key=key_of(session)), partial(table.put_item, Item=key_of(session))
        for call in (read_it, write_it):
            assert code_of(partial(call, TableName=TABLE)) == "AccessDeniedException", session


def test_credentials_are_for_identities_that_the_pool_gave(live: Live) -> None:
    unknown = "us-east-1:00000000-0000-4000-8000-000000000000"
    assert code_of(lambda: Guest.again(live.stack.emulator.endpoint, unknown)) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [("StringEquals", "aud", "another-pool"), ("ForAnyValue:StringLike", "amr", "authenticated")],
)
def test_a_pool_hands_out_no_role_that_does_not_trust_it(live: Live, operator: str, key: str, value: str) -> None:
    guest, iam, role = live.guest("others"), live.stack.clients("iam"), "polyphony-test-ingestion-others-guest"
    before = json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    document = json.loads(before)
    document["Statement"][0]["Condition"][operator][f"cognito-identity.amazonaws.com:{key}"] = value
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))
    try:
        refused = code_of(lambda: Guest.again(live.stack.emulator.endpoint, guest.identity_id))
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=before)
    assert refused == "InvalidIdentityPoolConfigurationException"
    assert Guest.again(live.stack.emulator.endpoint, guest.identity_id).identity_id == guest.identity_id


def test_a_pool_and_its_roles_change_in_place_and_go(live: Live, tmp_path: Path) -> None:
    cognito, state = live.stack.clients("cognito-identity"), PlatformState.empty(tmp_path / "state.json", "pools")

    def body(role: str, *, guests: bool, **tags: str) -> Callable[[], object]:
        def make() -> None:
            pool = aws.cognito.IdentityPool(
                "pool", identity_pool_name="p", allow_unauthenticated_identities=guests, tags=tags
            )
            arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
            aws.cognito.IdentityPoolRoleAttachment("roles", identity_pool_id=pool.id, roles={"unauthenticated": arn})
            pulumi.export("pool", pool.id)

        return make

    outputs, done = live.stack.up(body("one", guests=True, kept="1", gone="1"), state)
    assert done == {"pool": ResourceAction.CREATE, "roles": ResourceAction.CREATE}
    pool = outputs["pool"]
    outputs, done = live.stack.up(body("two", guests=False, kept="2"), state)
    assert (outputs["pool"], done) == (pool, {"pool": ResourceAction.UPDATE, "roles": ResourceAction.UPDATE})
    made = cognito.describe_identity_pool(IdentityPoolId=pool)
    assert made["AllowUnauthenticatedIdentities"] is False
    arn = cognito.get_identity_pool_roles(IdentityPoolId=pool)["Roles"]["unauthenticated"]
    assert arn.endswith(":role/two")
    tags = cognito.list_tags_for_resource(
        ResourceArn=f"arn:aws:cognito-identity:us-east-1:{ACCOUNT}:identitypool/{pool}"
    )
    assert tags["Tags"] == {"kept": "2"}
    live.stack.up(lambda: None, state)
    assert code_of(lambda: cognito.describe_identity_pool(IdentityPoolId=pool)) == "ResourceNotFoundException"
