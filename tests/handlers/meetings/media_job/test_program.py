"""The program itself, as a container runs it: a process with an environment, signals and an exit status, and a real endpoint."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handlers.meetings.media_job.environment import ABOUT, MediaDeployment
from handlers.meetings.media_result import MediaOutcome, MediaResult
from local import ROOT
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_setup import BUCKET, MEETING, Stage

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("media_job")]

WEBM = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
SECONDS = 60
"""Longer than anything here may take: what takes longer has failed."""


@dataclass
class Program:
    """The job as a process, with a bucket at an address."""

    stage: Stage
    endpoint: str

    def environment(self, **others: str) -> dict[str, str]:
        """As a job's definition and who submits it have it."""
        deployment = MediaDeployment(
            bucket_name=BUCKET, piece_seconds=1, scratch_folder=str(self.stage.folder), ffmpeg=str(self.stage.counted)
        )
        about = (MEETING.user, MEETING.meeting_id, self.stage.recording.content)
        return {
            **deployment.variables(),
            **dict(zip(ABOUT, about, strict=True)),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": emulator.ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": emulator.ROOT_ACCESS_KEY,
            "POWERTOOLS_SERVICE_NAME": "media",
            "PYTHONDONTWRITEBYTECODE": "1",
            **others,
        }

    def start(self, **others: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "handlers.meetings.media_job"]
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            env=self.environment(**others),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, **others: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of a whole run."""
        with self.start(**others) as process:
            out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def result(self) -> MediaResult:
        return MediaResult.model_validate_json(self.stage.body(self.stage.recording.media_result))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An emulator with a bucket."""
    with emulator.start(tmp_path_factory.mktemp("emulator")) as started:
        EmulatorClients(started.emulator.endpoint)("s3").create_bucket(Bucket=BUCKET)
        yield started.emulator.endpoint


@pytest.fixture
def program(endpoint: str, tmp_path: Path) -> Program:
    """The bucket is one for all: what a test puts there it removes."""
    s3: Any = EmulatorClients(endpoint)("s3")
    for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=one["Key"])
    return Program(Stage(s3, tmp_path), endpoint)


def test_a_recording_is_put_together_and_the_status_is_0(program: Program) -> None:
    program.stage.upload(*sample_videos.filmed_in_chunks(3))
    status, out, err = program.run()
    assert (status, err) == (0, "")
    assert program.result().outcome is MediaOutcome.READY
    assert "media_done" in out
    for secret in (
        "canary",
        MEETING.user,
        MEETING.meeting_id,
        program.stage.recording.content,
        emulator.ROOT_ACCESS_KEY + '"',
    ):
        assert secret not in out
    assert [one.name for one in program.stage.folder.iterdir() if one.name.startswith("media-")] == [], "it cleans up"
    runs = len(program.stage.runs)
    assert program.run()[0] == 0
    assert len(program.stage.runs) == runs, "it was done"


def test_a_recording_that_cannot_be_worked_on_is_0_as_well(program: Program) -> None:
    program.stage.upload(b"canary")
    assert program.run()[::2] == (0, "")
    assert program.result().outcome is MediaOutcome.UNREADABLE


def test_a_job_that_a_machine_is_taken_from_ends_at_once_and_goes_on_later(program: Program) -> None:
    stage = program.stage
    stage.upload(sample_videos.filmed(3, *WEBM, suffix="webm"))
    reached = stage.folder / "reached"
    os.mkfifo(reached)
    told = os.open(reached, os.O_RDONLY | os.O_NONBLOCK)
    text = stage.counted.read_text()
    second = "pieces=$(grep -c libx264 $(dirname $0)/ffmpeg.log)"
    slow = f'case "$*" in *libx264*) [ $pieces = 2 ] && echo $$ > {reached} && set -- -readrate 0.001 "$@";; esac'
    stage.counted.write_text(text.replace("exec", f"{second}\n{slow}\nexec"))
    with program.start() as process:
        assert select.select([told], [], [], SECONDS)[0], "the second piece was never begun"
        ffmpeg = int(os.read(told, 100))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (128 + signal.SIGTERM, "")
    assert "media_stopped" in out
    with pytest.raises(ProcessLookupError):
        os.kill(ffmpeg, 0)
    assert stage.pending() == []
    assert stage.keys(stage.recording.media_result) == []
    assert [one[-9:] for one in stage.keys(f"{stage.recording.work}pieces/")] == ["00000.mp4"]
    assert [one.name for one in stage.folder.iterdir() if one.name.startswith("media-")] == []

    before = len(stage.runs)
    assert program.run()[::2] == (0, "")
    again = stage.runs[before:]
    assert program.result().outcome is MediaOutcome.READY
    assert len([one for one in again if "libx264" in one]) == 3, "the first of four pieces was there"
    assert not [one for one in again if "-c:a flac" in one or ("framecrc" in one and "chunk-" in one)]


def test_an_environment_that_names_no_recording_is_2_and_says_what_is_wrong(program: Program) -> None:
    program.stage.upload(b"x")
    status, out, err = program.run(CONTENT="../canary", MEETING_USER="canary" * 6, AUDIO_PART_SECONDS="1")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "media job: AUDIO_PART_SECONDS: Input should be greater than or equal to 60",
        "media job: MEETING_USER: String should match pattern '^[A-Z2-7]{32}$'",
        "media job: CONTENT: String should match pattern '^[0-9a-f]{32}$'",
    ]


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"BUCKET_NAME": "another-canary"}, "AWS: NoSuchBucket"),
        ({"FFMPEG": "/not/there/canary"}, "ffmpeg: it does not start"),
        ({"SCRATCH_FOLDER": "/not/there/canary"}, "FileNotFoundError 2"),
    ],
)
def test_a_failure_is_1_and_says_why_in_our_own_words(program: Program, others: dict[str, str], reason: str) -> None:
    program.stage.upload(sample_videos.spoken(1))
    status, out, err = program.run(**others)
    assert (status, err) == (1, f"media job: {reason}\n")
    for secret in ("canary", MEETING.user, MEETING.meeting_id, program.stage.recording.content):
        assert secret not in out + err


def test_an_ffmpeg_that_dies_is_a_failure_which_the_page_explains(program: Program) -> None:
    program.stage.upload(sample_videos.spoken(1))
    program.stage.counted.write_text("#!/bin/sh\nkill -KILL $$\n")
    assert program.run()[::2] == (1, "media job: ffmpeg: it was killed\n")
    page = (ROOT / "docs/runbooks/meetings-late.md").read_text(encoding="utf-8")
    assert "`ffmpeg: it was killed` is memory" in page
    assert program.stage.keys(program.stage.recording.media_result) == []
