"""A job that was stopped goes on where it was: whatever was finished is not made again."""

from collections import Counter
from typing import Any

import pytest

from handlers.meetings.media_job.ffmpeg import Ffmpeg
from handlers.meetings.media_job.job_termination import JobTerminated, JobTermination, Process
from handlers.meetings.media_job.recording_plan import PlanLimits
from handlers.meetings.media_result import MediaOutcome
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_setup import BUCKET, LIMITS, SECOND, Stage

pytestmark = pytest.mark.media

WEBM = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")


@pytest.fixture
def written(stage: Stage) -> Any:
    """How often each object has been written."""
    found: Counter[str] = Counter()

    def note(params: dict[str, Any], **_: Any) -> None:
        found[params["url_path"].split("/")[-1] if "pieces" in params["url_path"] else params["url_path"][-8:]] += 1

    stage.s3.meta.events.register("before-call.s3.PutObject", note, unique_id="written")
    yield found
    stage.s3.meta.events.unregister("before-call.s3.PutObject", unique_id="written")


def uploaded(stage: Stage) -> None:
    """Two chunks, which become two parts of sound, and a video of four pieces."""
    stage.limits = PlanLimits(max_part=2 * SECOND, max_piece=SECOND, max_recording=3600 * SECOND)
    stage.upload(sample_videos.filmed(2), sample_videos.filmed(1, *WEBM, suffix="webm"))


def stopped_at(stage: Stage, run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is told to stop while its nth run of ffmpeg is going on."""
    begun = Ffmpeg._start_process
    runs = 0

    def counted(self: Ffmpeg, *arguments: Any, **named: Any) -> Process:
        nonlocal runs
        runs += 1
        process = begun(self, *arguments, **named)
        if runs == run:
            stage.stopping.request()
        return process

    with monkeypatch.context() as patch:
        patch.setattr(Ffmpeg, "_start_process", counted)
        with pytest.raises(JobTerminated):
            stage.run()
    assert runs == run, "nothing was begun afterwards"


@pytest.mark.parametrize("run", [1, 2, 3, 5, 6, 7, 8, 11, 12, 14])
def test_a_step_that_was_finished_is_not_made_again(
    stage: Stage, run: int, monkeypatch: pytest.MonkeyPatch, written: Counter[str]
) -> None:
    uploaded(stage)
    written.clear()
    stopped_at(stage, run, monkeypatch)
    assert stage.keys(stage.recording.media_result_key) == []
    pieces, parts, known = missing(stage)
    before = len(stage.runs)
    stage.stopping = JobTermination()
    assert stage.run().outcome is MediaOutcome.READY
    assert max(written.values()) == 1, "something was written twice"
    again = stage.runs[before:]
    assert len([line for line in again if "libx264" in line]) == pieces
    assert len([line for line in again if "-c:a flac" in line]) == parts
    assert len([line for line in again if "framecrc" in line and "chunk-" in line]) == (0 if known else 2)


def missing(stage: Stage) -> tuple[int, int, bool]:
    """Pieces and parts that are still to be made, and whether the chunks have been looked at."""
    done = stage.keys(f"{stage.recording.media_work_prefix}pieces/")
    return (
        4 - len(done),
        2 - len(stage.keys("audio/")),
        bool(stage.keys(f"{stage.recording.media_work_prefix}facts.json")),
    )


def test_a_job_that_was_done_is_done(stage: Stage) -> None:
    uploaded(stage)
    result = stage.run()
    runs = len(stage.runs)
    for key in stage.keys("raw/"):
        stage.s3.delete_object(Bucket=BUCKET, Key=key)
    assert stage.run() == result, "even when the chunks have gone"
    assert len(stage.runs) == runs


def test_what_was_lost_since_is_made_again(stage: Stage) -> None:
    uploaded(stage)
    result = stage.run()
    runs = len(stage.runs)
    stage.s3.delete_object(Bucket=BUCKET, Key=result.audio[1].key)
    assert stage.run().model_copy(update={"ffmpeg_ms": 0}) == result.model_copy(update={"ffmpeg_ms": 0})
    assert result.audio[1].key in stage.keys("audio/")
    assert not [run for run in stage.runs[runs:] if "libx264" in run or "framecrc" in run]


def test_parts_of_another_length_are_made_anew(stage: Stage) -> None:
    """A setting was changed while a job was interrupted."""
    stage.upload(sample_videos.spoken(3, "-c:a", "pcm_s16le", suffix="wav"))
    stage.limits = PlanLimits(max_part=2 * SECOND, max_piece=SECOND, max_recording=LIMITS.max_recording)
    assert len(stage.run().audio) == 2
    stage.s3.delete_object(Bucket=BUCKET, Key=stage.recording.media_result_key)
    stage.limits = LIMITS
    (part,) = stage.run().audio
    assert len(sample_videos.samples(stage.body(part.key), stage.folder)) == 3 * sample_videos.RATE


@pytest.mark.parametrize("note", ["result.json", "facts.json"])
def test_notes_of_another_edition_are_passed_over(stage: Stage, note: str) -> None:
    stage.upload(sample_videos.spoken(1))
    stage.s3.put_object(
        Bucket=BUCKET, Key=stage.recording.media_work_prefix + note, Body=b'{"schemaVersion": 99, "outcome": "ready"}'
    )
    assert stage.run().outcome is MediaOutcome.READY


def test_all_that_ffmpeg_took_is_told_though_it_took_two_jobs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded(stage)
    stopped_at(stage, 8, monkeypatch)
    stage.stopping = JobTermination()
    result = stage.run()
    told = [stage.s3.head_object(Bucket=BUCKET, Key=part.key)["Metadata"]["ffmpeg-ms"] for part in result.audio]
    video = stage.s3.head_object(Bucket=BUCKET, Key=stage.recording.video_key)["Metadata"]["ffmpeg-ms"]
    pieces = [
        stage.s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]["ffmpeg-ms"]
        for key in stage.keys(f"{stage.recording.media_work_prefix}pieces/")
    ]
    assert int(video) > sum(int(piece) for piece in pieces), "the video's has its pieces' in it"
    assert result.ffmpeg_ms > sum(int(milliseconds) for milliseconds in told) + int(video), (
        "and what it took to look at the chunks"
    )
