"""A session with its user's name as a tag reaches what is that user's, and nothing else; both sides must allow the tag."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import emulator
from local.aws import EmulatorClients
from local.iam.decisions import read
from local.iam.evaluator import Verdict
from local.preview_provider import ACCOUNT, REGION
from tests.end_to_end.machines import grant, statement
from tests.tables import create_table

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("session-tags")]

CLIENT = f"arn:aws:iam::{ACCOUNT}:role/client"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/meetings"
TAGGED = {"ForAllValues:StringEquals": {"aws:TagKeys": ["user"]}, "Null": {"aws:TagKeys": "false"}}
EXCHANGE = [
    {**statement("sts:AssumeRole", CLIENT)},
    {**statement("sts:TagSession", CLIENT), "Condition": TAGGED},
]


@dataclass
class Site:
    """An exchange, a role for clients, a bucket and a table."""

    folder: Path
    clients: EmulatorClients
    exchange: EmulatorClients

    def session(self, **tags: str) -> EmulatorClients:
        """What a user is given."""
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        answer = self.exchange("sts").assume_role(RoleArn=CLIENT, RoleSessionName="one", Tags=given)
        return signed_in(self.clients, answer["Credentials"])


def signed_in(clients: EmulatorClients, credentials: dict[str, Any]) -> EmulatorClients:
    """The same services, for whoever has these credentials."""
    found = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    return EmulatorClients(clients("sts").meta.endpoint_url, found)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("session-tags")
    with emulator.start(folder) as started:
        clients = EmulatorClients(started.emulator.endpoint)
        owner = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        exchange = clients("iam").create_role(
            RoleName="exchange", AssumeRolePolicyDocument=json.dumps({"Statement": [owner]})
        )["Role"]["Arn"]
        grant(clients, "exchange", EXCHANGE)
        trusting = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": exchange},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {"StringLike": {"aws:RequestTag/user": "?*"}},
            }
        ]
        clients("iam").create_role(RoleName="client", AssumeRolePolicyDocument=json.dumps({"Statement": trusting}))
        keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/user}"]}}
        grant(
            clients,
            "client",
            [
                statement("s3:PutObject", "arn:aws:s3:::recordings/raw/${aws:PrincipalTag/user}/*"),
                {
                    **statement("dynamodb:Query", TABLE),
                    "Condition": {**keys, "Null": {"dynamodb:LeadingKeys": "false"}},
                },
            ],
        )
        clients("s3").create_bucket(Bucket="recordings")
        create_table(clients("dynamodb"), "meetings", "user")
        answer = clients("sts").assume_role(RoleArn=exchange, RoleSessionName="exchange")
        yield Site(folder, clients, signed_in(clients, answer["Credentials"]))


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this site has an emulator of its own, and roles without their grants."""


def query(clients: EmulatorClients, user: str) -> None:
    clients("dynamodb").query(
        TableName="meetings",
        KeyConditionExpression="#u = :u",
        ExpressionAttributeNames={"#u": "user"},
        ExpressionAttributeValues={":u": {"S": user}},
    )


def test_a_session_reaches_what_is_its_users_and_nothing_else(site: Site) -> None:
    session = site.session(user="u1")
    session("s3").put_object(Bucket="recordings", Key="raw/u1/chunk", Body=b"1")
    query(session, "u1")
    with pytest.raises(ClientError, match="AccessDenied"):
        session("s3").put_object(Bucket="recordings", Key="raw/u2/chunk", Body=b"1")
    with pytest.raises(ClientError, match="AccessDenied"):
        session("s3").put_object(Bucket="recordings", Key="raw/u11/chunk", Body=b"1")
    with pytest.raises(ClientError, match="AccessDenied"):
        query(session, "u2")


@pytest.mark.parametrize("name", ["*", "?1", "${aws:username}", "../u2"])
def test_a_tag_stands_for_itself_and_no_pattern(site: Site, name: str) -> None:
    """STS takes no such value on AWS, but nothing here should rest on that."""
    try:
        session = site.session(user=name)
    except ClientError:
        return
    with pytest.raises(ClientError, match="AccessDenied"):
        session("s3").put_object(Bucket="recordings", Key="raw/u1/chunk", Body=b"1")


def test_without_the_tag_the_role_is_not_to_be_had(site: Site) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        site.session()
    with pytest.raises(ClientError, match="AccessDenied"):
        site.session(team="t1")


def test_whoever_tags_a_session_must_be_allowed_to(site: Site) -> None:
    grant(site.clients, "exchange", EXCHANGE, without="sts:TagSession")
    with pytest.raises(ClientError, match="AccessDenied"):
        site.session(user="u1")
    grant(site.clients, "exchange", EXCHANGE)
    site.session(user="u1")
    decisions = [one for one in read(site.folder) if one.action == "sts:TagSession"]
    assert {one.verdict for one in decisions} == {Verdict.ALLOW, Verdict.IMPLICIT_DENY}
    assert {(one.role, one.resource) for one in decisions} == {("exchange", CLIENT)}


def test_another_tag_is_refused_by_whoever_may_tag_with_one_alone(site: Site) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        site.session(user="u1", admin="yes")
