"""End-to-end tests of meetings: from recording to summary, and access to other users' data."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.meetings.record import INDEX, PARTITION, SORT
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import Checks
from local.flows.meetings_flow import CHUNKS, TITLE
from local.flows.meetings_user import MeetingsUser
from local.flows.speech_clips import CLIPS, clip_texts
from tests.end_to_end.backends import DeployedMeetings
from tests.end_to_end.meeting_recorder import Recorder
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]
ACTION_ITEMS = ("report", "supplier")
"""Clips with a request or a promise."""


@pytest.mark.usefixtures("platform_use")
def test_the_flows_meeting_is_processed_once_with_its_speakers_and_action_items(
    meetings: DeployedMeetings, ann: Recorder
) -> None:
    record = next(meeting for meeting in ann.client.list_newest_first() if meeting.title == TITLE)
    executions = [name for name in meetings.execution_names() if name.startswith(record.meeting_id)]
    assert len(executions) == 1, "the flow uploads the same recording twice"
    transcript, summary = ann.client.read_transcript(record), ann.client.read_summary(record)
    spoken = [CLIPS[name] for chunk in CHUNKS for name in chunk]
    labels = {spoken[0].speaker: "spk_0", spoken[2].speaker: "spk_1"}
    # The backend may divide the speech of one speaker in another way than the clips.
    turns = [
        (speaker, " ".join(item.text for item in said))
        for speaker, said in groupby(transcript.said, lambda item: item.speaker)
    ]
    expected = [
        (labels[speaker], " ".join(clip.text for clip in clips))
        for speaker, clips in groupby(spoken, lambda clip: clip.speaker)
    ]
    assert [speaker for speaker, _ in turns] == [speaker for speaker, _ in expected]
    checks = Checks()
    checks.recognised("turns", [text for _, text in turns], [text for _, text in expected])
    checks.recognised("action items", [item.quote.text for item in summary.action_items], clip_texts(*ACTION_ITEMS))
    assert checks.problems == []
    assert transcript.said[0].text in summary.summary


def query(bob: MeetingsUser, partition: str, **parameters: Any) -> object:
    return bob.dynamodb.query(
        TableName=bob.table,
        KeyConditionExpression="#p = :p",
        ExpressionAttributeNames={"#p": PARTITION},
        ExpressionAttributeValues={":p": {"S": partition}},
        **parameters,
    )


FORBIDDEN_CALLS: dict[str, Callable[[MeetingsUser, str, str], object]] = {
    "read a transcript of another user": lambda bob, _, key: bob.s3.get_object(Bucket=bob.bucket, Key=key),
    "read a video of another user": lambda bob, user, _: bob.s3.get_object(
        Bucket=bob.bucket, Key=f"video/{user}/x.mp4"
    ),
    "read an upload of another user": lambda bob, user, _: bob.s3.get_object(
        Bucket=bob.bucket, Key=f"raw/{user}/{COMPLETE_FILE_NAME}"
    ),
    "list the uploads of another user": lambda bob, user, _: bob.s3.list_objects_v2(
        Bucket=bob.bucket, Prefix=f"raw/{user}/"
    ),
    "list the uploads of all users": lambda bob, _user, _key: bob.s3.list_objects_v2(Bucket=bob.bucket, Prefix="raw/"),
    "list without a prefix": lambda bob, _user, _key: bob.s3.list_objects_v2(Bucket=bob.bucket),
    "write an upload of another user": lambda bob, user, _: bob.s3.put_object(
        Bucket=bob.bucket, Key=f"raw/{user}/x", Body=b"x"
    ),
    "write an own video": lambda bob, _user, _key: bob.s3.put_object(
        Bucket=bob.bucket, Key=f"video/{bob.user}/x.mp4", Body=b"x"
    ),
    "write stored answers": lambda bob, _user, _key: bob.s3.put_object(
        Bucket=bob.bucket, Key=f"work/{bob.user}/x", Body=b"x"
    ),
    "delete an own upload": lambda bob, _user, _key: bob.s3.delete_object(Bucket=bob.bucket, Key=f"raw/{bob.user}/x"),
    "query meetings of another user": lambda bob, user, _: query(bob, user),
    "query meetings of another user by date": lambda bob, user, _: query(bob, user, IndexName=INDEX),
    "read a meeting record of another user": lambda bob, user, key: bob.dynamodb.get_item(
        TableName=bob.table, Key={PARTITION: {"S": user}, SORT: {"S": key.split("/")[2]}}
    ),
    "scan the table": lambda bob, _user, _key: bob.dynamodb.scan(TableName=bob.table),
    "write a meeting record": lambda bob, _user, _key: bob.dynamodb.put_item(
        TableName=bob.table, Item={PARTITION: {"S": bob.user}, SORT: {"S": "x"}}
    ),
}
"""Calls that the user Bob may not make. Their arguments are Bob's AWS clients, the id of another user, and the S3 key
of a transcript of this user. Stored answers are those of the model that summarises meetings."""


@pytest.fixture(scope="module")
def bob(meetings: DeployedMeetings) -> MeetingsUser:
    return meetings.open_access("bob")


@pytest.mark.usefixtures("platform_use", "allow_refusals")
@pytest.mark.parametrize("forbidden_call", FORBIDDEN_CALLS)
def test_a_user_may_not_make_a_forbidden_call(ann: Recorder, bob: MeetingsUser, forbidden_call: str) -> None:
    user, key = next(
        (meeting.user, meeting.transcript_key) for meeting in ann.client.list_newest_first() if meeting.transcript_key
    )
    with pytest.raises(ClientError) as raised:
        FORBIDDEN_CALLS[forbidden_call](bob, user, key)
    assert raised.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}


def test_without_permission_to_tag_sessions_there_are_no_credentials(
    platform: Platform, meetings: DeployedMeetings
) -> None:
    """Without the tag, a session would belong to no user."""
    with platform.changed_actions("meetings-auth-exchange", removed="sts:TagSession"):
        log_end = platform.decision_log_end()
        assert meetings.exchange_token({"token": meetings.request_token("ann"), "sessionName": "laptop"}).status >= 500
        refusals = [decision for decision in platform.decisions(log_end) if decision.verdict is not AccessVerdict.ALLOW]
    assert {(decision.role, decision.action) for decision in refusals} == {
        ("polyphony-local-meetings-auth-exchange", "sts:TagSession")
    }
