"""Tests of the plan: parts and pieces contain all chunks without gaps, in order, and within the limits."""

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
    count: int = 30,
    fastest: int = 1,
) -> ChunkVideo:
    """Return a track with `fastest` frames in its fastest second."""
    return ChunkVideo(
        track_format=track_format(codec, parameters),
        width=size[0],
        height=size[1],
        count=count,
        max_frames_per_second=fastest,
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
        count=draw(st.integers(1, 10**6)),
        fastest=draw(st.integers(1, 10**6)),
    )
    return ChunkFacts(
        duration=duration, video=drawn_video if has_video else None, audio=draw(st.sampled_from([None, AUDIO]))
    )


plans = st.lists(chunk(), min_size=1, max_size=6).map(
    lambda some: RecordingPlan(RecordingFacts(chunks=tuple(some)), LIMITS)
)


def create_plan(*chunks: ChunkFacts) -> RecordingPlan:
    return RecordingPlan(RecordingFacts(chunks=chunks), LIMITS)


@given(plans)
def test_parts_contain_every_sample_once_and_begin_at_a_millisecond(plan: RecordingPlan) -> None:
    next_sample = 0
    for number, part in enumerate(plan.parts):
        assert (part.number, part.first_sample) == (number, next_sample)
        assert part.offset_ms * SPEECH_RATE == part.first_sample * 1000, "an offset is exact"
        assert part.sample_count * SECOND <= LIMITS.max_part * SPEECH_RATE
        assert part.sample_count >= MIN_SAMPLES, "Amazon Transcribe rejects shorter audio"
        assert abs(part.duration_ms - part.sample_count * 1000 / SPEECH_RATE) <= 0.5
        next_sample += part.sample_count
    assert next_sample == (max(MIN_SAMPLES, plan.sample_starts(SPEECH_RATE)[-1]) if plan.has_audio else 0)


@given(plans)
def test_pieces_contain_every_chunk_once_and_in_order(plan: RecordingPlan) -> None:
    spans = [span for piece in plan.pieces for span in piece.spans]
    places = [(span.chunk, span.begin, span.end) for span in spans]
    expected = []
    for number, facts in enumerate(plan.chunks):
        ends = [end for chunk, _, end in places if chunk == number]
        begins = [0, *ends[:-1]]
        assert ends[-1] == facts.duration
        expected += [(number, begin, end) for begin, end in zip(begins, ends, strict=True)]
    assert places == expected


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
def test_rounding_errors_do_not_add_up(plan: RecordingPlan) -> None:
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
    facts = ChunkFacts(duration=SECOND, video=video(), audio=AUDIO)
    assert create_plan(facts, facts).copies_video
    assert (create_plan(facts).copies_audio, create_plan(facts, facts).copies_audio) == (True, False), (
        "the audio of several chunks is not copied"
    )
    for item in (
        ChunkFacts(duration=SECOND, audio=AUDIO),
        ChunkFacts(duration=SECOND, video=video("hevc")),
        ChunkFacts(duration=SECOND, video=video("h264", "x")),
    ):
        assert not create_plan(facts, item).copies_video
        assert not create_plan(item, facts).copies_video
    assert not RecordingPlan(RecordingFacts(chunks=(facts,), uncopiable=True), LIMITS).copies_video


@pytest.mark.parametrize(
    ("seconds", "count", "fastest", "rate"),
    [(600, 90, 15, 15), (600, 90, 60, 30), (10, 250, 25, 25), (0.5, 10, 10, 20), (600, 3, 1, 1)],
)
def test_the_frame_rate_is_that_of_the_fastest_second(seconds: float, count: int, fastest: int, rate: int) -> None:
    slow = ChunkFacts(duration=60 * SECOND, video=video(count=60))
    other = ChunkFacts(duration=round(seconds * SECOND), video=video(count=count, fastest=fastest))
    assert create_plan(slow, other).frame_rate == rate


def test_a_recording_slightly_longer_than_a_part_is_halved() -> None:
    parts = create_plan(ChunkFacts(duration=60_100_000, audio=AUDIO)).parts
    assert [(part.offset_ms, part.duration_ms) for part in parts] == [(0, 30_050), (30_050, 30_050)]
