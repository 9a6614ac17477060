"""Tests of the media job's entry point: environment variables, SIGTERM, exit status and what it prints.

The first test runs it as a process that uses S3 of an emulator, the others within the process of the test.
"""

import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handlers.meetings.media_job import __main__ as media_job
from handlers.meetings.media_result import MediaOutcome, MediaResult
from local import ROOT
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import JobHarness
from tests.handlers.meetings.meeting_harness import BUCKET, MEETING

pytestmark = pytest.mark.media

TIMEOUT_SECONDS = 60
"""Time limit for each wait of these tests."""
KILLED_FFMPEG = "ffmpeg: was killed"


@dataclass(kw_only=True)
class JobProcess(JobHarness):
    """Harness that runs the job as a process, with the bucket of an emulator."""

    endpoint: str

    def start(self) -> "subprocess.Popen[str]":
        variables = {
            **self.variables,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": emulator.ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": emulator.ROOT_ACCESS_KEY,
            "POWERTOOLS_SERVICE_NAME": "media",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command, pipe = [sys.executable, "-m", "handlers.meetings.media_job"], subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=variables, text=True, stdout=pipe, stderr=pipe)  # noqa: S603

    def run_process(self) -> None:
        """Run the process to the end of the recording, and check its exit status, files and what it printed."""
        with self.start() as process:
            out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        assert (process.returncode, err, list(self.scratch.iterdir())) == (0, "", [])
        result = MediaResult.model_validate_json(self.read_object(self.recording.media_result_key))
        assert result.outcome is MediaOutcome.READY
        assert "media_done" in out
        key_in_quotes = f'"{emulator.ROOT_ACCESS_KEY}"'  # the key alone is a short word
        secrets = ("canary", MEETING.user, MEETING.meeting_id, self.recording.content, key_in_quotes)
        assert [secret for secret in secrets if secret in out] == []


@pytest.fixture
def job_process(tmp_path: Path) -> Iterator[JobProcess]:
    """The harness, with the bucket of an emulator."""
    with emulator.start(tmp_path / "emulator") as started:
        s3: Any = EmulatorClients(started.emulator.endpoint)("s3")
        s3.create_bucket(Bucket=BUCKET)
        yield JobProcess(s3, tmp_path, endpoint=started.emulator.endpoint)


def test_a_job_ends_at_sigterm_and_the_next_job_starts_again(job_process: JobProcess) -> None:
    job_process.upload(sample_videos.video_with_audio(3, *sample_videos.VP8, suffix="webm"))
    # The ffmpeg run that encodes the video is very slow, and reports to a pipe that it has begun.
    pid_file, progress = job_process.folder / "pid", job_process.folder / "progress"
    os.mkfifo(progress)
    reader, script = os.open(progress, os.O_RDONLY | os.O_NONBLOCK), job_process.program.read_text()
    slow_down = f'echo $$ > {pid_file}; set -- -readrate 0.001 -progress {progress} "$@"'
    job_process.program.write_text(script.replace("exec", f'case "$*" in *libx264*) {slow_down};; esac\nexec'))
    with job_process.start() as process:
        assert select.select([reader], [], [], TIMEOUT_SECONDS)[0], "the video was not encoded in time"
        ffmpeg_pid = int(pid_file.read_text())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, err, list(job_process.scratch.iterdir())) == (128 + signal.SIGTERM, "", [])
    with pytest.raises(ProcessLookupError):
        os.kill(ffmpeg_pid, 0)
    assert job_process.recording.media_result_key not in job_process.keys("work/")
    job_process.program.write_text(script)
    job_process.run_process()


def run_main(harness: JobHarness, monkeypatch: pytest.MonkeyPatch, **changed_variables: str) -> int:
    """Run the entry point in this process, without signal handler and resource limits; return the exit status."""
    for name, value in {**harness.variables, **changed_variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    return media_job.main()


def test_invalid_variables_exit_with_2_and_name_the_problem(
    harness: JobHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.upload(b"x")
    invalid_variables = {"CONTENT": "../canary", "MEETING_USER": "canary" * 6, "AUDIO_PART_SECONDS": "1"}
    assert run_main(harness, monkeypatch, **invalid_variables) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "media job: AUDIO_PART_SECONDS: must be greater than or equal to 60",
        "media job: MEETING_USER: must match pattern '^[A-Z2-7]{32}$'",
        "media job: CONTENT: must match pattern '^[0-9a-f]{32}$'",
    ]


@pytest.mark.parametrize(
    ("changed_variables", "reason"),
    [
        ({"BUCKET_NAME": "another-canary"}, "AWS: NoSuchBucket"),
        ({"SCRATCH_FOLDER": "/not/there/canary"}, "FileNotFoundError 2"),
        ({}, KILLED_FFMPEG),
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
    assert err == f"media job: {reason}\n"
    assert "media_failed" in out
    secrets = ("canary", MEETING.user, MEETING.meeting_id, harness.recording.content)
    assert [secret for secret in secrets if secret in out + err] == []
    assert harness.keys(harness.recording.media_result_key) == []
