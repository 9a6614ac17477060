"""Tests of the Lambda function through which the workflow changes a meeting: each step has its effect only once.

The step `media` reads the result of the media job, `transcribed` follows the transcription, and `finish` or `fail` ends
the meeting. Step Functions may repeat each of them. A newer execution has replaced a superseded execution.
The audio of a recording consists of parts, each with a transcript of its own.
"""

from typing import Any

import pytest

from handlers.meetings.metrics import FFMPEG_RATIO, PROCESSING_DURATION
from handlers.meetings.recording_files import MeetingReason
from handlers.meetings.s3_keys import Recording
from handlers.meetings.steps.handler import StepFailed
from tests.handlers.meetings.meeting_harness import ANN, CANARY, MEETING, MeetingHarness


@pytest.fixture
def recording(harness: MeetingHarness) -> Recording:
    return harness.upload_recording(b"a", b"b", language="de-DE")


def run_media_step(harness: MeetingHarness, recording: Recording) -> dict[str, Any]:
    """Run the step `media` after a successful media job; return its response."""
    harness.write_media_result(recording)
    return harness.run_step("media", recording)


def test_all_steps_make_a_meeting_ready(harness: MeetingHarness, recording: Recording) -> None:
    part = {"offsetMs": 0, "durationMs": 60_000}
    response = {"isCurrent": True, "audio": [part], "language": "de-DE", "durationMs": 60_000}
    assert run_media_step(harness, recording) == response
    assert harness.state() == ("processing", "transcription")
    assert harness.run_step("transcribed", recording)["isCurrent"]
    assert harness.state() == ("processing", "summary")
    harness.advance(minutes=10)
    assert harness.run_step("finish", recording, hasSummary=True)["isCurrent"]
    assert harness.state() == ("ready",)
    record = harness.record()
    assert (record.video_key, record.duration_ms) == (recording.video_key, 60_000)
    assert (record.transcript_key, record.summary_key) == (recording.transcript_key, recording.summary_key)
    assert harness.metric_values == [(FFMPEG_RATIO, 0.1), (PROCESSING_DURATION, 600)]
    for metric in harness.metrics:
        [dimension] = metric.dimensions
        assert (metric.namespace, dimension.name, dimension.value) == ("Polyphony/Meetings", "Stack", "dev")


def test_a_meeting_without_speech_is_ready_without_a_summary(harness: MeetingHarness, recording: Recording) -> None:
    run_media_step(harness, recording)
    harness.run_step("finish", recording, hasSummary=False)
    assert harness.state() == ("ready", "NOTHING_SAID")
    assert (harness.record().transcript_key, harness.record().summary_key) == (recording.transcript_key, None)


@pytest.mark.parametrize("has_video", [True, False])
def test_a_meeting_without_audio_is_ready_after_the_media_job(
    harness: MeetingHarness, recording: Recording, *, has_video: bool
) -> None:
    harness.write_media_result(recording, MeetingReason.NO_AUDIO, hasVideo=has_video, durationMs=60_000, ffmpegMs=600)
    harness.advance(minutes=1)
    assert harness.run_step("media", recording)["audio"] == []
    assert harness.state() == ("ready", "NO_AUDIO")
    assert harness.record().video_key == (recording.video_key if has_video else None)
    assert harness.record().transcript_key is None
    assert harness.metric_values == [(FFMPEG_RATIO, 0.01), (PROCESSING_DURATION, 60)]


@pytest.mark.parametrize("reason", [MeetingReason.INCOMPLETE, MeetingReason.UNREADABLE, MeetingReason.TOO_LARGE])
def test_a_recording_that_the_job_rejected_fails_with_its_reason_and_waits_for_complete_json(
    harness: MeetingHarness, recording: Recording, reason: MeetingReason
) -> None:
    """Starting the next job at once would give the same result, and each job costs money."""
    harness.write_media_result(recording, reason, wrong=[{"name": "canary-1.webm", "problem": "unreadable"}])
    for _ in range(2):  # the step is repeated
        assert harness.run_step("media", recording)["audio"] == []
        harness.deliver_event()
        assert (harness.state(), harness.wrong_files()) == (("failed", reason), {"canary-1.webm": "unreadable"})
    assert (harness.attempts, harness.metric_values) == ([1], [])
    harness.upload_recording(b"a", b"b")
    assert (harness.state(), harness.attempts) == (("processing", "media"), [1, 2])


def test_a_repeated_step_changes_nothing_and_returns_the_same_result(
    harness: MeetingHarness, recording: Recording
) -> None:
    harness.write_media_result(recording)
    for step in ("media", "transcribed", "finish"):
        first_response = harness.run_step(step, recording)
        before = harness.all_items()
        assert harness.run_step(step, recording) == first_response
        assert harness.all_items() == before
    assert all(harness.run_step(step, recording)["isCurrent"] for step in ("media", "transcribed", "fail"))
    assert harness.all_items() == before
    assert [name for name, _ in harness.metric_values] == [FFMPEG_RATIO, PROCESSING_DURATION]


@pytest.mark.parametrize("case", ["other chunks", "another attempt", "no record", "deleted"])
def test_a_step_of_an_outdated_execution_changes_nothing_and_ends_it(harness: MeetingHarness, case: str) -> None:
    recording = Recording(MEETING, "0" * 32) if case == "no record" else harness.upload_recording(b"a")
    harness.write_media_result(recording)
    if case == "other chunks":
        harness.upload_recording(b"b")
    if case == "another attempt":
        harness.run_step("fail", recording)
        harness.upload_recording(b"a")
    if case == "deleted":
        harness.delete_meeting()
    before = harness.all_items()
    for step in ("media", "transcribed", "finish", "fail"):
        response = harness.run_step(step, recording)
        assert (response["isCurrent"], response["audio"]) == (False, [])
    assert harness.all_items() == before
    assert harness.metric_values == []


@pytest.mark.parametrize("has_transcript", [True, False])
def test_a_failed_meeting_keeps_its_output(
    harness: MeetingHarness, recording: Recording, *, has_transcript: bool
) -> None:
    run_media_step(harness, recording)
    if has_transcript:
        harness.put_object(recording.transcript_key, b"{}")
    harness.put_object(f"{recording.transcript_key}x", b"{}")  # must not be taken for the transcript
    harness.run_step("fail", recording, reason="SUMMARY_FAILED")
    record = harness.record()
    assert record.video_key == recording.video_key
    assert record.transcript_key == (recording.transcript_key if has_transcript else None)


def test_a_failed_metrics_call_does_not_fail_the_step(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = harness.upload_recording(b"a")
    with harness.fail_calls("cloudwatch", "PutMetricData", RuntimeError(CANARY)):
        assert run_media_step(harness, recording)["isCurrent"]
    output = capsys.readouterr().out
    assert "metrics_lost" in output
    assert CANARY not in output


def test_an_invalid_event_or_media_result_is_rejected_without_quoting_it(
    harness: MeetingHarness, recording: Recording
) -> None:
    harness.write_media_result(recording, durationMs=-1)
    before = harness.all_items()
    events: list[dict[str, Any]] = [
        *({"step": "media"}, {"step": CANARY}, {"step": "finish", "user": "../x"}, {"step": "finish", "attempt": 0}),
        *({"step": "finish", "hasSummary": CANARY}, {"step": "fail", "reason": "NO_AUDIO"}),
    ]
    for event in events:
        with pytest.raises(StepFailed, match=r"^ValidationError$") as caught:
            harness.run_step(recording=recording, **event)
        assert caught.value.__context__ is None, "the original error contains the event or the result"
    with (
        harness.fail_calls("s3", "GetObject", RuntimeError(CANARY)),
        pytest.raises(StepFailed, match=r"^RuntimeError$"),
    ):
        harness.run_step("media", recording)
    assert harness.all_items() == before


def test_logs_have_the_number_of_interruptions_once_and_no_meeting_data(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    for _ in range(2):
        harness.run_step("media", recording, jobStarts=3)
    harness.run_step("fail", recording, reason="TRANSCRIPTION_FAILED", error=f"{CANARY} of {recording.video_key}")
    output = capsys.readouterr().out.replace(": ", ":")
    assert output.count('"interruptions":2') == 1
    assert '"cause":"unnamed"' in output, "the text of the error is not the name of a class"
    assert '"code":"TRANSCRIPTION_FAILED"' in output
    for secret in (CANARY, ANN, MEETING.meeting_id, recording.content):
        assert secret not in output
