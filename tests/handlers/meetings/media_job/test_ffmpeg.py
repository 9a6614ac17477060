"""Runs of ffmpeg: what they see, how they end, and that they end when the job does."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.job_termination import JobTerminated, JobTermination


def fake_ffmpeg(folder: Path, text: str, stopping: JobTermination | None = None, **more: Any) -> Ffmpeg:
    """A program in ffmpeg's place."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Ffmpeg(os.fspath(path), folder, stopping or JobTermination(), **more)


def test_it_sees_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    fake_ffmpeg(tmp_path, "/usr/bin/env > seen").run()
    assert "canary" not in (tmp_path / "seen").read_text()


def test_what_it_says_no_to_is_not_what_it_died_of(tmp_path: Path) -> None:
    with pytest.raises(InputRefused):
        fake_ffmpeg(tmp_path, "exit 69").run()
    with pytest.raises(FfmpegFailed):
        fake_ffmpeg(tmp_path, "kill -SEGV $$").run()
    with pytest.raises(FfmpegFailed):
        Ffmpeg("/not/there", tmp_path, JobTermination()).run()


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(InputRefused), fake_ffmpeg(tmp_path, "exec sleep 60").start(seconds=0.05):
        pass


def test_one_that_is_left_is_ended(tmp_path: Path) -> None:
    with pytest.raises(KeyError), fake_ffmpeg(tmp_path, "exec sleep 60").start() as running:
        raise KeyError
    assert running.process.returncode == -9


def test_what_runs_ends_when_the_job_is_told_to(tmp_path: Path) -> None:
    stopping = JobTermination()
    one = fake_ffmpeg(tmp_path, "exec sleep 60", stopping)
    with pytest.raises(JobTerminated), one.start() as running:
        stopping.request()
    assert running.process.returncode == -9
    with pytest.raises(JobTerminated):
        one.run()


def test_one_that_stops_reading_says_by_its_end_why(tmp_path: Path) -> None:
    with pytest.raises(InputRefused), fake_ffmpeg(tmp_path, "exit 1").start(pipe_input=True) as running:
        running.input.write(bytes(10_000_000))


def test_a_flood_of_complaints_takes_no_memory(tmp_path: Path) -> None:
    with fake_ffmpeg(tmp_path, "echo first >&2; head -c 3000000 /dev/zero >&2; echo last >&2").start() as running:
        pass
    told = running.stderr_text()
    assert len(told) < 50_000
    assert told.startswith("first")
    assert told.endswith("last\n")


def test_what_is_waited_for_is_heard_in_the_midst_of_a_flood_and_by_whole_lines(tmp_path: Path) -> None:
    flood = "yes told 7 in passing | head -c 300000 >&2"
    with fake_ffmpeg(tmp_path, f"{flood}; printf '\ntold 1\n' >&2; {flood}").start(
        line_pattern=re.compile(rb"told (\d)")
    ) as running:
        pass
    assert [line[1] for line in running.matched_lines()] == [b"1"]


def test_what_is_waited_for_takes_no_memory_however_often_it_is_said(tmp_path: Path) -> None:
    endless = "head -c 3000000 /dev/zero >&2; yes told 1 | head -c 300000 >&2"
    with fake_ffmpeg(tmp_path, endless).start(line_pattern=re.compile(rb"told (\d)")) as running:
        pass
    assert 0 < len(running.matched_lines()) < 100


def test_runs_at_the_same_time_count_once(tmp_path: Path) -> None:
    moments = iter([0.0, 1.0, 3.0, 10.0])
    one = fake_ffmpeg(tmp_path, "", clock=lambda: next(moments))
    with one.start(), one.start():
        pass
    assert one.milliseconds == 10_000
