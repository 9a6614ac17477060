"""Tests of the plan by which the media job makes audio and video from the chunks of a recording."""

from dataclasses import replace
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from handlers.meetings.media_job.outputs import RecordingPlan
from handlers.meetings.media_job.probe import SECOND, ChunkFacts, ChunkVideo

VIDEO = ChunkVideo(codec="h264", form="", width=640, height=360)
CHUNK = ChunkFacts("chunk", SECOND, VIDEO, channels=1)
MAX_PART_SECONDS = 60

chunks = st.builds(
    ChunkFacts,
    st.just("chunk"),
    st.integers(1, 200 * SECOND),
    st.none() | st.builds(replace, st.just(VIDEO), width=st.integers(1, 9000), height=st.integers(1, 9000)),
    st.integers(0, 2),
)
plans = st.lists(chunks, min_size=1, max_size=6).map(lambda chunks: RecordingPlan(tuple(chunks)))


@given(plans)
def test_parts_contain_the_whole_audio_once_and_have_about_the_same_length(plan: RecordingPlan) -> None:
    end_ms, parts = 0, plan.divide_speech(MAX_PART_SECONDS)
    for start_ms, duration_ms in parts:
        assert start_ms == end_ms
        assert 500 <= duration_ms <= MAX_PART_SECONDS * 1000, "Amazon Transcribe rejects shorter audio"
        assert parts[0][1] - duration_ms < len(parts)
        end_ms += duration_ms
    assert end_ms == max(500, ceil(plan.duration / 1000))


@given(plans.filter(lambda plan: plan.has_video))
def test_encoded_frames_have_limited_and_even_sizes(plan: RecordingPlan) -> None:
    width, height = plan.frame_size
    assert (width % 2, height % 2) == (0, 0)
    assert 2 <= min(width, height) <= 1080
    assert max(width, height) <= 1920


def test_video_is_copied_only_if_all_formats_are_equal() -> None:
    assert RecordingPlan((CHUNK, CHUNK)).is_copiable
    for video in (None, replace(VIDEO, form="x")):
        other = replace(CHUNK, video=video)
        assert not RecordingPlan((CHUNK, other)).is_copiable
        assert not RecordingPlan((other, CHUNK)).is_copiable


def test_the_longest_recording_fits_on_the_default_disk() -> None:
    """Twelve hours with stereo, 1.5 Mbit/s of uploaded video that must be encoded, on 35 GB."""
    hours = RecordingPlan((replace(CHUNK, duration=12 * 3600 * SECOND, channels=2),))
    uploaded = 12 * 3600 * 1_500_000 // 8
    seconds, audio_output = 12 * 3600, 64_000
    encoded_twice = 2 * 2_500_000 // 8
    assert hours.required_bytes(uploaded) == 64 * 1024**2 + seconds * (audio_output + encoded_twice) < 35_000_000_000
    silent = RecordingPlan((replace(CHUNK, duration=12 * 3600 * SECOND, channels=0, video=None),))
    assert silent.required_bytes(uploaded) == 64 * 1024**2 + 2 * uploaded, "copied chunks exist twice"
