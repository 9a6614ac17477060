"""What the workflow's steps do to a meeting, tell, and answer: once, however often they are made."""

import json
from datetime import timedelta
from typing import Any

import pytest

from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.metrics import FFMPEG_RATIO, PROCESSING_DURATION
from handlers.meetings.s3_keys import Recording
from handlers.meetings.workflow_steps.handler import StepFailed
from handlers.meetings.workflow_steps.workflow_results import ResultMalformed, ResultMissing, WorkflowResults
from tests.handlers.meetings.meeting_setup import ANN, CANARY, MEETING, Stage

FAILURES = ("MEDIA_FAILED", "TRANSCRIPTION_FAILED", "SUMMARY_FAILED", "TIMED_OUT")


@pytest.fixture
def recording(stage: Stage) -> Recording:
    return stage.whole(b"a", b"b", language="de-DE")


def made(stage: Stage, recording: Recording) -> dict[str, Any]:
    stage.makes(recording)
    return stage.does("media", recording)


def test_a_recording_that_can_be_heard_goes_on_to_transcription(stage: Stage, recording: Recording) -> None:
    assert made(stage, recording) == {
        "outcome": "ready",
        "audio": [{"key": recording.audio_key(0), "offsetMs": 0, "durationMs": 60_000, "transcribed": False}],
        "language": "de-DE",
        "durationMs": 60_000,
    }
    assert stage.stands() == ("processing", "transcription")
    assert stage.told.numbers == [(FFMPEG_RATIO, 0.1)]


def test_a_part_that_was_transcribed_by_an_earlier_attempt_is_not_paid_for_again(
    stage: Stage, recording: Recording
) -> None:
    parts = [{"key": recording.audio_key(at), "offsetMs": at * 60_000, "durationMs": 60_000} for at in range(3)]
    stage.makes(recording, audio=parts)
    stage.put(recording.part_transcript_key(0, "de-DE"), b"of a sound that was divided otherwise")
    stage.passes(minutes=1)
    for at in range(3):
        stage.put(recording.audio_key(at), b"sound")
    stage.put(recording.part_transcript_key(1, "de-DE"), b"what was said")
    told = stage.does("media", recording)["audio"]
    assert [part["transcribed"] for part in told] == [False, True, False]
    stage.put(recording.transcript_key, b"all that was said")
    assert all(part["transcribed"] for part in stage.does("media", recording)["audio"])


def test_a_part_that_was_heard_in_another_language_is_heard_anew(stage: Stage, recording: Recording) -> None:
    made(stage, recording)
    stage.put(recording.audio_key(0), b"sound")
    stage.put(recording.part_transcript_key(0, "de-DE"), b"what was said, as German")
    stage.does("fail", recording, reason="TRANSCRIPTION_FAILED", error="TranscriptionFailed")
    stage.passes(minutes=1)
    stage.says(b"a", b"b", language="en-GB")
    stage.arrives("complete.json")
    told = stage.does("media", recording, 2)
    assert (told["language"], [part["transcribed"] for part in told["audio"]]) == ("en-GB", [False])
    stage.put(recording.part_transcript_key(0, "en-GB"), b"what was said")
    assert [part["transcribed"] for part in stage.does("media", recording, 2)["audio"]] == [True]


def test_a_meeting_goes_all_its_way(stage: Stage, recording: Recording) -> None:
    made(stage, recording)
    assert stage.does("transcribed", recording) == {"outcome": "goes_on"}
    assert stage.stands() == ("processing", "summary")
    stage.passes(minutes=10)
    assert stage.does("finish", recording, outcome="summarized") == {"outcome": "ready"}
    assert stage.stands() == ("ready",)
    record = stage.record()
    assert (record.video_key, record.duration_ms) == (recording.video_key, 60_000)
    assert (record.transcript_key, record.summary_key) == (recording.transcript_key, recording.summary_key)
    assert stage.told.numbers == [(FFMPEG_RATIO, 0.1), (PROCESSING_DURATION, 600)]
    assert stage.open() == []


def test_a_meeting_in_which_nothing_was_said_is_ready_without_a_summary(stage: Stage, recording: Recording) -> None:
    made(stage, recording)
    assert stage.does("finish", recording, outcome="nothing_said") == {"outcome": "ready"}
    assert stage.stands() == ("ready", "NOTHING_SAID")
    assert (stage.record().transcript_key, stage.record().summary_key) == (recording.transcript_key, None)


def test_a_meeting_without_sound_is_ready_at_once(stage: Stage, recording: Recording) -> None:
    facts = {"videoKey": recording.video_key, "durationMs": 60_000, "ffmpegMs": 600}
    stage.makes(recording, MediaOutcome.NO_AUDIO, **facts)
    stage.passes(minutes=1)
    assert stage.does("media", recording)["outcome"] == "no_audio"
    assert stage.stands() == ("ready", "NO_AUDIO")
    assert (stage.record().video_key, stage.record().transcript_key) == (recording.video_key, None)
    assert stage.told.numbers == [(FFMPEG_RATIO, 0.01), (PROCESSING_DURATION, 60)]
    [call] = stage.told.calls
    assert call["Namespace"] == "Polyphony/Meetings"
    assert [metric["Dimensions"] for metric in call["MetricData"]] == [[{"Name": "Stack", "Value": "dev"}]] * 2


@pytest.mark.parametrize(
    ("outcome", "wrong"), [(MediaOutcome.UNREADABLE, {"1.webm": "unreadable"}), (MediaOutcome.TOO_LARGE, {})]
)
def test_a_recording_that_cannot_be_worked_on_says_why(
    stage: Stage, recording: Recording, outcome: MediaOutcome, wrong: dict[str, str]
) -> None:
    named = [{"name": name, "problem": problem} for name, problem in wrong.items()]
    stage.makes(recording, outcome, wrong=named)
    assert stage.does("media", recording) == {"outcome": outcome, "audio": [], "language": "", "durationMs": 0}
    assert stage.stands() == ("failed", outcome.upper())
    assert stage.wrong() == wrong
    assert stage.told.calls == []


@pytest.mark.parametrize("name", ["1.webm", "complete.json"])
def test_what_the_job_refuses_again_and_again_is_begun_once(stage: Stage, recording: Recording, name: str) -> None:
    """An archived chunk has the promised bytes in each list, and none of them can be read."""
    stage.makes(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": name, "problem": "unreadable"}])
    for attempt in (1, 1, 2, 3):
        stage.passes(minutes=3)
        assert stage.does("media", recording, attempt)["outcome"] == "incomplete"
        stage.arrives(name)
    assert stage.stands() == ("incomplete",)
    assert (stage.wrong(), stage.record().attempt) == ({name: "unreadable"}, 2)
    assert len(stage.workflows.statuses) == 1


def test_the_same_bytes_uploaded_so_that_they_can_be_read_are_tried_again(stage: Stage, recording: Recording) -> None:
    stage.makes(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": "1.webm", "problem": "unreadable"}])
    stage.does("media", recording)
    stage.passes(minutes=3)
    stage.put(MEETING.upload_key("1.webm"), b"b")
    stage.arrives("1.webm")
    assert stage.stands() == ("processing", "media")
    assert [execution_input["attempt"] for execution_input in stage.workflows.inputs.values()] == [1, 2]


def test_a_chunk_that_came_while_the_job_worked_is_tried_at_once(stage: Stage, recording: Recording) -> None:
    stage.makes(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": "1.webm", "problem": "hash"}])
    stage.put(MEETING.upload_key("1.webm"), b"c")
    assert stage.arrives("1.webm") == []
    assert stage.stands() == ("processing", "media"), "nobody lacks it yet"
    for _ in range(2):
        assert stage.does("media", recording)["outcome"] == "incomplete"
        assert stage.stands() == ("processing", "media")
    assert [execution_input["attempt"] for execution_input in stage.workflows.inputs.values()] == [1, 2]


def test_a_start_that_fails_then_is_made_by_the_repeated_step(stage: Stage, recording: Recording) -> None:
    stage.makes(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": "1.webm", "problem": "hash"}])
    stage.put(MEETING.upload_key("1.webm"), b"c")
    stage.workflows.fates.append("lost")
    with pytest.raises(StepFailed, match="NotStarted"):
        stage.does("media", recording)
    assert len(stage.workflows.statuses) == 1
    assert stage.does("fail", recording, error="StepFailed") == {"outcome": "superseded"}
    assert stage.arrives("complete.json") == []
    assert [execution_input["attempt"] for execution_input in stage.workflows.inputs.values()] == [1, 2]


def test_a_job_that_found_another_recording_marks_nothing(stage: Stage, recording: Recording) -> None:
    before = stage.record()
    stage.makes(recording, MediaOutcome.SUPERSEDED)
    assert stage.does("media", recording)["outcome"] == "superseded"
    assert stage.record() == before


def test_no_step_is_told_twice_and_each_is_answered_the_same(stage: Stage, recording: Recording) -> None:
    stage.makes(recording)
    steps: tuple[tuple[str, dict[str, Any]], ...] = (("media", {}), ("transcribed", {}), ("finish", {}))
    for step, more in steps:
        first = stage.does(step, recording, **more)
        before = stage.stored()
        assert stage.does(step, recording, **more) == first
        assert stage.stored() == before
    assert [name for name, _ in stage.told.numbers] == [FFMPEG_RATIO, PROCESSING_DURATION]


def test_a_repeat_of_an_early_step_does_not_take_a_meeting_back(stage: Stage, recording: Recording) -> None:
    made(stage, recording)
    stage.does("finish", recording)
    before = stage.record()
    assert stage.does("media", recording)["outcome"] == "ready"
    assert stage.does("transcribed", recording) == {"outcome": "goes_on"}
    assert stage.does("fail", recording) == {"outcome": "ready"}
    assert stage.record() == before


@pytest.mark.parametrize("step", ["media", "transcribed", "finish", "fail"])
@pytest.mark.parametrize("replaced", ["by another content", "by another attempt", "never there"])
def test_a_step_that_its_meeting_is_no_longer_about_changes_nothing_and_is_told_so(
    stage: Stage, step: str, replaced: str
) -> None:
    recording = Recording(MEETING, "0" * 32)
    if replaced != "never there":
        recording = stage.whole(b"a")
    stage.makes(recording)
    if replaced == "by another content":
        stage.whole(b"b")
    if replaced == "by another attempt":
        stage.does("fail", recording)
        stage.passes(minutes=1)
        stage.whole(b"a")
    before = stage.stored()
    assert stage.does(step, recording)["outcome"] == "superseded"
    assert stage.stored() == before
    assert stage.told.calls == []


@pytest.mark.parametrize("reason", FAILURES)
def test_a_failure_is_marked_with_its_reason_and_stays(stage: Stage, recording: Recording, reason: str) -> None:
    assert stage.does("fail", recording, reason=reason, error="Batch.AWSBatchException") == {"outcome": "failed"}
    assert stage.does("fail", recording, reason="TIMED_OUT") == {"outcome": "failed"}
    assert stage.stands() == ("failed", reason)
    assert stage.open() == []


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((), "MEDIA_FAILED"),
        (("media",), "TRANSCRIPTION_FAILED"),
        (("media", "transcribed"), "SUMMARY_FAILED"),
    ],
)
def test_a_failure_without_a_reason_is_its_stages(
    stage: Stage, recording: Recording, steps: tuple[str, ...], reason: str
) -> None:
    stage.makes(recording)
    for step in steps:
        stage.does(step, recording)
    stage.does("fail", recording)
    assert stage.stands() == ("failed", reason)


@pytest.mark.parametrize("written", [True, False])
def test_a_meeting_that_failed_keeps_what_was_made_of_it(stage: Stage, recording: Recording, *, written: bool) -> None:
    made(stage, recording)
    if written:
        stage.put(recording.transcript_key, b"{}")
    stage.put(f"{recording.transcript_key}x", b"{}")
    stage.does("fail", recording, reason="SUMMARY_FAILED")
    record = stage.record()
    assert record.video_key == recording.video_key
    assert record.transcript_key == (recording.transcript_key if written else None)


def test_what_failed_and_is_done_after_all_is_ready_with_all_that_is_there(stage: Stage, recording: Recording) -> None:
    stage.makes(recording)
    stage.does("fail", recording, reason="TIMED_OUT")
    assert stage.does("finish", recording) == {"outcome": "ready"}
    assert stage.stands() == ("ready",)
    assert stage.record().video_key == recording.video_key


def test_a_job_that_said_nothing_is_a_failure_with_a_name(stage: Stage, recording: Recording) -> None:
    with pytest.raises(ResultMissing):
        stage.does("media", recording)
    assert stage.stands() == ("processing", "media")


@pytest.mark.parametrize(
    "changed",
    [
        {"schemaVersion": 2},
        {"outcome": CANARY},
        {"audio": []},
        {"audio": [{"key": "audio/canary", "offsetMs": 0, "durationMs": 1}]},
        {"videoKey": "video/canary"},
        {"durationMs": -1},
        {"outcome": "no_audio"},
        {"ignored": " " * 5 * 1024 * 1024},
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_a_result_that_is_not_the_recordings_own_is_not_believed(
    stage: Stage, recording: Recording, changed: dict[str, Any]
) -> None:
    stage.makes(recording)
    body = json.loads(stage.s3.get_object(Bucket="recordings", Key=recording.media_result_key)["Body"].read())
    stage.put(recording.media_result_key, json.dumps({**body, **changed}).encode())
    with pytest.raises(ResultMalformed) as refused:
        stage.does("media", recording)
    assert CANARY not in str(refused.value)


def test_a_number_that_is_lost_does_not_stop_a_meeting(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    recording = stage.whole(b"a")
    stage.told.failing = RuntimeError(CANARY)
    assert made(stage, recording)["outcome"] == "ready"
    said = capsys.readouterr().out
    assert "metrics_lost" in said
    assert CANARY not in said


def test_how_often_the_job_lost_its_machine_is_told_once(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    recording = stage.whole(b"a")
    stage.makes(recording)
    for _ in range(2):
        stage.does("media", recording, attempts=3)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "media_read" in line]
    assert [line["interruptions"] for line in lines] == [2]


def test_a_clock_that_is_behind_the_buckets_makes_no_negative_time(stage: Stage) -> None:
    ahead = stage.now + timedelta(seconds=3)
    stage.put(MEETING.upload_key("0.webm"), b"a", came=ahead)
    complete = stage.says(b"a")
    stage.arrives("complete.json")
    recording = Recording(MEETING, complete.content)
    made(stage, recording)
    stage.does("finish", recording)
    assert stage.told.numbers[-1] == (PROCESSING_DURATION, 0)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"step": "canary"},
        {"user": "../x"},
        {"user": "#open"},
        {"meetingId": CANARY},
        {"content": "x"},
        {"attempt": 0},
        {"attempt": CANARY},
        {"step": "fail", "reason": "NO_AUDIO"},
        {"step": "fail", "reason": CANARY},
        {"step": "finish", "outcome": CANARY},
    ],
)
def test_an_event_that_is_no_steps_is_refused_and_not_quoted(
    stage: Stage, recording: Recording, event: dict[str, Any]
) -> None:
    step = event or {"step": None}
    before = stage.stored()
    with pytest.raises(StepFailed) as refused:
        stage.does(**{"step": "media", "recording": recording, **step})
    assert str(refused.value) == "ValidationError"
    assert refused.value.__context__ is None
    assert stage.stored() == before


def test_what_aws_says_of_a_failure_stays_inside(
    stage: Stage, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(f"not authorized for {recording.media_result_key}")

    monkeypatch.setattr(WorkflowResults, "read_media_result", broken)
    with pytest.raises(StepFailed) as failed:
        stage.does("media", recording)
    assert str(failed.value) == "RuntimeError"
    assert failed.value.__context__ is None


def test_nothing_of_a_meeting_is_in_a_log(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    recording = stage.whole(b"a")
    made(stage, recording)
    stage.does("fail", recording, error=f"{CANARY} of {recording.video_key}")
    said = capsys.readouterr().out
    assert '"cause":"unnamed"' in said.replace(": ", ":")
    assert '"code":"TRANSCRIPTION_FAILED"' in said.replace(": ", ":")
    for secret in (CANARY, ANN, MEETING.meeting_id, recording.content):
        assert secret not in said
