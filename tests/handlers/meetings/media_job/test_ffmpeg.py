"""Tests of ffmpeg runs: their environment, their end, and their termination with the job."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.job_termination import JobTerminated, JobTermination


def fake_ffmpeg(folder: Path, script: str, termination: JobTermination | None = None, **options: Any) -> Ffmpeg:
    """Return an Ffmpeg that runs a shell script instead of ffmpeg."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Ffmpeg(os.fspath(path), folder, termination or JobTermination(), **options)


def test_ffmpeg_does_not_receive_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    fake_ffmpeg(tmp_path, "/usr/bin/env > environment").run()
    assert "canary" not in (tmp_path / "environment").read_text()


def test_an_exit_code_of_ffmpeg_blames_the_input_but_a_signal_or_a_failed_start_does_not(tmp_path: Path) -> None:
    with pytest.raises(InputRefused):
        fake_ffmpeg(tmp_path, "exit 69").run()
    with pytest.raises(FfmpegFailed):
        fake_ffmpeg(tmp_path, "kill -SEGV $$").run()
    with pytest.raises(FfmpegFailed):
        Ffmpeg("/not/there", tmp_path, JobTermination()).run()


def test_a_run_beyond_its_time_limit_is_killed(tmp_path: Path) -> None:
    with pytest.raises(InputRefused), fake_ffmpeg(tmp_path, "exec sleep 60").start(seconds=0.05):
        pass


def test_a_run_is_killed_if_its_block_raises_an_exception(tmp_path: Path) -> None:
    with pytest.raises(KeyError), fake_ffmpeg(tmp_path, "exec sleep 60").start() as running:
        raise KeyError
    assert running.process.returncode == -9


def test_a_termination_request_kills_the_run_and_prevents_further_runs(tmp_path: Path) -> None:
    termination = JobTermination()
    ffmpeg = fake_ffmpeg(tmp_path, "exec sleep 60", termination)
    with pytest.raises(JobTerminated), ffmpeg.start() as running:
        termination.request()
    assert running.process.returncode == -9
    with pytest.raises(JobTerminated):
        ffmpeg.run()


def test_a_run_that_stops_reading_its_input_fails_by_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(InputRefused), fake_ffmpeg(tmp_path, "exit 1").start(pipe_input=True) as running:
        running.input.write(bytes(10_000_000))


def test_the_kept_messages_are_limited_in_size(tmp_path: Path) -> None:
    with fake_ffmpeg(tmp_path, "echo first >&2; head -c 3000000 /dev/zero >&2; echo last >&2").start() as running:
        pass
    messages = running.stderr_text()
    assert len(messages) < 50_000
    assert messages.startswith("first")
    assert messages.endswith("last\n")


def test_matching_lines_are_kept_among_many_others(tmp_path: Path) -> None:
    other_lines = "yes length 7 and more | head -c 300000 >&2"
    with fake_ffmpeg(tmp_path, f"{other_lines}; printf '\nlength 1\n' >&2; {other_lines}").start(
        line_pattern=re.compile(rb"length (\d)")
    ) as running:
        pass
    assert [line[1] for line in running.matched_lines()] == [b"1"]


def test_the_number_of_matching_lines_is_limited(tmp_path: Path) -> None:
    many_lines = "head -c 3000000 /dev/zero >&2; yes length 1 | head -c 300000 >&2"
    with fake_ffmpeg(tmp_path, many_lines).start(line_pattern=re.compile(rb"length (\d)")) as running:
        pass
    assert 0 < len(running.matched_lines()) < 100


def test_the_time_of_concurrent_runs_counts_once(tmp_path: Path) -> None:
    moments = iter([0.0, 1.0, 3.0, 10.0])
    ffmpeg = fake_ffmpeg(tmp_path, "", clock=lambda: next(moments))
    with ffmpeg.start(), ffmpeg.start():
        pass
    assert ffmpeg.busy_milliseconds == 10_000
