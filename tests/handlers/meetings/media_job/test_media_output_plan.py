"""Tests of the plan by which the media job makes audio and video from the chunks of a recording.

The audio is divided into parts, one for each job of Amazon Transcribe. Video that cannot be copied is divided into
pieces, which are encoded one by one. A piece shows spans, which are whole chunks or a section of a chunk.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.meetings.media_job.chunk_facts import (
    SECOND,
    ChunkAudio,
    ChunkFacts,
    ChunkVideo,
    RecordingFacts,
    TrackFormat,
)
from handlers.meetings.media_job.media_output_plan import (
    MAX_FRAME_RATE,
    MIN_SAMPLES,
    SPEECH_RATE,
    PlanLimits,
    RecordingPlan,
)

LIMITS = PlanLimits(max_part=60 * SECOND, max_piece=30 * SECOND, max_recording=10**12)
CODECS = ("h264", "vp8")


def track_format(codec: str, parameters: str = "", stream: int = 0) -> TrackFormat:
    return TrackFormat(stream=stream, codec=codec, time_base="1/1000", parameters=parameters)


def video(
    codec: str = "h264",
    parameters: str = "",
    *,
    end: int = SECOND,
    size: tuple[int, int] = (640, 360),
    frame_count: int = 30,
    max_frames_per_second: int = 1,
) -> ChunkVideo:
    """Return a video track. `max_frames_per_second` is the number of frames in the second with the most frames."""
    return ChunkVideo(
        track_format=track_format(codec, parameters),
        width=size[0],
        height=size[1],
        count=frame_count,
        max_frames_per_second=max_frames_per_second,
        end=end,
        bytes=10_000,
    )


AUDIO = ChunkAudio(track_format=track_format("aac", stream=1), channels=2, count=43, bytes=8_000)


@st.composite
def chunk(draw: st.DrawFn) -> ChunkFacts:
    duration = draw(st.integers(1, 200 * SECOND))
    has_video = draw(st.booleans())
    drawn_video = video(
        draw(st.sampled_from(CODECS)),
        end=draw(st.integers(0, duration)),
        size=(draw(st.integers(1, 9000)), draw(st.integers(1, 9000))),
        frame_count=draw(st.integers(1, 10**6)),
        max_frames_per_second=draw(st.integers(1, 10**6)),
    )
    return ChunkFacts(
        duration=duration, video=drawn_video if has_video else None, audio=draw(st.sampled_from([None, AUDIO]))
    )


plans = st.lists(chunk(), min_size=1, max_size=6).map(
    lambda chunks: RecordingPlan(RecordingFacts(chunks=tuple(chunks)), LIMITS)
)


def create_plan(*chunks: ChunkFacts) -> RecordingPlan:
    return RecordingPlan(RecordingFacts(chunks=chunks), LIMITS)


@given(plans)
def test_parts_contain_every_sample_once_and_begin_at_a_millisecond(plan: RecordingPlan) -> None:
    next_sample = 0
    for number, part in enumerate(plan.parts):
        assert (part.number, part.first_sample) == (number, next_sample)
        assert part.offset_ms * SPEECH_RATE == part.first_sample * 1000, "the offset must be exact"
        assert part.sample_count * SECOND <= LIMITS.max_part * SPEECH_RATE
        assert part.sample_count >= MIN_SAMPLES, "Amazon Transcribe rejects shorter audio"
        assert abs(part.duration_ms - part.sample_count * 1000 / SPEECH_RATE) <= 0.5
        next_sample += part.sample_count
    # The last of the starts is the end of the recording.
    assert next_sample == (max(MIN_SAMPLES, plan.sample_starts(SPEECH_RATE)[-1]) if plan.has_audio else 0)


@given(plans)
def test_pieces_contain_every_chunk_once_and_in_order(plan: RecordingPlan) -> None:
    spans = [span for piece in plan.pieces for span in piece.spans]
    sections = [(span.chunk, span.begin, span.end) for span in spans]
    expected = []
    for number, facts in enumerate(plan.chunks):
        ends = [end for chunk, _, end in sections if chunk == number]
        begins = [0, *ends[:-1]]
        assert ends[-1] == facts.duration
        expected += [(number, begin, end) for begin, end in zip(begins, ends, strict=True)]
    assert sections == expected


@given(plans)
def test_a_piece_has_one_format_and_a_limited_duration(plan: RecordingPlan) -> None:
    for piece in plan.pieces:
        assert 0 < piece.duration <= LIMITS.max_piece
        for span in piece.spans:
            track = plan.chunks[span.chunk].video
            assert piece.track_format == (None if track is None else track.track_format)
        assert len(piece.spans) == 1 or all(span.begin == 0 for span in piece.spans), (
            "a piece with several spans contains whole chunks"
        )


@given(plans)
def test_each_chunk_starts_at_the_nearest_sample_so_rounding_errors_do_not_add_up(plan: RecordingPlan) -> None:
    for start, sample in zip(plan.starts, plan.sample_starts(SPEECH_RATE), strict=True):
        assert abs(sample * SECOND - start * SPEECH_RATE) * 2 <= SECOND


@given(plans)
def test_encoded_frames_have_limited_and_even_sizes(plan: RecordingPlan) -> None:
    assert 1 <= plan.frame_rate <= MAX_FRAME_RATE
    if plan.has_video:
        width, height = plan.frame_size
        assert (width % 2, height % 2) == (0, 0)
        assert 2 <= min(width, height) <= 1080
        assert max(width, height) <= 1920


@given(plans, st.integers(1, 10**12))
def test_the_required_disk_space_includes_the_downloads(plan: RecordingPlan, uploaded: int) -> None:
    assert plan.required_bytes(uploaded) > uploaded


def test_video_is_copied_only_if_all_formats_are_equal() -> None:
    chunk = ChunkFacts(duration=SECOND, video=video(), audio=AUDIO)
    assert create_plan(chunk, chunk).copies_video
    for other_chunk in (
        ChunkFacts(duration=SECOND, audio=AUDIO),
        ChunkFacts(duration=SECOND, video=video("hevc")),
        ChunkFacts(duration=SECOND, video=video("h264", "x")),
    ):
        assert not create_plan(chunk, other_chunk).copies_video
        assert not create_plan(other_chunk, chunk).copies_video
    uncopiable = RecordingFacts(chunks=(chunk,), uncopiable=True)
    assert not RecordingPlan(uncopiable, LIMITS).copies_video, "an earlier attempt to copy the video has failed"


def test_audio_is_copied_only_if_there_is_a_single_chunk() -> None:
    chunk = ChunkFacts(duration=SECOND, video=video(), audio=AUDIO)
    assert create_plan(chunk).copies_audio
    assert not create_plan(chunk, chunk).copies_audio


@pytest.mark.parametrize(
    ("seconds", "frame_count", "max_frames_per_second", "frame_rate"),
    [
        pytest.param(600, 90, 15, 15, id="few frames, but many in one second"),
        pytest.param(600, 90, 60, 30, id="above the maximum"),
        pytest.param(10, 250, 25, 25, id="constant frame rate"),
        pytest.param(0.5, 10, 10, 20, id="shorter than a second"),
        pytest.param(600, 3, 1, 1, id="less than a frame per second"),
    ],
)
def test_the_frame_rate_is_that_of_the_second_with_the_most_frames(
    seconds: float, frame_count: int, max_frames_per_second: int, frame_rate: int
) -> None:
    slow_chunk = ChunkFacts(duration=60 * SECOND, video=video(frame_count=60))
    fast_video = video(frame_count=frame_count, max_frames_per_second=max_frames_per_second)
    fast_chunk = ChunkFacts(duration=round(seconds * SECOND), video=fast_video)
    assert create_plan(slow_chunk, fast_chunk).frame_rate == frame_rate


def test_audio_slightly_longer_than_a_part_is_divided_into_equal_parts() -> None:
    parts = create_plan(ChunkFacts(duration=60_100_000, audio=AUDIO)).parts
    assert [(part.offset_ms, part.duration_ms) for part in parts] == [(0, 30_050), (30_050, 30_050)]
