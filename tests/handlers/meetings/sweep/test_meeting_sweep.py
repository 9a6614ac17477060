"""No meeting waits for ever: what was lost is found, started, marked as it ended, or given up."""

import json
from typing import Any

import pytest

from handlers.common.aws.dynamodb_values import stored
from handlers.common.aws.workflow_executions import Executions
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.workflow_start import RecordingStarter
from tests.handlers.meetings.meeting_setup import ANN, BOB, CANARY, MEETING, TABLE, Stage

NOTHING = dict.fromkeys(("checked", "started", "ended", "timed_out", "never_complete", "failed", "unfinished"), 0)


def lacking(stage: Stage, meeting: MeetingId = MEETING) -> None:
    """A meeting that waits for a chunk."""
    stage.says(b"a", meeting=meeting)
    assert stage.arrives("complete.json", meeting) == []
    assert stage.stands(meeting) == ("incomplete",)


def test_what_was_begun_just_now_is_not_even_read(stage: Stage) -> None:
    stage.whole(b"a")
    stage.passes(minutes=14)
    with stage.counted() as calls:
        assert stage.sweeps() == NOTHING
    assert calls == ["Query"]


def test_what_runs_is_left_alone_until_it_is_due_again(stage: Stage) -> None:
    stage.whole(b"a")
    stage.passes(minutes=16)
    stage.sweeps()
    for _ in range(3):
        stage.passes(minutes=61)
        assert stage.sweeps()["checked"] == 1
        assert stage.sweeps()["checked"] == 0
    assert stage.stands() == ("processing", "media")
    assert len(stage.workflows.statuses) == 1


def test_what_was_never_started_is_started_by_the_next_sweep_that_can(stage: Stage) -> None:
    stage.uploads(b"a")
    stage.says(b"a")
    stage.workflows.fates.extend(["lost", "refused"])
    stage.arrives("complete.json")
    stage.passes(minutes=61)
    assert stage.sweeps()["failed"] == 1
    assert stage.sweeps()["started"] == 1
    assert list(stage.workflows.statuses.values()) == ["RUNNING"]
    assert stage.record().attempt == 1


@pytest.mark.parametrize(
    ("status", "steps", "reason"),
    [
        ("FAILED", (), "MEDIA_FAILED"),
        ("ABORTED", ("media",), "TRANSCRIPTION_FAILED"),
        ("FAILED", ("media", "transcribed"), "SUMMARY_FAILED"),
    ],
)
def test_what_ended_without_a_word_is_marked_as_it_ended(
    stage: Stage, status: str, steps: tuple[str, ...], reason: str
) -> None:
    recording = stage.whole(b"a")
    stage.makes(recording)
    for step in steps:
        stage.does(step, recording)
    stage.workflows.ends(status)
    stage.passes(minutes=61)
    assert stage.sweeps()["ended"] == 1
    assert stage.stands() == ("failed", reason)
    assert stage.open() == []
    assert stage.sweeps() == NOTHING


def test_what_took_too_long_timed_out(stage: Stage) -> None:
    stage.whole(b"a")
    stage.workflows.ends("TIMED_OUT")
    stage.passes(minutes=61)
    assert stage.sweeps()["timed_out"] == 1
    assert stage.stands() == ("failed", "TIMED_OUT")


def test_what_ended_well_and_left_its_meeting_where_it_was_is_begun_anew(stage: Stage) -> None:
    """The job saw another content, which is gone again: nobody has an execution that this is about."""
    recording = stage.whole(b"a")
    stage.makes(recording, MediaOutcome.SUPERSEDED)
    stage.does("media", recording)
    stage.workflows.ends("SUCCEEDED")
    stage.passes(minutes=61)
    assert stage.sweeps()["started"] == 1
    assert [execution_input["attempt"] for execution_input in stage.workflows.inputs.values()] == [1, 2]
    assert stage.stands() == ("processing", "media")


@pytest.mark.parametrize("ended", [True, False])
def test_what_comes_to_nothing_again_and_again_is_given_up(stage: Stage, *, ended: bool) -> None:
    stage.uploads(b"a")
    stage.says(b"a")
    if not ended:
        stage.workflows.fates.append("lost")
    stage.arrives("complete.json")
    for _ in range(14):
        if ended:
            stage.workflows.ends("SUCCEEDED")
        else:
            stage.workflows.statuses.clear()
        stage.passes(hours=4)
        stage.sweeps()
    assert stage.stands() == ("failed", "TIMED_OUT")
    assert stage.open() == []
    assert len(stage.workflows.inputs) <= 13


def test_what_is_done_while_the_sweep_looks_is_done(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = stage.whole(b"a")
    stage.makes(recording)
    status = Executions.status

    def then_it_ends(self: Executions, arn: str) -> Any:
        stage.does("finish", recording)
        stage.workflows.ends("SUCCEEDED")
        return status(self, arn)

    monkeypatch.setattr(Executions, "status", then_it_ends)
    stage.passes(minutes=61)
    assert (stage.sweeps()["started"], stage.stands()) == (0, ("ready",))


def test_chunks_are_waited_for_until_what_is_there_is_deleted(stage: Stage) -> None:
    lacking(stage)
    stage.passes(days=6, hours=23)
    assert stage.sweeps()["never_complete"] == 0
    assert stage.stands() == ("incomplete",)
    stage.passes(minutes=61)
    assert stage.sweeps()["never_complete"] == 1
    assert stage.stands() == ("failed", "NEVER_COMPLETE")
    assert stage.wrong() == {"0.webm": "missing"}, "it still says what was lacking"
    assert stage.open() == []


def test_a_chunk_that_nobody_announced_is_found(stage: Stage) -> None:
    lacking(stage)
    stage.uploads(b"a")
    stage.passes(minutes=16)
    assert stage.sweeps()["started"] == 1
    assert stage.stands() == ("processing", "media")


def test_what_still_lacks_something_is_looked_at_a_few_times_a_day(stage: Stage) -> None:
    lacking(stage)
    looks = 0
    for _ in range(4 * 24):
        stage.passes(minutes=15)
        looks += stage.sweeps()["checked"]
    assert 3 <= looks <= 5


def test_waiting_goes_on_from_when_it_began_whatever_arrives(stage: Stage) -> None:
    stage.says(b"a", b"b")
    stage.arrives("complete.json")
    stage.passes(days=6)
    stage.uploads(b"a")
    stage.arrives("0.webm")
    stage.passes(days=1)
    assert stage.sweeps()["never_complete"] == 1


def test_a_meeting_whose_complete_is_gone_too_is_given_up(stage: Stage) -> None:
    lacking(stage)
    stage.s3.delete_object(Bucket="recordings", Key=MEETING.upload_key("complete.json"))
    stage.passes(days=1)
    assert stage.sweeps()["checked"] == 1
    assert stage.stands() == ("incomplete",)
    stage.passes(days=7)
    assert stage.sweeps()["never_complete"] == 1


def test_what_is_found_by_mistake_is_taken_away(stage: Stage) -> None:
    recording = stage.whole(b"a")
    stage.makes(recording, MediaOutcome.NO_AUDIO)
    stage.does("media", recording)
    for meeting in (MEETING, MeetingId(BOB, MEETING.meeting_id)):
        key = {"user": "#open", "meetingId": f"2026-01-31T12:00:00.000Z#{meeting.user}#{meeting.meeting_id}"}
        stage.dynamodb.put_item(TableName=TABLE, Item=stored(key))
    before = stage.record()
    assert stage.sweeps()["checked"] == 0
    stage.passes(minutes=1)
    assert stage.sweeps()["checked"] == 2
    assert stage.open() == []
    assert stage.record() == before


def test_one_meetings_trouble_does_not_stop_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = MeetingId(BOB, MEETING.meeting_id)
    for meeting in (MEETING, other):
        lacking(stage, meeting)
        stage.uploads(b"a", meeting=meeting)
    look = RecordingStarter.process_upload

    def fails(self: RecordingStarter, meeting: MeetingId) -> Any:
        if meeting == MEETING:
            raise RuntimeError(CANARY)
        return look(self, meeting)

    stage.passes(minutes=16)
    with monkeypatch.context() as broken:
        broken.setattr(RecordingStarter, "process_upload", fails)
        swept = stage.sweeps()
    assert (swept["checked"], swept["started"], swept["failed"]) == (2, 1, 1)
    assert stage.stands(other) == ("processing", "media")
    said = capsys.readouterr().out
    assert "meeting_unattended" in said
    for secret in (CANARY, ANN, MEETING.meeting_id):
        assert secret not in said
    assert stage.sweeps()["started"] == 1


def test_what_is_given_up_is_an_error_where_it_is_not_the_users(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking(stage)
    stage.passes(days=7, minutes=1)
    stage.whole(b"a", meeting=MeetingId(BOB, MEETING.meeting_id))
    stage.workflows.ends("ABORTED")
    stage.passes(minutes=61)
    assert (stage.sweeps()["never_complete"], stage.sweeps()) == (1, NOTHING)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    given_up = {line["code"]: line["level"] for line in lines if line["message"] == "meeting_given_up"}
    assert given_up == {"NEVER_COMPLETE": "INFO", "MEDIA_FAILED": "ERROR"}
    swept = [line for line in lines if line["message"] == "meeting_sweep"]
    assert [(report["failed"], report["unfinished"]) for report in swept] == [(0, 0), (0, 0)], "what alarms read"
