"""Tests of guests of a Cognito identity pool on an emulator: each guest can access only the guest's own data.

A guest is a browser user with the unauthenticated credentials of an identity pool.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pulumi
import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus

from components.blocks.bucket import Bucket
from components.blocks.iam import IDENTITY_ID_VARIABLE
from components.blocks.identity_pool import IdentityPool, grant_own_items
from components.blocks.table import Table
from components.blocks.websocket_api import WebSocketApi, WebSocketAuthorization
from components.foundation import create_api_log_role
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import Connect, eventually
from local.flows.identity_pool_guest import Guest
from local.platform.emulator_clients import EmulatorClients
from tests.end_to_end.conftest import DeployBlocks
from tests.end_to_end.small_stack import SmallStack, echo_function
from tests.fake_engine import foundation_settings, scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("blocks")]

CODE = """
import json

def handler(event, context):
    context = event["requestContext"]
    if context["eventType"] == "CONNECT":
        print(json.dumps(context["identity"]))
    return {"statusCode": 200, "body": json.dumps(context["identity"])}
"""
"""Code of the API's function. It logs the identity of each new connection, and answers a message with the identity in
the event of the message."""
BUCKET = "polyphony-test-ingestion-audio-123456789012"
TABLE = "polyphony-test-ingestion-sessions"


def register_guest_resources() -> None:
    """Register an API, a bucket, a table, and two identity pools. Only guests of the first may connect to the API."""
    unprotected = foundation_settings(data={"deletionProtection": False})
    program_scope = scope(layers=[], prerequisites=[create_api_log_role(scope())], foundation=unprotected)
    api = WebSocketApi(
        program_scope,
        "live",
        display_name="LiveApi",
        authorization=WebSocketAuthorization.IAM,
        stage="live",
        requests_per_second=50,
    )
    bucket = Bucket(program_scope, "audio", display_name="Audio")
    table = Table(program_scope, "sessions", display_name="Sessions", hash_key="sessionId", range_key="lectureId")
    grants = [
        bucket.grant("PutObject", prefix=f"queries/{IDENTITY_ID_VARIABLE}/*"),
        grant_own_items(table, "GetItem", "PutItem"),
    ]
    pool = IdentityPool(program_scope, "visitors", display_name="Visitors", guest_grants=[*grants, api.grant_connect()])
    others = IdentityPool(program_scope, "others", display_name="Others", guest_grants=grants)
    api.serve(echo_function("echo", program_scope))
    pulumi.export("url", api.url)
    pulumi.export("pool", pool.pool_id)
    pulumi.export("others", others.pool_id)


@pytest.fixture(scope="module")
def stack(deploy_blocks: DeployBlocks) -> SmallStack:
    return deploy_blocks(register_guest_resources, CODE)


def connect_function(stack: SmallStack) -> Connect:
    return partial(EmulatorClients, stack.emulator.endpoint)


@pytest.fixture(scope="module")
def guest(stack: SmallStack) -> Guest:
    return Guest.from_pool(connect_function(stack), stack.outputs["pool"])


@pytest.fixture(scope="module")
def other_guest(stack: SmallStack) -> Guest:
    return Guest.from_pool(connect_function(stack), stack.outputs["pool"])


@pytest.fixture(scope="module")
def guest_of_another_pool(stack: SmallStack) -> Guest:
    return Guest.from_pool(connect_function(stack), stack.outputs["others"])


def error_code(call: Callable[[], object]) -> str:
    """Return the error code of a call, or an empty text if it succeeds."""
    try:
        call()
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        return code
    return ""


def test_the_function_gets_the_identity_of_the_signature_and_none_that_a_message_claims(
    stack: SmallStack, guest: Guest, other_guest: Guest
) -> None:
    claim = {"cognitoIdentityId": other_guest.identity_id}
    with guest.connect(stack.outputs["url"]) as client:
        client.send(json.dumps({"action": "say", "identity": claim, "requestContext": {"identity": claim}, **claim}))
        assert "cognitoIdentityId" not in json.loads(client.recv(timeout=20)), "only `$connect` has an identity"

    def find_logged_identity() -> dict[str, Any] | None:
        log = stack.clients("logs").filter_log_events(logGroupName="/aws/lambda/polyphony-test-ingestion-echo")
        lines = [event["message"] for event in log["events"] if "cognitoIdentityId" in event["message"]]
        return json.loads(lines[0]) if lines else None

    identity = eventually(find_logged_identity, "the identity in the log")
    assert identity["cognitoIdentityId"] == guest.identity_id != other_guest.identity_id
    assert identity["cognitoIdentityPoolId"] == stack.outputs["pool"]


def test_a_guest_of_another_pool_without_the_grant_is_refused(stack: SmallStack, guest_of_another_pool: Guest) -> None:
    with pytest.raises(InvalidStatus) as error:
        guest_of_another_pool.connect(stack.outputs["url"])
    assert error.value.response.status_code == 403
    verdicts = {decision.verdict for decision in stack.decisions() if decision.role.endswith("others-guest")}
    assert verdicts == {AccessVerdict.IMPLICIT_DENY}


def test_a_guest_uploads_only_below_the_guests_prefix(guest: Guest, other_guest: Guest) -> None:
    def upload_error(key: str) -> str:
        return error_code(lambda: guest.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"audio"))

    assert upload_error(f"queries/{guest.identity_id}/question.webm") == ""
    for key in (
        f"queries/{other_guest.identity_id}/question.webm",
        f"queries/{guest.identity_id}",
        f"queries/{guest.identity_id}x/question.webm",
        f"queries/../queries/{other_guest.identity_id}/question.webm",
        f"lectures/{guest.identity_id}/lecture.mp3",
        "queries/*/question.webm",
        "queries/${cognito-identity.amazonaws.com:sub}/question.webm",
    ):
        assert upload_error(key) == "AccessDenied", key


def test_a_guest_reads_and_writes_only_the_guests_items(guest: Guest, other_guest: Guest) -> None:
    table = guest.client("dynamodb")

    def item(session: str) -> dict[str, Any]:
        return {"sessionId": {"S": session}, "lectureId": {"S": "lecture"}}

    own_item = item(f"{guest.identity_id}#01J")
    table.put_item(TableName=TABLE, Item=own_item)
    assert table.get_item(TableName=TABLE, Key=own_item)["Item"] == own_item
    for session in (
        f"{other_guest.identity_id}#01J",
        "lecture#01J",
        guest.identity_id,
        f"x{guest.identity_id}#01J",
        f"{guest.identity_id[:-1]}#01J",
        "*#01J",
        "#01J",
    ):
        read, write = partial(table.get_item, Key=item(session)), partial(table.put_item, Item=item(session))
        for call in (read, write):
            assert error_code(partial(call, TableName=TABLE)) == "AccessDeniedException", session


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [("StringEquals", "aud", "another-pool"), ("ForAnyValue:StringLike", "amr", "authenticated")],
)
def test_a_pool_gives_no_credentials_of_a_role_that_does_not_trust_it(
    stack: SmallStack, guest_of_another_pool: Guest, operator: str, key: str, value: str
) -> None:
    iam, role = stack.clients("iam"), "polyphony-test-ingestion-others-guest"
    original_trust = json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    document = json.loads(original_trust)
    document["Statement"][0]["Condition"][operator][f"cognito-identity.amazonaws.com:{key}"] = value
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))
    try:
        error = error_code(lambda: Guest.from_identity(connect_function(stack), guest_of_another_pool.identity_id))
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=original_trust)
    assert error == "InvalidIdentityPoolConfigurationException"
