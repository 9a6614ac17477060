"""Tests of guests of a Cognito identity pool on an emulator: each guest can access only the guest's own data.

A guest is a browser user with the unauthenticated credentials of an identity pool.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import Connect
from local.flows.identity_pool_guest import Guest
from local.platform.deployer import Action
from local.platform.emulator_clients import EmulatorClients
from tests.end_to_end.small_stack import SmallStack, small_stack
from tests.guest_program import register_guest_resources

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("guests")]

CODE = """
import json, os
import boto3

table = boto3.client("dynamodb")

def handler(event, context):
    context = event["requestContext"]
    key = {"sessionId": {"S": "connection#" + context["connectionId"]}, "lectureId": {"S": "none"}}
    if context["eventType"] == "CONNECT":
        identity = {"connectIdentity": {"S": json.dumps(context["identity"])}}
        table.put_item(TableName=os.environ["SESSIONS_TABLE"], Item={**key, **identity})
    if context["eventType"] != "MESSAGE":
        return {"statusCode": 200}
    item = table.get_item(TableName=os.environ["SESSIONS_TABLE"], Key=key)["Item"]
    answer = {"onConnect": json.loads(item["connectIdentity"]["S"]), "onMessage": context["identity"]}
    return {"statusCode": 200, "body": json.dumps(answer)}
"""
"""Code of the APIs' function. It stores the identity of each new connection, and answers a message with this identity
and with the identity in the event of the message."""
ACCOUNT = "123456789012"
BUCKET = f"polyphony-test-ingestion-audio-{ACCOUNT}"
TABLE = "polyphony-test-ingestion-sessions"
ROLE = "polyphony-test-ingestion-visitors-guest"


@dataclass
class GuestStack:
    """Deployed stack with two identity pools, an API for the first pool's guests, and an API without authorization."""

    stack: SmallStack

    @property
    def connect(self) -> Connect:
        return partial(EmulatorClients, self.stack.emulator.endpoint)

    def guest(self, pool: str = "pool") -> Guest:
        return Guest.from_pool(self.connect, self.stack.outputs[pool])


def ask(client: Connection, **message: Any) -> Any:
    client.send(json.dumps({"action": "say", **message}))
    return json.loads(client.recv(timeout=20))


def error_code(call: Callable[[], object]) -> str:
    """Return the error code of a call, or an empty text if it succeeds."""
    try:
        call()
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        return code
    return ""


@pytest.fixture(scope="module")
def guest_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestStack]:
    with small_stack(tmp_path_factory.mktemp("guests"), CODE) as stack:
        stack.up(register_guest_resources)
        yield GuestStack(stack)


@pytest.fixture(scope="module")
def first_guest(guest_stack: GuestStack) -> Guest:
    return guest_stack.guest()


@pytest.fixture(scope="module")
def second_guest(guest_stack: GuestStack) -> Guest:
    return guest_stack.guest()


def test_each_guest_has_a_separate_identity(guest_stack: GuestStack, first_guest: Guest, second_guest: Guest) -> None:
    assert first_guest.identity_id != second_guest.identity_id
    for guest in (first_guest, second_guest):
        with guest.connect(guest_stack.stack.outputs["url"]) as client:
            identity = ask(client)["onConnect"]
        assert identity["cognitoIdentityId"] == guest.identity_id
        assert identity["cognitoIdentityPoolId"] == guest_stack.stack.outputs["pool"]
        assert identity["cognitoAuthenticationType"] == "unauthenticated"
        assert identity["cognitoAuthenticationProvider"] is None
        assert identity["userArn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/CognitoIdentityCredentials"
        assert identity["caller"] == identity["user"]
        assert identity["caller"].endswith(":CognitoIdentityCredentials")
        assert identity["sourceIp"] == "127.0.0.1"


def test_an_identity_claimed_in_a_message_is_ignored(
    guest_stack: GuestStack, first_guest: Guest, second_guest: Guest
) -> None:
    forged_identity = {"cognitoIdentityId": second_guest.identity_id}
    with first_guest.connect(guest_stack.stack.outputs["url"]) as client:
        answer = ask(client, identity=forged_identity, requestContext={"identity": forged_identity}, **forged_identity)
    assert answer["onConnect"]["cognitoIdentityId"] == first_guest.identity_id
    assert "cognitoIdentityId" not in answer["onMessage"]


def test_an_api_without_authorization_gives_its_function_no_identity(
    guest_stack: GuestStack, first_guest: Guest
) -> None:
    with first_guest.connect(guest_stack.stack.outputs["open"]) as client:
        identity = ask(client)["onConnect"]
    assert {name for name, value in identity.items() if value is not None} == {"sourceIp", "userAgent"}
    assert identity["cognitoIdentityId"] is None


def handshake_error_status(url: str) -> int:
    with pytest.raises(InvalidStatus) as error:
        connect(url, proxy=None)
    return error.value.response.status_code


def test_a_guest_of_another_pool_without_the_grant_is_refused(guest_stack: GuestStack) -> None:
    assert handshake_error_status(guest_stack.guest("others").signed_url(guest_stack.stack.outputs["url"])) == 403
    [decision] = {
        decision
        for decision in guest_stack.stack.decisions()
        if decision.role.endswith("others-guest") and "execute-api" in decision.action
    }
    assert decision.verdict is AccessVerdict.IMPLICIT_DENY


def upload_error(guest: Guest, key: str) -> str:
    return error_code(lambda: guest.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"audio"))


def test_a_guest_uploads_only_below_the_guests_prefix(first_guest: Guest, second_guest: Guest) -> None:
    assert upload_error(first_guest, f"queries/{first_guest.identity_id}/question.webm") == ""
    for key in (
        f"queries/{second_guest.identity_id}/question.webm",
        f"queries/{first_guest.identity_id}",
        f"queries/{first_guest.identity_id}x/question.webm",
        f"queries/../queries/{second_guest.identity_id}/question.webm",
        f"lectures/{first_guest.identity_id}/lecture.mp3",
        "queries/*/question.webm",
        "queries/${cognito-identity.amazonaws.com:sub}/question.webm",
    ):
        assert upload_error(first_guest, key) == "AccessDenied", key


def item_key(session: str) -> dict[str, dict[str, str]]:
    return {"sessionId": {"S": session}, "lectureId": {"S": "lecture"}}


def test_a_guest_reads_and_writes_only_the_guests_items(first_guest: Guest, second_guest: Guest) -> None:
    table = first_guest.client("dynamodb")
    own_key = item_key(f"{first_guest.identity_id}#01J")
    table.put_item(TableName=TABLE, Item=own_key)
    assert table.get_item(TableName=TABLE, Key=own_key)["Item"] == own_key
    for session in (
        f"{second_guest.identity_id}#01J",
        "lecture#01J",
        first_guest.identity_id,
        f"x{first_guest.identity_id}#01J",
        f"{first_guest.identity_id[:-1]}#01J",
        "*#01J",
        "#01J",
    ):
        read_item = partial(table.get_item, Key=item_key(session))
        write_item = partial(table.put_item, Item=item_key(session))
        for call in (read_item, write_item):
            assert error_code(partial(call, TableName=TABLE)) == "AccessDeniedException", session


def test_only_identities_of_the_pool_get_credentials(guest_stack: GuestStack) -> None:
    unknown = "us-east-1:00000000-0000-4000-8000-000000000000"
    error = error_code(lambda: Guest.from_identity(guest_stack.connect, unknown))
    assert error == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [("StringEquals", "aud", "another-pool"), ("ForAnyValue:StringLike", "amr", "authenticated")],
)
def test_a_pool_gives_no_credentials_of_a_role_that_does_not_trust_it(
    guest_stack: GuestStack, operator: str, key: str, value: str
) -> None:
    guest, iam = guest_stack.guest("others"), guest_stack.stack.clients("iam")
    role = "polyphony-test-ingestion-others-guest"
    original_trust = json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    document = json.loads(original_trust)
    document["Statement"][0]["Condition"][operator][f"cognito-identity.amazonaws.com:{key}"] = value
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))
    try:
        error = error_code(lambda: Guest.from_identity(guest_stack.connect, guest.identity_id))
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=original_trust)
    assert error == "InvalidIdentityPoolConfigurationException"
    assert Guest.from_identity(guest_stack.connect, guest.identity_id).identity_id == guest.identity_id


def test_a_pool_and_its_roles_are_updated_in_place_and_deleted(guest_stack: GuestStack) -> None:
    cognito = guest_stack.stack.clients("cognito-identity")
    pools = SmallStack(guest_stack.stack.emulator, guest_stack.stack.clients)

    def register(role: str, *, guests: bool) -> None:
        pool = aws.cognito.IdentityPool("pool", identity_pool_name="p", allow_unauthenticated_identities=guests)
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        aws.cognito.IdentityPoolRoleAttachment("roles", identity_pool_id=pool.id, roles={"unauthenticated": arn})
        pulumi.export("pool", pool.id)

    actions = pools.up(register, "one", guests=True)
    assert actions == {"pool": Action.CREATE, "roles": Action.CREATE}
    pool = pools.outputs["pool"]
    actions = pools.up(register, "two", guests=False)
    assert (pools.outputs["pool"], actions) == (pool, {"pool": Action.UPDATE, "roles": Action.UPDATE})
    pool_details = cognito.describe_identity_pool(IdentityPoolId=pool)
    assert pool_details["AllowUnauthenticatedIdentities"] is False
    arn = cognito.get_identity_pool_roles(IdentityPoolId=pool)["Roles"]["unauthenticated"]
    assert arn.endswith(":role/two")
    pools.up(lambda: None)
    assert error_code(lambda: cognito.describe_identity_pool(IdentityPoolId=pool)) == "ResourceNotFoundException"
