"""Tests of interrupted jobs: the next job continues and repeats no finished step."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from handlers.meetings.media_job.chunk_facts import SECOND
from handlers.meetings.media_job.ffmpeg import Ffmpeg
from handlers.meetings.media_job.job_termination import JobTerminated, JobTermination, Process
from handlers.meetings.media_result import MediaOutcome
from tests.handlers.client_events import at_event
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import BUCKET, LIMITS, JobHarness

pytestmark = pytest.mark.media


@pytest.fixture
def write_counts(harness: JobHarness) -> Any:
    """Number of writes of each object, by the path in its URL."""
    counts: Counter[str] = Counter()

    def count_write(params: dict[str, Any], **_: Any) -> None:
        counts[params["url_path"]] += 1

    with at_event(harness.s3, "before-call.s3.PutObject", count_write):
        yield counts


def upload_two_formats(harness: JobHarness) -> None:
    """Upload two chunks of different formats, which give two audio parts and a video of four pieces."""
    harness.limits = replace(LIMITS, max_part=2 * SECOND, max_piece=SECOND)
    harness.upload(
        sample_videos.video_with_audio(2), sample_videos.video_with_audio(1, *sample_videos.VP8, suffix="webm")
    )


def run_until_terminated(harness: JobHarness, last_run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a job that is requested to end during the ffmpeg run with this number."""
    start_process = Ffmpeg._start_process
    run_count = 0

    def start_and_count(self: Ffmpeg, *arguments: Any, **options: Any) -> Process:
        nonlocal run_count
        run_count += 1
        process = start_process(self, *arguments, **options)
        if run_count == last_run:
            harness.termination.request()
        return process

    with monkeypatch.context() as patch:
        patch.setattr(Ffmpeg, "_start_process", start_and_count)
        with pytest.raises(JobTerminated):
            harness.run()
    assert run_count == last_run, "no run may start after the request"


@pytest.mark.parametrize("last_run", [1, 2, 3, 5, 6, 7, 8, 11, 12, 14])
def test_a_finished_step_is_not_repeated(
    harness: JobHarness, last_run: int, monkeypatch: pytest.MonkeyPatch, write_counts: Counter[str]
) -> None:
    """The job is terminated during one of its ffmpeg runs, which belong to different steps."""
    upload_two_formats(harness)
    write_counts.clear()
    run_until_terminated(harness, last_run, monkeypatch)
    assert harness.keys(harness.recording.media_result_key) == []
    missing_pieces, missing_parts = 4 - len(harness.piece_keys()), 2 - len(harness.keys("audio/"))
    are_chunks_probed = bool(harness.keys(f"{harness.recording.media_work_prefix}facts.json"))
    earlier_runs = len(harness.ffmpeg_runs)
    harness.termination = JobTermination()
    assert harness.run().outcome is MediaOutcome.READY
    assert max(write_counts.values()) == 1, "no object may be written twice"
    new_runs = harness.ffmpeg_runs[earlier_runs:]
    assert len([run for run in new_runs if "libx264" in run]) == missing_pieces
    assert len([run for run in new_runs if "-c:a flac" in run]) == missing_parts
    assert len(harness.runs_that_probe_chunks(earlier_runs)) == (0 if are_chunks_probed else 2)


def test_a_second_job_returns_the_stored_result_although_the_chunks_were_deleted(harness: JobHarness) -> None:
    upload_two_formats(harness)
    result = harness.run()
    runs = len(harness.ffmpeg_runs)
    for key in harness.keys("raw/"):
        harness.s3.delete_object(Bucket=BUCKET, Key=key)
    assert harness.run() == result
    assert len(harness.ffmpeg_runs) == runs


def test_deleted_output_is_created_again(harness: JobHarness) -> None:
    upload_two_formats(harness)
    result = harness.run()
    runs = len(harness.ffmpeg_runs)
    harness.s3.delete_object(Bucket=BUCKET, Key=result.audio[1].key)
    assert harness.run().model_copy(update={"ffmpeg_ms": 0}) == result.model_copy(update={"ffmpeg_ms": 0})
    assert result.audio[1].key in harness.keys("audio/")
    assert not [run for run in harness.ffmpeg_runs[runs:] if "libx264" in run or "framecrc" in run], (
        "no other step is repeated"
    )


def test_audio_parts_are_created_again_after_their_maximum_duration_changed(harness: JobHarness) -> None:
    harness.upload(sample_videos.audio_only(3, "-c:a", "pcm_s16le", suffix="wav"))
    harness.limits = replace(LIMITS, max_part=2 * SECOND)
    assert len(harness.run().audio) == 2
    harness.s3.delete_object(Bucket=BUCKET, Key=harness.recording.media_result_key)
    harness.limits = LIMITS
    (part,) = harness.run().audio
    assert len(sample_videos.decode_samples(harness.download(part.key))) == 3 * sample_videos.SAMPLE_RATE


@pytest.mark.parametrize("name", ["result.json", "facts.json"])
def test_job_files_of_another_schema_version_are_ignored(harness: JobHarness, name: str) -> None:
    harness.upload(sample_videos.audio_only(1))
    harness.s3.put_object(
        Bucket=BUCKET, Key=harness.recording.media_work_prefix + name, Body=b'{"schemaVersion": 99, "outcome": "ready"}'
    )
    assert harness.run().outcome is MediaOutcome.READY


def test_the_ffmpeg_time_includes_earlier_jobs(harness: JobHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_two_formats(harness)
    run_until_terminated(harness, 8, monkeypatch)
    harness.termination = JobTermination()
    result = harness.run()

    def recorded_milliseconds(*keys: str) -> int:
        heads = [harness.s3.head_object(Bucket=BUCKET, Key=key) for key in keys]
        return sum(int(head["Metadata"]["ffmpeg-ms"]) for head in heads)

    video = recorded_milliseconds(harness.recording.video_key)
    assert video > recorded_milliseconds(*harness.piece_keys()), "the video's time includes that of its pieces"
    parts = recorded_milliseconds(*(part.key for part in result.audio))
    assert result.ffmpeg_ms > parts + video, "the time of the job includes that for probing the chunks"
