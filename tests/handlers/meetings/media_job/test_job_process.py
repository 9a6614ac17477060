"""Tests of the media job's entry point: environment variables, SIGTERM, exit status and what it prints.

The first tests run it as a process that uses S3 of an emulator, the others within the process of the test.
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
from handlers.meetings.media_job.environment import RECORDING_VARIABLES, MediaDeployment
from handlers.meetings.media_result import MediaOutcome, MediaResult
from local import ROOT
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import BUCKET, MEETING, JobHarness

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("media_job")]

TIMEOUT_SECONDS = 60
"""Time limit for each wait of these tests."""


def job_variables(harness: JobHarness) -> dict[str, str]:
    """Return the environment variables of the job definition, and those that the workflow sets for each recording."""
    deployment = MediaDeployment(
        bucket_name=BUCKET, piece_seconds=1, scratch_folder=str(harness.folder), ffmpeg=str(harness.logging_ffmpeg)
    )
    recording_values = (MEETING.user, MEETING.meeting_id, harness.recording.content)
    return {**deployment.variables(), **dict(zip(RECORDING_VARIABLES, recording_values, strict=True))}


@dataclass(kw_only=True)
class JobProcess(JobHarness):
    """Harness that runs the job as a process, with the bucket of an emulator."""

    endpoint: str

    def start(self) -> "subprocess.Popen[str]":
        variables = {
            **job_variables(self),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": emulator.ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": emulator.ROOT_ACCESS_KEY,
            "POWERTOOLS_SERVICE_NAME": "media",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command, pipe = [sys.executable, "-m", "handlers.meetings.media_job"], subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=variables, text=True, stdout=pipe, stderr=pipe)  # noqa: S603

    def run_process(self) -> tuple[int, str, str]:
        """Run the process; return its exit status, standard output and standard error."""
        with self.start() as process:
            out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        return process.returncode, out, err

    def stored_outcome(self) -> MediaOutcome:
        """Outcome in the stored result."""
        return MediaResult.model_validate_json(self.read_object(self.recording.media_result_key)).outcome

    def job_folders(self) -> list[Path]:
        """Working folders that jobs have not deleted."""
        return list(self.folder.glob("media-*"))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an emulator that has the bucket."""
    with emulator.start(tmp_path_factory.mktemp("emulator")) as started:
        EmulatorClients(started.emulator.endpoint)("s3").create_bucket(Bucket=BUCKET)
        yield started.emulator.endpoint


@pytest.fixture
def job_process(endpoint: str, tmp_path: Path) -> JobProcess:
    """The harness with an empty bucket. All tests share the bucket, so the objects of earlier tests are deleted."""
    s3: Any = EmulatorClients(endpoint)("s3")
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    return JobProcess(s3, tmp_path, endpoint=endpoint)


def test_a_processed_recording_exits_with_0(job_process: JobProcess) -> None:
    job_process.upload(*sample_videos.chunked_video(3))
    status, out, err = job_process.run_process()
    assert (status, err) == (0, "")
    assert job_process.stored_outcome() is MediaOutcome.READY
    assert "media_done" in out
    secrets = (
        "canary",
        MEETING.user,
        MEETING.meeting_id,
        job_process.recording.content,
        f'"{emulator.ROOT_ACCESS_KEY}"',  # in quotes, because the key is a short word
    )
    assert [secret for secret in secrets if secret in out] == []
    assert job_process.job_folders() == []


def test_a_job_ends_at_sigterm_and_the_next_job_continues(job_process: JobProcess) -> None:
    job_process.upload(sample_videos.video_with_audio(3, *sample_videos.VP8, suffix="webm"))
    # The ffmpeg run that encodes the second piece writes its process id into a pipe, and is then very slow.
    pid_pipe = job_process.folder / "pid"
    os.mkfifo(pid_pipe)
    reader = os.open(pid_pipe, os.O_RDONLY | os.O_NONBLOCK)
    count_pieces = "pieces=$(grep -c libx264 $(dirname $0)/ffmpeg.log)"
    slow_down = f'case "$*" in *libx264*) [ $pieces = 2 ] && echo $$ > {pid_pipe} && set -- -readrate 0.001 "$@";; esac'
    script = job_process.logging_ffmpeg.read_text()
    job_process.logging_ffmpeg.write_text(script.replace("exec", f"{count_pieces}\n{slow_down}\nexec"))
    with job_process.start() as process:
        assert select.select([reader], [], [], TIMEOUT_SECONDS)[0], "the second piece was not started in time"
        ffmpeg_pid = int(os.read(reader, 100))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, err) == (128 + signal.SIGTERM, "")
    assert "media_stopped" in out
    with pytest.raises(ProcessLookupError):
        os.kill(ffmpeg_pid, 0)
    assert job_process.multipart_uploads() == []
    assert job_process.keys(job_process.recording.media_result_key) == []
    assert [key[-9:] for key in job_process.piece_keys()] == ["00000.mp4"]
    assert job_process.job_folders() == []

    earlier_runs = len(job_process.ffmpeg_runs)
    assert job_process.run_process()[::2] == (0, "")
    new_runs = job_process.ffmpeg_runs[earlier_runs:]
    assert job_process.stored_outcome() is MediaOutcome.READY
    assert len([run for run in new_runs if "libx264" in run]) == 3, "the first of four pieces must be reused"
    assert not [run for run in new_runs if "-c:a flac" in run], "the audio must be reused"
    assert job_process.runs_that_probe_chunks(earlier_runs) == [], "the properties of the chunks must be reused"


def run_main(harness: JobHarness, monkeypatch: pytest.MonkeyPatch, **changed_variables: str) -> int:
    """Run the entry point in this process, without signal handler and resource limits; return the exit status."""
    for name, value in {**job_variables(harness), **changed_variables}.items():
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
        "media job: AUDIO_PART_SECONDS: Input should be greater than or equal to 60",
        "media job: MEETING_USER: The text does not have the required form",
        "media job: CONTENT: The text does not have the required form",
    ]


KILLED_FFMPEG = "ffmpeg: was killed"


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
    harness.logging_ffmpeg.write_text("#!/bin/sh\nkill -KILL $$\n")
    assert run_main(harness, monkeypatch, **changed_variables) == 1
    out, err = capsys.readouterr()
    assert err == f"media job: {reason}\n"
    assert "media_failed" in out
    secrets = ("canary", MEETING.user, MEETING.meeting_id, harness.recording.content)
    assert [secret for secret in secrets if secret in out + err] == []
    assert harness.keys(harness.recording.media_result_key) == []


def test_the_runbook_explains_a_killed_ffmpeg() -> None:
    assert f"`{KILLED_FFMPEG}` means that memory ran out" in (ROOT / "docs/runbooks/meetings.md").read_text(
        encoding="utf-8"
    )
