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
from tests.handlers.meetings.meeting_harness import ANN, CANARY, MEETING, MeetingHarness

FAILURES = ("MEDIA_FAILED", "TRANSCRIPTION_FAILED", "SUMMARY_FAILED", "TIMED_OUT")


@pytest.fixture
def recording(harness: MeetingHarness) -> Recording:
    return harness.upload_recording(b"a", b"b", language="de-DE")


def finish_media_job(harness: MeetingHarness, recording: Recording) -> dict[str, Any]:
    harness.write_media_result(recording)
    return harness.run_step("media", recording)


def test_a_recording_that_can_be_heard_goes_on_to_transcription(harness: MeetingHarness, recording: Recording) -> None:
    assert finish_media_job(harness, recording) == {
        "outcome": "ready",
        "audio": [{"key": recording.audio_key(0), "offsetMs": 0, "durationMs": 60_000, "transcribed": False}],
        "language": "de-DE",
        "durationMs": 60_000,
    }
    assert harness.state() == ("processing", "transcription")
    assert harness.cloudwatch.values == [(FFMPEG_RATIO, 0.1)]


def test_a_part_that_was_transcribed_by_an_earlier_attempt_is_not_paid_for_again(
    harness: MeetingHarness, recording: Recording
) -> None:
    parts = [{"key": recording.audio_key(at), "offsetMs": at * 60_000, "durationMs": 60_000} for at in range(3)]
    harness.write_media_result(recording, audio=parts)
    harness.put_object(recording.part_transcript_key(0, "de-DE"), b"of a sound that was divided otherwise")
    harness.advance(minutes=1)
    for at in range(3):
        harness.put_object(recording.audio_key(at), b"sound")
    harness.put_object(recording.part_transcript_key(1, "de-DE"), b"what was said")
    told = harness.run_step("media", recording)["audio"]
    assert [part["transcribed"] for part in told] == [False, True, False]
    harness.put_object(recording.transcript_key, b"all that was said")
    assert all(part["transcribed"] for part in harness.run_step("media", recording)["audio"])


def test_a_part_that_was_heard_in_another_language_is_heard_anew(harness: MeetingHarness, recording: Recording) -> None:
    finish_media_job(harness, recording)
    harness.put_object(recording.audio_key(0), b"sound")
    harness.put_object(recording.part_transcript_key(0, "de-DE"), b"what was said, as German")
    harness.run_step("fail", recording, reason="TRANSCRIPTION_FAILED", error="TranscriptionFailed")
    harness.advance(minutes=1)
    harness.upload_complete_file(b"a", b"b", language="en-GB")
    harness.deliver_event("complete.json")
    told = harness.run_step("media", recording, 2)
    assert (told["language"], [part["transcribed"] for part in told["audio"]]) == ("en-GB", [False])
    harness.put_object(recording.part_transcript_key(0, "en-GB"), b"what was said")
    assert [part["transcribed"] for part in harness.run_step("media", recording, 2)["audio"]] == [True]


def test_a_meeting_goes_all_its_way(harness: MeetingHarness, recording: Recording) -> None:
    finish_media_job(harness, recording)
    assert harness.run_step("transcribed", recording) == {"outcome": "goes_on"}
    assert harness.state() == ("processing", "summary")
    harness.advance(minutes=10)
    assert harness.run_step("finish", recording, outcome="summarized") == {"outcome": "ready"}
    assert harness.state() == ("ready",)
    record = harness.record()
    assert (record.video_key, record.duration_ms) == (recording.video_key, 60_000)
    assert (record.transcript_key, record.summary_key) == (recording.transcript_key, recording.summary_key)
    assert harness.cloudwatch.values == [(FFMPEG_RATIO, 0.1), (PROCESSING_DURATION, 600)]
    assert harness.due_sort_keys() == []


def test_a_meeting_in_which_nothing_was_said_is_ready_without_a_summary(
    harness: MeetingHarness, recording: Recording
) -> None:
    finish_media_job(harness, recording)
    assert harness.run_step("finish", recording, outcome="nothing_said") == {"outcome": "ready"}
    assert harness.state() == ("ready", "NOTHING_SAID")
    assert (harness.record().transcript_key, harness.record().summary_key) == (recording.transcript_key, None)


def test_a_meeting_without_sound_is_ready_at_once(harness: MeetingHarness, recording: Recording) -> None:
    facts = {"videoKey": recording.video_key, "durationMs": 60_000, "ffmpegMs": 600}
    harness.write_media_result(recording, MediaOutcome.NO_AUDIO, **facts)
    harness.advance(minutes=1)
    assert harness.run_step("media", recording)["outcome"] == "no_audio"
    assert harness.state() == ("ready", "NO_AUDIO")
    assert (harness.record().video_key, harness.record().transcript_key) == (recording.video_key, None)
    assert harness.cloudwatch.values == [(FFMPEG_RATIO, 0.01), (PROCESSING_DURATION, 60)]
    [call] = harness.cloudwatch.calls
    assert call["Namespace"] == "Polyphony/Meetings"
    assert [metric["Dimensions"] for metric in call["MetricData"]] == [[{"Name": "Stack", "Value": "dev"}]] * 2


@pytest.mark.parametrize(
    ("outcome", "wrong"), [(MediaOutcome.UNREADABLE, {"1.webm": "unreadable"}), (MediaOutcome.TOO_LARGE, {})]
)
def test_a_recording_that_cannot_be_worked_on_says_why(
    harness: MeetingHarness, recording: Recording, outcome: MediaOutcome, wrong: dict[str, str]
) -> None:
    named = [{"name": name, "problem": problem} for name, problem in wrong.items()]
    harness.write_media_result(recording, outcome, wrong=named)
    assert harness.run_step("media", recording) == {"outcome": outcome, "audio": [], "language": "", "durationMs": 0}
    assert harness.state() == ("failed", outcome.upper())
    assert harness.wrong_chunks() == wrong
    assert harness.cloudwatch.calls == []


@pytest.mark.parametrize("name", ["1.webm", "complete.json"])
def test_what_the_job_refuses_again_and_again_is_begun_once(
    harness: MeetingHarness, recording: Recording, name: str
) -> None:
    """An archived chunk has the promised bytes in each list, and none of them can be read."""
    harness.write_media_result(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": name, "problem": "unreadable"}])
    for attempt in (1, 1, 2, 3):
        harness.advance(minutes=3)
        assert harness.run_step("media", recording, attempt)["outcome"] == "incomplete"
        harness.deliver_event(name)
    assert harness.state() == ("incomplete",)
    assert (harness.wrong_chunks(), harness.record().attempt) == ({name: "unreadable"}, 2)
    assert len(harness.step_functions.statuses) == 1


def test_the_same_bytes_uploaded_so_that_they_can_be_read_are_tried_again(
    harness: MeetingHarness, recording: Recording
) -> None:
    harness.write_media_result(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": "1.webm", "problem": "unreadable"}])
    harness.run_step("media", recording)
    harness.advance(minutes=3)
    harness.put_object(MEETING.upload_key("1.webm"), b"b")
    harness.deliver_event("1.webm")
    assert harness.state() == ("processing", "media")
    assert [execution_input["attempt"] for execution_input in harness.step_functions.inputs.values()] == [1, 2]


def test_a_chunk_that_came_while_the_job_worked_is_tried_at_once(harness: MeetingHarness, recording: Recording) -> None:
    harness.write_media_result(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": "1.webm", "problem": "hash"}])
    harness.put_object(MEETING.upload_key("1.webm"), b"c")
    assert harness.deliver_event("1.webm") == []
    assert harness.state() == ("processing", "media"), "nobody lacks it yet"
    for _ in range(2):
        assert harness.run_step("media", recording)["outcome"] == "incomplete"
        assert harness.state() == ("processing", "media")
    assert [execution_input["attempt"] for execution_input in harness.step_functions.inputs.values()] == [1, 2]


def test_a_start_that_fails_then_is_made_by_the_repeated_step(harness: MeetingHarness, recording: Recording) -> None:
    harness.write_media_result(recording, MediaOutcome.INCOMPLETE, wrong=[{"name": "1.webm", "problem": "hash"}])
    harness.put_object(MEETING.upload_key("1.webm"), b"c")
    harness.step_functions.next_starts.append("lost")
    with pytest.raises(StepFailed, match="NotStarted"):
        harness.run_step("media", recording)
    assert len(harness.step_functions.statuses) == 1
    assert harness.run_step("fail", recording, error="StepFailed") == {"outcome": "superseded"}
    assert harness.deliver_event("complete.json") == []
    assert [execution_input["attempt"] for execution_input in harness.step_functions.inputs.values()] == [1, 2]


def test_a_job_that_found_another_recording_marks_nothing(harness: MeetingHarness, recording: Recording) -> None:
    before = harness.record()
    harness.write_media_result(recording, MediaOutcome.SUPERSEDED)
    assert harness.run_step("media", recording)["outcome"] == "superseded"
    assert harness.record() == before


def test_no_step_is_told_twice_and_each_is_answered_the_same(harness: MeetingHarness, recording: Recording) -> None:
    harness.write_media_result(recording)
    steps: tuple[tuple[str, dict[str, Any]], ...] = (("media", {}), ("transcribed", {}), ("finish", {}))
    for step, more in steps:
        first = harness.run_step(step, recording, **more)
        before = harness.all_items()
        assert harness.run_step(step, recording, **more) == first
        assert harness.all_items() == before
    assert [name for name, _ in harness.cloudwatch.values] == [FFMPEG_RATIO, PROCESSING_DURATION]


def test_a_repeat_of_an_early_step_does_not_take_a_meeting_back(harness: MeetingHarness, recording: Recording) -> None:
    finish_media_job(harness, recording)
    harness.run_step("finish", recording)
    before = harness.record()
    assert harness.run_step("media", recording)["outcome"] == "ready"
    assert harness.run_step("transcribed", recording) == {"outcome": "goes_on"}
    assert harness.run_step("fail", recording) == {"outcome": "ready"}
    assert harness.record() == before


@pytest.mark.parametrize("step", ["media", "transcribed", "finish", "fail"])
@pytest.mark.parametrize("replaced", ["by another content", "by another attempt", "never there"])
def test_a_step_that_its_meeting_is_no_longer_about_changes_nothing_and_is_told_so(
    harness: MeetingHarness, step: str, replaced: str
) -> None:
    recording = Recording(MEETING, "0" * 32)
    if replaced != "never there":
        recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    if replaced == "by another content":
        harness.upload_recording(b"b")
    if replaced == "by another attempt":
        harness.run_step("fail", recording)
        harness.advance(minutes=1)
        harness.upload_recording(b"a")
    before = harness.all_items()
    assert harness.run_step(step, recording)["outcome"] == "superseded"
    assert harness.all_items() == before
    assert harness.cloudwatch.calls == []


@pytest.mark.parametrize("reason", FAILURES)
def test_a_failure_is_marked_with_its_reason_and_stays(
    harness: MeetingHarness, recording: Recording, reason: str
) -> None:
    assert harness.run_step("fail", recording, reason=reason, error="Batch.AWSBatchException") == {"outcome": "failed"}
    assert harness.run_step("fail", recording, reason="TIMED_OUT") == {"outcome": "failed"}
    assert harness.state() == ("failed", reason)
    assert harness.due_sort_keys() == []


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((), "MEDIA_FAILED"),
        (("media",), "TRANSCRIPTION_FAILED"),
        (("media", "transcribed"), "SUMMARY_FAILED"),
    ],
)
def test_a_failure_without_a_reason_is_its_stages(
    harness: MeetingHarness, recording: Recording, steps: tuple[str, ...], reason: str
) -> None:
    harness.write_media_result(recording)
    for step in steps:
        harness.run_step(step, recording)
    harness.run_step("fail", recording)
    assert harness.state() == ("failed", reason)


@pytest.mark.parametrize("written", [True, False])
def test_a_meeting_that_failed_keeps_what_was_made_of_it(
    harness: MeetingHarness, recording: Recording, *, written: bool
) -> None:
    finish_media_job(harness, recording)
    if written:
        harness.put_object(recording.transcript_key, b"{}")
    harness.put_object(f"{recording.transcript_key}x", b"{}")
    harness.run_step("fail", recording, reason="SUMMARY_FAILED")
    record = harness.record()
    assert record.video_key == recording.video_key
    assert record.transcript_key == (recording.transcript_key if written else None)


def test_what_failed_and_is_done_after_all_is_ready_with_all_that_is_there(
    harness: MeetingHarness, recording: Recording
) -> None:
    harness.write_media_result(recording)
    harness.run_step("fail", recording, reason="TIMED_OUT")
    assert harness.run_step("finish", recording) == {"outcome": "ready"}
    assert harness.state() == ("ready",)
    assert harness.record().video_key == recording.video_key


def test_a_job_that_said_nothing_is_a_failure_with_a_name(harness: MeetingHarness, recording: Recording) -> None:
    with pytest.raises(ResultMissing):
        harness.run_step("media", recording)
    assert harness.state() == ("processing", "media")


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
    harness: MeetingHarness, recording: Recording, changed: dict[str, Any]
) -> None:
    harness.write_media_result(recording)
    body = json.loads(harness.s3.get_object(Bucket="recordings", Key=recording.media_result_key)["Body"].read())
    harness.put_object(recording.media_result_key, json.dumps({**body, **changed}).encode())
    with pytest.raises(ResultMalformed) as refused:
        harness.run_step("media", recording)
    assert CANARY not in str(refused.value)


def test_a_number_that_is_lost_does_not_stop_a_meeting(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = harness.upload_recording(b"a")
    harness.cloudwatch.error = RuntimeError(CANARY)
    assert finish_media_job(harness, recording)["outcome"] == "ready"
    said = capsys.readouterr().out
    assert "metrics_lost" in said
    assert CANARY not in said


def test_how_often_the_job_lost_its_machine_is_told_once(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    for _ in range(2):
        harness.run_step("media", recording, attempts=3)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "media_read" in line]
    assert [line["interruptions"] for line in lines] == [2]


def test_a_clock_that_is_behind_the_buckets_makes_no_negative_time(harness: MeetingHarness) -> None:
    ahead = harness.now + timedelta(seconds=3)
    harness.put_object(MEETING.upload_key("0.webm"), b"a", came=ahead)
    complete = harness.upload_complete_file(b"a")
    harness.deliver_event("complete.json")
    recording = Recording(MEETING, complete.content)
    finish_media_job(harness, recording)
    harness.run_step("finish", recording)
    assert harness.cloudwatch.values[-1] == (PROCESSING_DURATION, 0)


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
    harness: MeetingHarness, recording: Recording, event: dict[str, Any]
) -> None:
    step = event or {"step": None}
    before = harness.all_items()
    with pytest.raises(StepFailed) as refused:
        harness.run_step(**{"step": "media", "recording": recording, **step})
    assert str(refused.value) == "ValidationError"
    assert refused.value.__context__ is None
    assert harness.all_items() == before


def test_what_aws_says_of_a_failure_stays_inside(
    harness: MeetingHarness, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(f"not authorized for {recording.media_result_key}")

    monkeypatch.setattr(WorkflowResults, "read_media_result", broken)
    with pytest.raises(StepFailed) as failed:
        harness.run_step("media", recording)
    assert str(failed.value) == "RuntimeError"
    assert failed.value.__context__ is None


def test_nothing_of_a_meeting_is_in_a_log(harness: MeetingHarness, capsys: pytest.CaptureFixture[str]) -> None:
    recording = harness.upload_recording(b"a")
    finish_media_job(harness, recording)
    harness.run_step("fail", recording, error=f"{CANARY} of {recording.video_key}")
    said = capsys.readouterr().out
    assert '"cause":"unnamed"' in said.replace(": ", ":")
    assert '"code":"TRANSCRIPTION_FAILED"' in said.replace(": ", ":")
    for secret in (CANARY, ANN, MEETING.meeting_id, recording.content):
        assert secret not in said
