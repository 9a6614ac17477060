"""Tests of the function `meeting-cleanup`: it removes all data of the deleted meeting that a message names, and nothing
else, and comes back until no execution can write any more.
"""

import json
from typing import Any

import pytest

from handlers.meetings.deletions import DeletedMeeting
from handlers.meetings.meeting_cleanup import handler as cleanup
from handlers.meetings.s3_keys import MeetingId, Recording
from tests.handlers.common.fakes import client_error
from tests.handlers.meetings.meeting_harness import ANN, BOB, BUCKET, CANARY, MEETING, MeetingHarness

OTHERS = [MeetingId(BOB, MEETING.meeting_id), MeetingId(ANN, f"{MEETING.meeting_id[:-1]}Z")]
"""Another user's meeting with the same id, and another meeting of the same user."""


@pytest.fixture
def harness(harness: MeetingHarness) -> MeetingHarness:
    harness.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return harness


def store_data(harness: MeetingHarness, meeting: MeetingId) -> Recording:
    """Upload a recording. Store two versions of each kind of object and a delete marker."""
    recording = harness.upload_recording(b"a", meeting=meeting)
    keys = [recording.video_key, recording.audio_key(0), recording.transcript_key, recording.summary_key]
    for key in [*keys, recording.media_result_key, meeting.upload_key("canary-0.webm")]:
        for body in (b"1", b"2"):
            harness.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        harness.s3.delete_object(Bucket=BUCKET, Key=key)
    return recording


def end_executions(harness: MeetingHarness) -> None:
    for execution in harness.executions:
        execution.status = "SUCCEEDED"


def remaining(harness: MeetingHarness, meeting: MeetingId) -> int:
    """Return the number of stored versions and delete markers of a meeting."""
    listed = harness.s3.list_object_versions(Bucket=BUCKET)
    versions = [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]
    return sum(f"/{meeting.user}/{meeting.meeting_id}/" in version["Key"] for version in versions)


def deliver(body: str | None = None) -> list[Any]:
    """Deliver a message, by default about `MEETING`. Return it if SQS must deliver it again."""
    message = DeletedMeeting(user=ANN, meeting_id=MEETING.meeting_id).model_dump_json(by_alias=True)
    event = {"Records": [{"messageId": "1", "body": message if body is None else body}]}
    return cleanup.handler(event, None)["batchItemFailures"]


def queued(harness: MeetingHarness) -> list[Any]:
    """Return the messages that the function has sent, which are delayed."""
    attributes = harness.clients["sqs"].get_queue_attributes(QueueUrl=harness.queue_url, AttributeNames=["All"])[
        "Attributes"
    ]
    return [attributes["ApproximateNumberOfMessagesDelayed"], attributes["ApproximateNumberOfMessages"]]


def test_all_versions_of_the_meetings_objects_are_removed_and_no_others(harness: MeetingHarness) -> None:
    for meeting in (MEETING, *OTHERS):
        store_data(harness, meeting)
    stored = remaining(harness, MEETING)
    end_executions(harness)
    harness.delete_meeting()
    before = harness.all_items()
    for _ in range(2):
        assert deliver() == []
    assert remaining(harness, MEETING) == 0
    assert [remaining(harness, meeting) for meeting in OTHERS] == [stored, stored]
    assert harness.all_items() == before, "the tombstone stays, and so do the other meetings"
    assert queued(harness) == ["0", "0"]


def test_the_message_returns_until_the_last_execution_has_ended(harness: MeetingHarness) -> None:
    recording = store_data(harness, MEETING)
    harness.upload_recording(b"b")
    harness.delete_meeting()
    first, second = harness.executions
    second.status = "SUCCEEDED"
    for number in (1, 2):
        assert deliver() == []
        assert queued(harness) == [str(number), "0"], "the message is delayed"
        assert remaining(harness, MEETING) == 0, "the data is removed at once"
        harness.put_object(recording.video_key, b"written by the job that still runs")
    first.status = "FAILED"
    assert deliver() == []
    assert (queued(harness), remaining(harness, MEETING)) == (["2", "0"], 0)


def test_a_meeting_that_was_not_deleted_is_kept(harness: MeetingHarness, capsys: pytest.CaptureFixture[str]) -> None:
    store_data(harness, MEETING)
    before = harness.all_items(), remaining(harness, MEETING)
    assert deliver() == []
    assert (harness.all_items(), remaining(harness, MEETING)) == before
    assert '"ignored":1' in capsys.readouterr().out.replace(": ", ":")


@pytest.mark.parametrize(
    ("service", "operation"), [("stepfunctions", "ListExecutions"), ("s3", "DeleteObjects"), ("dynamodb", "GetItem")]
)
def test_a_message_whose_call_fails_is_repeated(
    harness: MeetingHarness, service: str, operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store_data(harness, MEETING)
    end_executions(harness)
    harness.delete_meeting()
    with harness.fail_calls(service, operation, client_error("SlowDown")):
        assert len(deliver()) == 1
    assert CANARY not in capsys.readouterr().out
    assert deliver() == []
    assert remaining(harness, MEETING) == 0


@pytest.mark.parametrize("body", ["", json.dumps({"schemaVersion": 1, "user": "../x", "meetingId": "1"})])
def test_a_malformed_message_moves_to_the_dead_letter_queue(harness: MeetingHarness, body: str) -> None:
    assert len(deliver(body)) == 1
    assert harness.all_items() == []
