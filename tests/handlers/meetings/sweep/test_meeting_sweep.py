"""No meeting waits for ever: what was lost is found, started, marked as it ended, or given up."""

import json
from typing import Any

import pytest

from handlers.common.aws.dynamodb_values import stored
from handlers.common.aws.workflow_executions import Executions
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.workflow_start import RecordingStarter
from tests.handlers.meetings.meeting_harness import ANN, BOB, CANARY, MEETING, TABLE, MeetingHarness

EMPTY_REPORT = dict.fromkeys(("checked", "started", "ended", "timed_out", "never_complete", "failed", "unfinished"), 0)


def upload_without_chunk(harness: MeetingHarness, meeting: MeetingId = MEETING) -> None:
    """A meeting that waits for a chunk."""
    harness.upload_complete_file(b"a", meeting=meeting)
    assert harness.deliver_event("complete.json", meeting) == []
    assert harness.state(meeting) == ("incomplete",)


def test_what_was_begun_just_now_is_not_even_read(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    harness.advance(minutes=14)
    with harness.record_calls() as calls:
        assert harness.sweep() == EMPTY_REPORT
    assert calls == ["Query"]


def test_what_runs_is_left_alone_until_it_is_due_again(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    harness.advance(minutes=16)
    harness.sweep()
    for _ in range(3):
        harness.advance(minutes=61)
        assert harness.sweep()["checked"] == 1
        assert harness.sweep()["checked"] == 0
    assert harness.state() == ("processing", "media")
    assert len(harness.step_functions.statuses) == 1


def test_what_was_never_started_is_started_by_the_next_sweep_that_can(harness: MeetingHarness) -> None:
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
    ("status", "steps", "reason"),
    [
        ("FAILED", (), "MEDIA_FAILED"),
        ("ABORTED", ("media",), "TRANSCRIPTION_FAILED"),
        ("FAILED", ("media", "transcribed"), "SUMMARY_FAILED"),
    ],
)
def test_what_ended_without_a_word_is_marked_as_it_ended(
    harness: MeetingHarness, status: str, steps: tuple[str, ...], reason: str
) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    for step in steps:
        harness.run_step(step, recording)
    harness.step_functions.end_last(status)
    harness.advance(minutes=61)
    assert harness.sweep()["ended"] == 1
    assert harness.state() == ("failed", reason)
    assert harness.due_sort_keys() == []
    assert harness.sweep() == EMPTY_REPORT


def test_what_took_too_long_timed_out(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    harness.step_functions.end_last("TIMED_OUT")
    harness.advance(minutes=61)
    assert harness.sweep()["timed_out"] == 1
    assert harness.state() == ("failed", "TIMED_OUT")


def test_what_ended_well_and_left_its_meeting_where_it_was_is_begun_anew(harness: MeetingHarness) -> None:
    """The job saw another content, which is gone again: nobody has an execution that this is about."""
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording, MediaOutcome.SUPERSEDED)
    harness.run_step("media", recording)
    harness.step_functions.end_last("SUCCEEDED")
    harness.advance(minutes=61)
    assert harness.sweep()["started"] == 1
    assert [execution_input["attempt"] for execution_input in harness.step_functions.inputs.values()] == [1, 2]
    assert harness.state() == ("processing", "media")


@pytest.mark.parametrize("ended", [True, False])
def test_what_comes_to_nothing_again_and_again_is_given_up(harness: MeetingHarness, *, ended: bool) -> None:
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


def test_what_is_done_while_the_sweep_looks_is_done(harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    status = Executions.status

    def then_it_ends(self: Executions, arn: str) -> Any:
        harness.run_step("finish", recording)
        harness.step_functions.end_last("SUCCEEDED")
        return status(self, arn)

    monkeypatch.setattr(Executions, "status", then_it_ends)
    harness.advance(minutes=61)
    assert (harness.sweep()["started"], harness.state()) == (0, ("ready",))


def test_chunks_are_waited_for_until_what_is_there_is_deleted(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    harness.advance(days=6, hours=23)
    assert harness.sweep()["never_complete"] == 0
    assert harness.state() == ("incomplete",)
    harness.advance(minutes=61)
    assert harness.sweep()["never_complete"] == 1
    assert harness.state() == ("failed", "NEVER_COMPLETE")
    assert harness.wrong_chunks() == {"0.webm": "missing"}, "it still says what was lacking"
    assert harness.due_sort_keys() == []


def test_a_chunk_that_nobody_announced_is_found(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    harness.upload_chunks(b"a")
    harness.advance(minutes=16)
    assert harness.sweep()["started"] == 1
    assert harness.state() == ("processing", "media")


def test_what_still_lacks_something_is_looked_at_a_few_times_a_day(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    looks = 0
    for _ in range(4 * 24):
        harness.advance(minutes=15)
        looks += harness.sweep()["checked"]
    assert 3 <= looks <= 5


def test_waiting_goes_on_from_when_it_began_whatever_arrives(harness: MeetingHarness) -> None:
    harness.upload_complete_file(b"a", b"b")
    harness.deliver_event("complete.json")
    harness.advance(days=6)
    harness.upload_chunks(b"a")
    harness.deliver_event("0.webm")
    harness.advance(days=1)
    assert harness.sweep()["never_complete"] == 1


def test_a_meeting_whose_complete_is_gone_too_is_given_up(harness: MeetingHarness) -> None:
    upload_without_chunk(harness)
    harness.s3.delete_object(Bucket="recordings", Key=MEETING.upload_key("complete.json"))
    harness.advance(days=1)
    assert harness.sweep()["checked"] == 1
    assert harness.state() == ("incomplete",)
    harness.advance(days=7)
    assert harness.sweep()["never_complete"] == 1


def test_what_is_found_by_mistake_is_taken_away(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording, MediaOutcome.NO_AUDIO)
    harness.run_step("media", recording)
    for meeting in (MEETING, MeetingId(BOB, MEETING.meeting_id)):
        key = {"user": "#open", "meetingId": f"2026-01-31T12:00:00.000Z#{meeting.user}#{meeting.meeting_id}"}
        harness.dynamodb.put_item(TableName=TABLE, Item=stored(key))
    before = harness.record()
    assert harness.sweep()["checked"] == 0
    harness.advance(minutes=1)
    assert harness.sweep()["checked"] == 2
    assert harness.due_sort_keys() == []
    assert harness.record() == before


def test_one_meetings_trouble_does_not_stop_the_others(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = MeetingId(BOB, MEETING.meeting_id)
    for meeting in (MEETING, other):
        upload_without_chunk(harness, meeting)
        harness.upload_chunks(b"a", meeting=meeting)
    look = RecordingStarter.process_upload

    def fails(self: RecordingStarter, meeting: MeetingId) -> Any:
        if meeting == MEETING:
            raise RuntimeError(CANARY)
        return look(self, meeting)

    harness.advance(minutes=16)
    with monkeypatch.context() as broken:
        broken.setattr(RecordingStarter, "process_upload", fails)
        swept = harness.sweep()
    assert (swept["checked"], swept["started"], swept["failed"]) == (2, 1, 1)
    assert harness.state(other) == ("processing", "media")
    said = capsys.readouterr().out
    assert "meeting_unattended" in said
    for secret in (CANARY, ANN, MEETING.meeting_id):
        assert secret not in said
    assert harness.sweep()["started"] == 1


def test_what_is_given_up_is_an_error_where_it_is_not_the_users(
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
    assert [(report["failed"], report["unfinished"]) for report in swept] == [(0, 0), (0, 0)], "what alarms read"
