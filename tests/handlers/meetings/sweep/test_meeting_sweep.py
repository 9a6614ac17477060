"""Tests of the sweep: no meeting stays unfinished for ever."""

import json
from typing import Any

import pytest

from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.aws.workflow_executions import WorkflowExecutions
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_processing import UploadProcessor
from tests.handlers.meetings.meeting_harness import ANN, BOB, CANARY, MEETING, TABLE, MeetingHarness

EMPTY_REPORT = dict.fromkeys(("checked", "started", "ended", "timed_out", "never_complete", "failed", "unfinished"), 0)


def upload_without_chunk(harness: MeetingHarness, meeting: MeetingId = MEETING) -> None:
    """Create a meeting that waits for a chunk."""
    harness.upload_complete_file(b"a", meeting=meeting)
    assert harness.deliver_event("complete.json", meeting) == []
    assert harness.state(meeting) == ("incomplete",)


def test_a_meeting_that_just_started_is_not_read(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    harness.advance(minutes=14)
    with harness.record_calls() as calls:
        assert harness.sweep() == EMPTY_REPORT
    assert calls == ["Query"]


def test_a_running_execution_is_only_checked_when_it_is_due(harness: MeetingHarness) -> None:
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
    harness.upload_chunks(b"a")
    harness.upload_complete_file(b"a")
    harness.step_functions.next_starts.extend(["lost", "refused"])
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
        ("FAILED", ("media", "transcribed"), "SUMMARY_FAILED", "ended"),
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
    assert harness.due_sort_keys() == []
    assert harness.sweep() == EMPTY_REPORT


def test_a_successful_execution_without_a_report_causes_a_new_attempt(harness: MeetingHarness) -> None:
    """The job found another content, which was replaced again. So no execution processes the current content."""
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording, MediaOutcome.SUPERSEDED)
    harness.run_step("media", recording)
    harness.step_functions.end_last("SUCCEEDED")
    harness.advance(minutes=61)
    assert harness.sweep()["started"] == 1
    assert harness.step_functions.attempts == [1, 2]
    assert harness.state() == ("processing", "media")


@pytest.mark.parametrize("ended", [True, False])
def test_a_meeting_is_not_restarted_for_ever(harness: MeetingHarness, *, ended: bool) -> None:
    harness.upload_chunks(b"a")
    harness.upload_complete_file(b"a")
    if not ended:
        harness.step_functions.next_starts.append("lost")
    harness.deliver_event("complete.json")
    for _ in range(14):
        if ended:
            harness.step_functions.end_last("SUCCEEDED")
        else:
            harness.step_functions.statuses.clear()
        harness.advance(hours=4)
        harness.sweep()
    assert harness.state() == ("failed", "TIMED_OUT")
    assert harness.due_sort_keys() == []
    assert len(harness.step_functions.inputs) <= 13


def test_a_meeting_that_finishes_during_the_sweep_stays_ready(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    status = WorkflowExecutions.status

    def then_it_ends(self: WorkflowExecutions, arn: str) -> Any:
        harness.run_step("finish", recording)
        harness.step_functions.end_last("SUCCEEDED")
        return status(self, arn)

    monkeypatch.setattr(WorkflowExecutions, "status", then_it_ends)
    harness.advance(minutes=61)
    assert (harness.sweep()["started"], harness.state()) == (0, ("ready",))


def test_an_incomplete_meeting_waits_until_its_uploads_are_deleted(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    harness.advance(days=6, hours=23)
    assert harness.sweep()["never_complete"] == 0
    assert harness.state() == ("incomplete",)
    harness.advance(minutes=61)
    assert harness.sweep()["never_complete"] == 1
    assert harness.state() == ("failed", "NEVER_COMPLETE")
    assert harness.wrong_chunks() == {"0.webm": "missing"}, "the missing chunks are still listed"
    assert harness.due_sort_keys() == []


def test_a_chunk_whose_event_was_lost_is_found(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    harness.upload_chunks(b"a")
    harness.advance(minutes=16)
    assert harness.sweep()["started"] == 1
    assert harness.state() == ("processing", "media")


def test_an_incomplete_meeting_is_checked_a_few_times_a_day(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    check_count = 0
    for _ in range(24):
        harness.advance(hours=1)
        check_count += harness.sweep()["checked"]
    assert 3 <= check_count <= 5


def test_another_chunk_does_not_extend_the_waiting_time(harness: MeetingHarness) -> None:
    harness.upload_complete_file(b"a", b"b")
    harness.deliver_event("complete.json")
    harness.advance(days=6)
    harness.upload_chunks(b"a")
    harness.deliver_event("0.webm")
    harness.advance(days=1)
    assert harness.sweep()["never_complete"] == 1


def test_a_meeting_whose_complete_file_was_deleted_fails_in_the_end(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    harness.s3.delete_object(Bucket="recordings", Key=MEETING.upload_key("complete.json"))
    harness.advance(days=1)
    assert harness.sweep()["checked"] == 1
    assert harness.state() == ("incomplete",)
    harness.advance(days=7)
    assert harness.sweep()["never_complete"] == 1


def test_a_stale_due_item_is_deleted(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording, MediaOutcome.NO_AUDIO)
    harness.run_step("media", recording)
    for meeting in (MEETING, MeetingId(BOB, MEETING.meeting_id)):
        key = {"user": "#open", "meetingId": f"2026-01-31T12:00:00.000Z#{meeting.user}#{meeting.meeting_id}"}
        harness.dynamodb.put_item(TableName=TABLE, Item=serialize_item(key))
    before = harness.record()
    assert harness.sweep()["checked"] == 0
    harness.advance(minutes=1)
    assert harness.sweep()["checked"] == 2
    assert harness.due_sort_keys() == []
    assert harness.record() == before


def test_a_failing_meeting_does_not_stop_the_sweep(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = MeetingId(BOB, MEETING.meeting_id)
    for meeting in (MEETING, other):
        upload_without_chunk(harness, meeting)
        harness.upload_chunks(b"a", meeting=meeting)
    look = UploadProcessor.process_uploads

    def fails(self: UploadProcessor, meeting: MeetingId) -> Any:
        if meeting == MEETING:
            raise RuntimeError(CANARY)
        return look(self, meeting)

    harness.advance(minutes=16)
    with monkeypatch.context() as broken:
        broken.setattr(UploadProcessor, "process_uploads", fails)
        swept = harness.sweep()
    assert (swept["checked"], swept["started"], swept["failed"]) == (2, 1, 1)
    assert harness.state(other) == ("processing", "media")
    output = capsys.readouterr().out
    assert "meeting_unattended" in output
    for secret in (CANARY, ANN, MEETING.meeting_id):
        assert secret not in output
    assert harness.sweep()["started"] == 1


def test_only_failures_that_are_not_the_clients_are_logged_as_errors(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    upload_without_chunk(harness)
    harness.advance(days=7, minutes=1)
    harness.upload_recording(b"a", meeting=MeetingId(BOB, MEETING.meeting_id))
    harness.step_functions.end_last("ABORTED")
    harness.advance(minutes=61)
    assert (harness.sweep()["never_complete"], harness.sweep()) == (1, EMPTY_REPORT)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    given_up = {line["code"]: line["level"] for line in lines if line["message"] == "meeting_given_up"}
    assert given_up == {"NEVER_COMPLETE": "INFO", "MEDIA_FAILED": "ERROR"}
    swept = [line for line in lines if line["message"] == "meeting_sweep"]
    assert [(report["failed"], report["unfinished"]) for report in swept] == [(0, 0), (0, 0)], (
        "the alarms read these numbers"
    )
