"""Tests of the sweep, a scheduled function that restarts or fails every meeting whose processing makes no progress.

A meeting is due 15 minutes after its status has changed. With the limits of the harness, the sweep then checks an
execution every hour. Two days after the upload, it starts no execution any more, but fails the meeting. A meeting also
fails if chunks are still missing after seven days.
"""

import json
from typing import Any

import pytest

from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.aws.workflow_executions import WorkflowExecutions
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.meeting_record import DUE_PARTITION, PARTITION, SORT
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_processing import UploadProcessor
from tests.handlers.meetings.meeting_harness import ANN, BOB, BUCKET, CANARY, MEETING, TABLE, MeetingHarness

ZERO_COUNTS = dict.fromkeys(("checked", "started", "ended", "timed_out", "never_complete", "failed", "unfinished"), 0)
"""Counts of a sweep that has found no due meeting. `failed` counts the meetings whose check raised an exception."""


def upload_incomplete_recording(harness: MeetingHarness, meeting: MeetingId = MEETING) -> None:
    """Create a meeting that waits for a chunk."""
    harness.upload_complete_json(b"a", meeting=meeting)
    assert harness.state(meeting) == ("incomplete",)


def test_a_meeting_that_is_not_due_is_not_read(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    harness.advance(minutes=14)
    with harness.record_calls() as calls:
        assert harness.sweep() == ZERO_COUNTS
    assert calls == ["Query"]


def test_a_running_execution_is_checked_once_per_hour(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    harness.advance(minutes=16)
    harness.sweep()
    for _ in range(3):
        harness.advance(minutes=61)
        assert harness.sweep()["checked"] == 1
        assert harness.sweep()["checked"] == 0
    assert harness.state() == ("processing", "media")
    assert len(harness.step_functions.statuses) == 1


def test_an_execution_that_never_started_is_started(harness: MeetingHarness) -> None:
    harness.upload_recording_without_event(b"a")
    harness.step_functions.next_starts.extend(["request lost", "rejected"])
    harness.deliver_event("complete.json")
    harness.advance(minutes=61)
    assert harness.sweep()["failed"] == 1
    assert harness.sweep()["started"] == 1
    assert list(harness.step_functions.statuses.values()) == ["RUNNING"]
    assert harness.record().attempt == 1


@pytest.mark.parametrize(
    ("status", "steps", "reason", "outcome"),
    [
        ("FAILED", (), "MEDIA_FAILED", "ended"),
        ("ABORTED", ("media",), "TRANSCRIPTION_FAILED", "ended"),
        ("TIMED_OUT", (), "TIMED_OUT", "timed_out"),
    ],
)
def test_an_execution_that_ended_without_a_report_fails_its_meeting(
    harness: MeetingHarness, status: str, steps: tuple[str, ...], reason: str, outcome: str
) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    for step in steps:
        harness.run_step(step, recording)
    harness.step_functions.end_last(status)
    harness.advance(minutes=61)
    assert harness.sweep()[outcome] == 1
    assert harness.state() == ("failed", reason)
    assert harness.sort_keys_due_for_sweep() == []
    assert harness.sweep() == ZERO_COUNTS


def test_a_successful_execution_without_a_report_causes_a_new_attempt(harness: MeetingHarness) -> None:
    """The media job found that `complete.json` lists other chunks. Then the client uploaded the first `complete.json`
    again, so no execution processes its chunks.
    """
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording, MediaOutcome.SUPERSEDED)
    harness.run_step("media", recording)
    harness.step_functions.end_last("SUCCEEDED")
    harness.advance(minutes=61)
    assert harness.sweep()["started"] == 1
    assert harness.step_functions.attempts == [1, 2]
    assert harness.state() == ("processing", "media")


@pytest.mark.parametrize("has_started", [True, False])
def test_a_meeting_without_progress_fails_after_two_days_of_restarts(
    harness: MeetingHarness, *, has_started: bool
) -> None:
    harness.upload_recording_without_event(b"a")
    if not has_started:
        harness.step_functions.next_starts.append("request lost")
    harness.deliver_event("complete.json")
    for _ in range(14):
        if has_started:
            harness.step_functions.end_last("SUCCEEDED")
        else:
            harness.step_functions.statuses.clear()  # as if the last start had been lost too
        harness.advance(hours=4)
        harness.sweep()
    assert harness.state() == ("failed", "TIMED_OUT")
    assert harness.sort_keys_due_for_sweep() == []
    assert len(harness.step_functions.inputs) <= 13, "the first one, and one every four hours for two days"


def test_a_meeting_that_finishes_during_the_sweep_stays_ready(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    original_status = WorkflowExecutions.status

    def finish_before_status(self: WorkflowExecutions, arn: str) -> Any:
        harness.run_step("finish", recording)
        harness.step_functions.end_last("SUCCEEDED")
        return original_status(self, arn)

    monkeypatch.setattr(WorkflowExecutions, "status", finish_before_status)
    harness.advance(minutes=61)
    assert (harness.sweep()["started"], harness.state()) == (0, ("ready",))


def test_an_incomplete_meeting_fails_after_seven_days(harness: MeetingHarness) -> None:
    upload_incomplete_recording(harness)
    harness.advance(days=6, hours=23)
    assert harness.sweep()["never_complete"] == 0
    assert harness.state() == ("incomplete",)
    harness.advance(minutes=61)
    assert harness.sweep()["never_complete"] == 1
    assert harness.state() == ("failed", "NEVER_COMPLETE")
    assert harness.wrong_files() == {"0.webm": "missing"}, "the missing chunks must still be listed"
    assert harness.sort_keys_due_for_sweep() == []


def test_a_chunk_whose_event_was_lost_is_found(harness: MeetingHarness) -> None:
    upload_incomplete_recording(harness)
    harness.upload_chunks(b"a")
    harness.advance(minutes=16)
    assert harness.sweep()["started"] == 1
    assert harness.state() == ("processing", "media")


def test_an_incomplete_meeting_is_checked_a_few_times_a_day(harness: MeetingHarness) -> None:
    upload_incomplete_recording(harness)
    check_count = 0
    for _ in range(24):
        harness.advance(hours=1)
        check_count += harness.sweep()["checked"]
    assert 3 <= check_count <= 5


def test_an_arriving_chunk_does_not_extend_the_time_limit_of_an_incomplete_meeting(harness: MeetingHarness) -> None:
    harness.upload_complete_json(b"a", b"b")
    harness.advance(days=6)
    harness.upload_chunks(b"a")
    harness.deliver_event("0.webm")
    harness.advance(days=1)
    assert harness.sweep()["never_complete"] == 1


def test_an_incomplete_meeting_whose_complete_json_was_deleted_fails_at_its_time_limit(harness: MeetingHarness) -> None:
    upload_incomplete_recording(harness)
    harness.s3.delete_object(Bucket=BUCKET, Key=MEETING.upload_key("complete.json"))
    harness.advance(days=1)
    assert harness.sweep()["checked"] == 1
    assert harness.state() == ("incomplete",)
    harness.advance(days=7)
    assert harness.sweep()["never_complete"] == 1


def test_due_items_of_a_ready_and_of_an_unknown_meeting_are_deleted(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a")
    harness.finish_without_audio(recording)
    for meeting in (MEETING, MeetingId(BOB, MEETING.meeting_id)):
        key = {PARTITION: DUE_PARTITION, SORT: f"2026-01-31T12:00:00.000Z#{meeting.user}#{meeting.meeting_id}"}
        harness.dynamodb.put_item(TableName=TABLE, Item=serialize_item(key))
    before = harness.record()
    assert harness.sweep()["checked"] == 0
    harness.advance(minutes=1)
    assert harness.sweep()["checked"] == 2
    assert harness.sort_keys_due_for_sweep() == []
    assert harness.record() == before


def test_a_failing_meeting_does_not_stop_the_sweep(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other_meeting = MeetingId(BOB, MEETING.meeting_id)
    for meeting in (MEETING, other_meeting):
        upload_incomplete_recording(harness, meeting)
        harness.upload_chunks(b"a", meeting=meeting)
    process_uploads = UploadProcessor.process_uploads

    def fail_for_one_meeting(self: UploadProcessor, meeting: MeetingId) -> Any:
        if meeting == MEETING:
            raise RuntimeError(CANARY)
        return process_uploads(self, meeting)

    harness.advance(minutes=16)
    with monkeypatch.context() as patch:
        patch.setattr(UploadProcessor, "process_uploads", fail_for_one_meeting)
        counts = harness.sweep()
    assert (counts["checked"], counts["started"], counts["failed"]) == (2, 1, 1)
    assert harness.state(other_meeting) == ("processing", "media")
    output = capsys.readouterr().out
    assert "meeting_unattended" in output
    for secret in (CANARY, ANN, MEETING.meeting_id):
        assert secret not in output
    assert harness.sweep()["started"] == 1


def test_missing_chunks_are_logged_as_information_and_failed_executions_as_errors(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    upload_incomplete_recording(harness)
    harness.advance(days=7, minutes=1)
    harness.upload_recording(b"a", meeting=MeetingId(BOB, MEETING.meeting_id))
    harness.step_functions.end_last("ABORTED")
    harness.advance(minutes=61)
    assert (harness.sweep()["never_complete"], harness.sweep()) == (1, ZERO_COUNTS)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    levels = {line["code"]: line["level"] for line in lines if line["message"] == "meeting_given_up"}
    assert levels == {"NEVER_COMPLETE": "INFO", "MEDIA_FAILED": "ERROR"}
    counts = [(line["failed"], line["unfinished"]) for line in lines if line["message"] == "meeting_sweep"]
    assert counts == [(0, 0), (0, 0)], (
        "the alarms read these numbers, and a meeting that fails is no error of the sweep"
    )
