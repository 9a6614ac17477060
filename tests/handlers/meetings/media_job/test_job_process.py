"""Tests of the media job's entry point: environment variables, exit status and output."""

import pytest

from handlers.meetings.media_job import __main__ as media_job
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import JobHarness
from tests.handlers.meetings.meeting_harness import MEETING

pytestmark = pytest.mark.media


def run_main(harness: JobHarness, monkeypatch: pytest.MonkeyPatch, **changed_variables: str) -> int:
    """Run the entry point in this process; return the exit status."""
    for name, value in {**harness.variables, **changed_variables}.items():
        monkeypatch.setenv(name, value)
    return media_job.main()


def test_a_job_exits_with_0_and_deletes_its_files(
    harness: JobHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.upload(sample_videos.audio_only(1))
    assert run_main(harness, monkeypatch) == 0
    assert list(harness.scratch.iterdir()) == []
    out, err = capsys.readouterr()
    assert "media_done" in out
    assert [secret for secret in secrets_of(harness) if secret in out + err] == []


def secrets_of(harness: JobHarness) -> tuple[str, ...]:
    """Texts that may be neither logged nor printed."""
    return ("canary", MEETING.user, MEETING.meeting_id, harness.recording.content)


@pytest.mark.parametrize(
    ("changed_variables", "reason"),
    [
        ({"BUCKET_NAME": "another-canary"}, "NoSuchBucket"),
        ({"FFMPEG": "/not/there/canary"}, "FileNotFoundError"),
        ({}, "FfmpegKilled"),
    ],
)
def test_a_failure_exits_with_1_and_names_the_reason(
    harness: JobHarness,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed_variables: dict[str, str],
    reason: str,
) -> None:
    harness.upload(sample_videos.audio_only(1))
    harness.program.write_text("#!/bin/sh\nkill -KILL $$\n")
    assert run_main(harness, monkeypatch, **changed_variables) == 1
    out, err = capsys.readouterr()
    assert "media_failed" in out
    assert f'"{reason}"' in out
    assert [secret for secret in secrets_of(harness) if secret in out + err] == []
    assert harness.keys(harness.recording.media_result_key) == []
