"""Tests of the MP4 reader with files that are built box by box."""

import pytest

from handlers.common.audio.probe_result import RejectionReason
from handlers.common.audio.ranged_file import BLOCK, MAX_REQUESTS, MAX_TAIL
from tests.handlers.common.audio.sample_files import duration_ms, rejection, to_ranged_file
from tests.handlers.common.audio.test_probe import probe_within_limits

AUDIO, VIDEO = 7, 2
"""Ids of the audio and the video track of fragmented files."""
UNITS_PER_SECOND = 1000
"""Time scale of the tracks, so all durations are in milliseconds."""


def box(kind: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return (len(joined) + 8).to_bytes(4, "big") + kind + joined


def full_box(kind: bytes, *numbers: int | bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box with a version, flags and fields of four bytes."""
    fields = (number if isinstance(number, bytes) else number.to_bytes(4, "big") for number in numbers)
    return box(kind, bytes([version]), flags.to_bytes(3, "big"), *fields)


def track(track_id: int, handler: bytes, duration: int, *, is_64_bit: bool = False, codec: bytes = b"mp4a") -> bytes:
    """Return the box of a track. Version 1 of its headers has times of 64 bits."""
    creation_times, duration_field = (bytes(16), duration.to_bytes(8, "big")) if is_64_bit else (bytes(8), duration)
    times = (creation_times, UNITS_PER_SECOND, duration_field)
    return box(
        b"trak",
        full_box(b"tkhd", creation_times, track_id, version=int(is_64_bit)),
        box(
            b"mdia",
            full_box(b"mdhd", *times, version=int(is_64_bit)),
            full_box(b"hdlr", 0, handler),
            box(b"minf", box(b"stbl", full_box(b"stsd", 1, box(codec, bytes(28))))),
        ),
    )


def movie_file(*moov_boxes: bytes) -> bytes:
    return box(b"ftyp", b"M4A ") + box(b"moov", *moov_boxes)


def fragment(*track_fragments: bytes, audio: bytes = b"sound") -> bytes:
    return box(b"moof", full_box(b"mfhd", 1), *track_fragments) + box(b"mdat", audio)


def traf(
    track_id: int, start: int, *runs: bytes, header: bytes = b"", flags: int = 0, is_64_bit: bool = False
) -> bytes:
    """Return a track fragment box that starts at a time and contains these runs of samples. The flags state which
    fields the header has. 0x8 is the default duration of a sample.
    """
    start_time = full_box(b"tfdt", start.to_bytes(8 if is_64_bit else 4, "big"), version=int(is_64_bit))
    return box(b"traf", full_box(b"tfhd", track_id, header, flags=flags), start_time, *runs)


def trun(sample_count: int, *sample_fields: int, flags: int = 0) -> bytes:
    """Return the box of a run of samples. The flags state which fields a sample has. 0x100 is its duration."""
    return full_box(b"trun", sample_count, *sample_fields, flags=flags)


def fragmented_file(*fragments: bytes, stated_duration: int = 0, is_64_bit: bool = False) -> bytes:
    """Return a fragmented file whose header states a duration. By default, its audio samples are 10 ms long."""
    tracks = track(VIDEO, b"vide", 0), track(AUDIO, b"soun", stated_duration, is_64_bit=is_64_bit)
    extension = box(b"mvex", full_box(b"trex", VIDEO, 1, 9999), full_box(b"trex", AUDIO, 1, 10))
    return movie_file(*tracks, extension) + b"".join(fragments)


LAST_FRAGMENT = fragment(traf(AUDIO, 4000, trun(1)))
"""A fragment that ends at 4010."""


@pytest.mark.parametrize("is_64_bit", [True, False])
@pytest.mark.parametrize("codec", ["mp4a", "Opus", "fLaC", "alac"])
def test_the_first_audio_track_decides_the_duration(codec: str, is_64_bit: bool) -> None:
    video, audio = track(1, b"vide", 99), track(2, b"soun", 5000, is_64_bit=is_64_bit, codec=codec.encode())
    assert duration_ms(movie_file(video, audio, track(3, b"soun", 9000))) == 5000


def test_a_box_may_have_a_large_size_or_extend_to_the_end() -> None:
    # The size 1 means that a size of eight bytes follows. The size 0 means that the box extends to the end of the file.
    large = b"\0\0\0\x01mdat" + (21).to_bytes(8, "big") + b"sound"
    assert duration_ms(movie_file(track(1, b"soun", 5000)) + large + b"\0\0\0\0mdatsound") == 5000


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (movie_file(track(1, b"vide", 99)), RejectionReason.NO_AUDIO),
        (movie_file(), RejectionReason.NO_AUDIO),
        (movie_file(track(1, b"soun", 99, codec=b"enca")), RejectionReason.CODEC_NOT_SUPPORTED),
        (movie_file(track(1, b"soun", 99))[:-1], RejectionReason.TRUNCATED),
        (movie_file(track(1, b"soun", 99)) + b"\0\0\0\x09mdat", RejectionReason.TRUNCATED),
        (movie_file(track(1, b"soun", 99)) + b"\0\0\0", RejectionReason.TRUNCATED),
        (movie_file(track(1, b"soun", 99)) + b"\0\0\0\x07mdat", RejectionReason.UNREADABLE),  # less than 8 bytes
        # The time scale of the track is 0.
        (
            movie_file(track(1, b"soun", 99)).replace(UNITS_PER_SECOND.to_bytes(4, "big"), bytes(4)),
            RejectionReason.UNREADABLE,
        ),
        (box(b"ftyp", b"M4A ") + box(b"mdat", b"sound"), RejectionReason.UNREADABLE),
        # A box is longer than its parent, the handler has no type, and the track has neither codec nor duration.
        (movie_file(box(b"trak", b"\0\0\0\x99mdia")), RejectionReason.UNREADABLE),
        (movie_file(box(b"trak", box(b"mdia", full_box(b"hdlr", 0)))), RejectionReason.UNREADABLE),
        (movie_file(box(b"trak", box(b"mdia", full_box(b"hdlr", 0, b"soun")))), RejectionReason.UNREADABLE),
    ],
)
def test_a_file_without_a_complete_audio_track_is_rejected(file: bytes, reason: RejectionReason) -> None:
    assert rejection(file) is reason


@pytest.mark.parametrize(
    ("last_fragment", "expected"),
    [
        pytest.param(traf(AUDIO, 4000, trun(7)), 4070, id="default of the file"),
        pytest.param(traf(AUDIO, 4000, trun(7), trun(3)), 4100, id="two runs"),
        pytest.param(traf(AUDIO, 1 << 33, trun(7), is_64_bit=True), (1 << 33) + 70, id="start time of 64 bits"),
        pytest.param(
            traf(AUDIO, 4000, trun(7), header=(20).to_bytes(4, "big"), flags=0x8), 4140, id="default of the fragment"
        ),
        pytest.param(
            traf(AUDIO, 4000, trun(7), header=bytes(12) + (20).to_bytes(4, "big"), flags=0xB),
            4140,
            id="default of the fragment, after other fields",
        ),
        pytest.param(traf(AUDIO, 4000, trun(2, 5, 6, flags=0x100)), 4011, id="duration of each sample"),
        pytest.param(
            traf(AUDIO, 4000, trun(2, 0, 0, 5, 99, 99, 6, 99, 99, flags=0x705)),
            4011,
            id="duration of each sample, among other fields",
        ),
    ],
)
def test_a_fragment_states_the_duration_of_its_samples_in_one_of_these_ways(
    last_fragment: bytes, expected: int
) -> None:
    first_fragment = fragment(traf(AUDIO, 0, trun(1)))
    assert duration_ms(fragmented_file(first_fragment, fragment(last_fragment))) == expected


@pytest.mark.parametrize(
    "trailing_data",
    [
        pytest.param(fragment(traf(VIDEO, 9000, trun(1))), id="video"),
        pytest.param(fragment(traf(AUDIO, 5000, trun(1)))[:-20], id="truncated"),
        pytest.param(fragment(traf(AUDIO, 5000, trun(2**31, flags=0x100))), id="more samples than bytes"),
        pytest.param(box(b"mdat", b"moof and moof"), id="audio data that looks like a fragment"),
    ],
)
def test_data_after_the_last_complete_audio_fragment_does_not_change_the_duration(trailing_data: bytes) -> None:
    assert duration_ms(fragmented_file(LAST_FRAGMENT, trailing_data)) == 4010


@pytest.mark.parametrize(("stated_duration", "expected"), [(1000, 4010), (9000, 9000)])
def test_the_duration_is_the_stated_one_or_that_of_the_fragments_if_it_is_longer(
    stated_duration: int, expected: int
) -> None:
    assert duration_ms(fragmented_file(LAST_FRAGMENT, stated_duration=stated_duration)) == expected


def test_without_audio_fragments_the_stated_duration_is_used_or_the_file_is_rejected() -> None:
    for fragments in ((), (fragment(traf(VIDEO, 9000, trun(1))),), (LAST_FRAGMENT[:-20],)):
        assert rejection(fragmented_file(*fragments)) is RejectionReason.NO_DURATION
        assert duration_ms(fragmented_file(*fragments, stated_duration=1000)) == 1000


@pytest.mark.parametrize("is_64_bit", [True, False])
def test_a_stated_duration_of_all_ones_is_unknown(is_64_bit: bool) -> None:
    assert (
        duration_ms(
            fragmented_file(LAST_FRAGMENT, stated_duration=(1 << (64 if is_64_bit else 32)) - 1, is_64_bit=is_64_bit)
        )
        == 4010
    )


LONG_FRAGMENT = fragment(traf(AUDIO, 5000, trun(1)), audio=bytes(MAX_TAIL))
"""A fragment that ends at 5010. The backward search from the end of the file does not reach its start."""


def test_a_last_fragment_beyond_the_backward_search_is_found_from_the_start() -> None:
    assert duration_ms(fragmented_file(LAST_FRAGMENT, LONG_FRAGMENT, stated_duration=1000)) == 5010
    damaged = fragmented_file(LAST_FRAGMENT, LONG_FRAGMENT, b"\0\0\0\1junk", stated_duration=1000)
    assert rejection(damaged) is RejectionReason.NO_DURATION


def test_the_search_from_the_start_ends_at_the_limit_of_requests() -> None:
    two_block_fragment = fragment(traf(AUDIO, 4000, trun(1)), audio=bytes(2 * BLOCK))
    data = fragmented_file(*[two_block_fragment] * 100, LONG_FRAGMENT, stated_duration=1000)
    assert rejection(data) is RejectionReason.NO_DURATION
    file = to_ranged_file(data)
    probe_within_limits(file)
    assert file.requests <= MAX_REQUESTS
