"""Meetings from outside: the flow, who gets credentials and what for, and what is told to nobody."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec

from clients.meetings.user_credentials import Opened
from handlers.meetings.meeting_record import INDEX, OPEN, PARTITION, SORT, MeetingStatus
from handlers.meetings.s3_keys import COMPLETE
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.emulation.identity_provider import AUDIENCE, ISSUER, KEY_ID
from local.flows.http_requests import Answer, ask, send
from local.flows.meetings_client import Meetings
from tests.end_to_end.conftest import Platform, Played
from tests.end_to_end.meeting_recorder import Recorder, new_meeting

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]
CANARY = "canary"
SAID = "captions come back again"
"""Words that nothing else says."""


@pytest.fixture(scope="module")
def ann(meetings: Meetings, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Who records here."""
    return Recorder(meetings, "ann", tmp_path_factory.mktemp("recordings"))


@pytest.fixture
def refused(platform: Platform) -> Iterator[None]:
    """What is refused in this test is meant to be."""
    yield
    platform.unexplained_since = platform.mark()


def exchange(meetings: Meetings, body: object) -> Answer:
    """Asks for credentials, as a page of somebody's would."""
    return ask("POST", f"{meetings.url}/exchange", body, {"Origin": "https://app.example.com"})


def told(answer: Answer) -> dict[str, Any]:
    """An error in the one form that there is, which pages may read."""
    body: dict[str, Any] = answer.body
    assert set(body) == {"code", "message", "fields", "requestId"}
    assert body["requestId"]
    assert answer.headers["access-control-allow-origin"] == "*"
    return body


def forged() -> str:
    """A token with all that one needs, signed by somebody else under the provider's key's name."""
    now = datetime.now(UTC)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": KEY_ID})


def test_a_recording_becomes_a_summary_that_its_user_reads(meetings_played: Played[list[str]]) -> None:
    assert meetings_played.outcome == []


def test_a_token_becomes_credentials_for_an_hour(meetings: Meetings) -> None:
    answer = exchange(meetings, {"token": meetings.token("ann"), "sessionName": "Ann's laptop"})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"
    left = datetime.fromisoformat(answer.body["expiration"]) - datetime.now(UTC)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)
    assert answer.body["renewAfter"] < answer.body["expiration"]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda meetings: meetings.token("ann", seconds=-600), "TOKEN_EXPIRED"),
        (lambda _: forged(), "TOKEN_REFUSED"),
        (lambda meetings: meetings.token("ann")[:-4] + "AAAA", "TOKEN_REFUSED"),
        (lambda meetings: f"{meetings.token('ann').rpartition('.')[0]}.", "TOKEN_REFUSED"),
        (lambda _: "no token", "TOKEN_REFUSED"),
        (lambda _: "", "TOKEN_REFUSED"),
    ],
)
def test_a_token_that_is_not_good_is_refused_with_a_code_and_no_more(
    meetings: Meetings, made: Callable[[Meetings], str], code: str
) -> None:
    answer = exchange(meetings, {"token": made(meetings), "sessionName": "laptop"})
    body = told(answer)
    assert (answer.status, body["code"], body["fields"]) == (401, code, [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"token": "x"}, "sessionName"),
        ({"token": "x", "sessionName": ""}, "sessionName"),
        ({"token": "x", "sessionName": "ÄÖÜ 漢字 !"}, "sessionName"),
        ({"token": "x", "sessionName": 7}, "sessionName"),
        ({"sessionName": "laptop"}, "token"),
    ],
)
def test_a_malformed_request_is_told_which_field(meetings: Meetings, body: object, field: str) -> None:
    answer = exchange(meetings, body)
    assert (answer.status, [one["field"] for one in told(answer)["fields"]]) == (400, [field])


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/exchange", 405), ("POST", "/nothing", 404)])
def test_what_there_is_not_is_told_in_the_same_form(meetings: Meetings, method: str, path: str, status: int) -> None:
    answer = ask(method, f"{meetings.url}{path}", None if method == "GET" else {})
    assert answer.status == status
    told(answer)


def test_a_page_asks_before_it_exchanges(meetings: Meetings) -> None:
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    answer = send("OPTIONS", f"{meetings.url}/exchange", headers=asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]


def query(bob: Opened, partition: str, **more: Any) -> object:
    """Asks for a whole partition."""
    return bob.dynamodb.query(
        TableName=bob.table,
        KeyConditionExpression="#p = :p",
        ExpressionAttributeNames={"#p": PARTITION},
        ExpressionAttributeValues={":p": {"S": partition}},
        **more,
    )


FOREIGN: dict[str, Callable[[Opened, str, str], object]] = {
    "read a transcript": lambda bob, _, key: bob.s3.get_object(Bucket=bob.bucket, Key=key),
    "read an upload": lambda bob, user, _: bob.s3.get_object(Bucket=bob.bucket, Key=f"raw/{user}/{COMPLETE}"),
    "list uploads": lambda bob, user, _: bob.s3.list_objects_v2(Bucket=bob.bucket, Prefix=f"raw/{user}/"),
    "list everybody's": lambda bob, _user, _key: bob.s3.list_objects_v2(Bucket=bob.bucket, Prefix="raw/"),
    "list without a prefix": lambda bob, _user, _key: bob.s3.list_objects_v2(Bucket=bob.bucket),
    "write as another": lambda bob, user, _: bob.s3.put_object(Bucket=bob.bucket, Key=f"raw/{user}/x", Body=b"x"),
    "write a video": lambda bob, _user, _key: bob.s3.put_object(
        Bucket=bob.bucket, Key=f"video/{bob.user}/x.mp4", Body=b"x"
    ),
    "write notes": lambda bob, _user, _key: bob.s3.put_object(Bucket=bob.bucket, Key=f"work/{bob.user}/x", Body=b"x"),
    "delete an upload": lambda bob, _user, _key: bob.s3.delete_object(Bucket=bob.bucket, Key=f"raw/{bob.user}/x"),
    "query another's": lambda bob, user, _: query(bob, user),
    "query another's by date": lambda bob, user, _: query(bob, user, IndexName=INDEX),
    "query what is open": lambda bob, _user, _key: query(bob, OPEN),
    "query what is open by date": lambda bob, _user, _key: query(bob, OPEN, IndexName=INDEX),
    "read an item": lambda bob, user, key: bob.dynamodb.get_item(
        TableName=bob.table, Key={PARTITION: {"S": user}, SORT: {"S": key.split("/")[2]}}
    ),
    "read what is open": lambda bob, _user, _key: bob.dynamodb.get_item(
        TableName=bob.table, Key={PARTITION: {"S": OPEN}, SORT: {"S": "x"}}
    ),
    "scan": lambda bob, _user, _key: bob.dynamodb.scan(TableName=bob.table),
    "write an item": lambda bob, _user, _key: bob.dynamodb.put_item(
        TableName=bob.table, Item={PARTITION: {"S": bob.user}, SORT: {"S": "x"}}
    ),
}


@pytest.fixture(scope="module")
def bob(meetings: Meetings) -> Opened:
    """Somebody else."""
    return meetings.opened("bob")


@pytest.mark.usefixtures("meetings_played", "refused")
@pytest.mark.parametrize("what", FOREIGN)
def test_another_users_credentials_do_not(ann: Recorder, bob: Opened, what: str) -> None:
    [record, *_] = ann.client.list_by_date()
    assert record.transcript_key is not None
    with pytest.raises(ClientError) as raised:
        FOREIGN[what](bob, record.user, record.transcript_key)
    assert raised.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}


def test_the_exchange_must_be_allowed_to_tag_a_session(platform: Platform, meetings: Meetings) -> None:
    """Without the tag, a session would be nobody's, so there is none."""
    with platform.actions_of("meetings-auth-exchange", without="sts:TagSession"):
        mark = platform.mark()
        assert exchange(meetings, {"token": meetings.token("ann"), "sessionName": "laptop"}).status >= 500
        refused = [one for one in platform.decisions(mark) if one.verdict is not AccessVerdict.ALLOW]
    assert {(one.role, one.action) for one in refused} == {("polyphony-local-meetings-auth-exchange", "sts:TagSession")}


@pytest.mark.usefixtures("meetings_played")
def test_a_sweep_changes_nothing_of_a_meeting_that_is_ready(meetings: Meetings, ann: Recorder) -> None:
    before = list(ann.client.list_by_date())
    swept = meetings.call(meetings.sweep, "sweep")
    assert list(ann.client.list_by_date()) == before
    assert swept["failed"] == 0


@pytest.mark.usefixtures("meetings_played")
def test_what_users_have_more_than_the_day_before_is_told(platform: Platform, meetings: Meetings) -> None:
    s3, today = platform.client("s3"), datetime.now(UTC).date()
    kept = s3.get_object(Bucket=meetings.bucket, Key=f"work/storage/{today}.json")["Body"].read()
    assert meetings.call(meetings.storage, "storage") == {"objects": 0, "users": 0, "told": 0, "begun": 0}, (
        "it was counted"
    )
    nothing = json.dumps({**json.loads(kept), "day": f"{today - timedelta(days=1)}", "bytesOf": {}})
    s3.put_object(Bucket=meetings.bucket, Key=f"work/storage/{today - timedelta(days=1)}.json", Body=nothing.encode())
    s3.delete_object(Bucket=meetings.bucket, Key=f"work/storage/{today}.json")
    counted = meetings.call(meetings.storage, "storage")
    assert counted["objects"] >= 5
    assert counted["told"] >= 1


def test_nothing_of_a_meeting_is_in_a_log(platform: Platform, meetings: Meetings, ann: Recorder) -> None:
    token = meetings.token("ann")
    exchange(meetings, {"token": token, "sessionName": f"{CANARY}-session"})
    exchange(meetings, {"token": f"{token}x", "sessionName": f"{CANARY}-session"})
    meeting = new_meeting(f"{CANARY} of a title", participants=(CANARY,), tags=(CANARY,))
    [chunk] = ann.said(SAID)
    chunks = [chunk.rename(chunk.with_suffix(f".{CANARY}"))]
    ann.announce(meeting, chunks, [None])
    assert ann.became(meeting.meeting_id, MeetingStatus.INCOMPLETE).wrong[0].name == f"00000.{CANARY}"
    ann.client.upload(meeting, chunks)
    assert ann.became(meeting.meeting_id).status is MeetingStatus.READY
    groups = logged(platform)
    assert {"/aws/batch/polyphony-local-meetings-media", "/aws/lambda/polyphony-local-meetings-steps"} <= set(groups)
    for lines in groups.values():
        for secret in (CANARY, SAID, "come back", meeting.meeting_id, ann.opened.user, token.rpartition(".")[2]):
            assert not [line for line in lines if secret in line.lower() or secret in line]


def logged(platform: Platform) -> dict[str, list[str]]:
    """What meetings' functions and its job have written, by log group."""
    logs = platform.client("logs")
    names = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    mine = [one for one in names if one.startswith(("/aws/lambda/polyphony-local-meetings-", "/aws/batch/"))]
    return {
        name: [
            one["message"]
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name)
            for one in page["events"]
        ]
        for name in mine
    }
