"""Tests of the MP4 reader with files that are built box by box."""

import pytest

from handlers.common.audio.probe_result import RejectionReason
from handlers.common.audio.ranged_file import BLOCK, MAX_REQUESTS, MAX_TAIL
from tests.handlers.common.audio.sample_files import duration_ms, ranged, rejection
from tests.handlers.common.audio.test_probe import checked

SOUND, PICTURES = 7, 2
RATE = 1000


def box(kind: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return (len(joined) + 8).to_bytes(4, "big") + kind + joined


def full(kind: bytes, *numbers: int | bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box with a version, flags and fields of four bytes."""
    fields = (number if isinstance(number, bytes) else number.to_bytes(4, "big") for number in numbers)
    return box(kind, bytes([version]), flags.to_bytes(3, "big"), *fields)


def track(number: int, handler: bytes, duration: int, *, wide: bool = False, codec: bytes = b"mp4a") -> bytes:
    times = (bytes(16), RATE, duration.to_bytes(8, "big")) if wide else (bytes(8), RATE, duration)
    return box(
        b"trak",
        full(b"tkhd", bytes(16 if wide else 8), number, version=int(wide)),
        box(
            b"mdia",
            full(b"mdhd", *times, version=int(wide)),
            full(b"hdlr", 0, handler),
            box(b"minf", box(b"stbl", full(b"stsd", 1, box(codec, bytes(28))))),
        ),
    )


def movie(*tracks: bytes, fragmented: bool = False, sample_duration: int = 0) -> bytes:
    extension = box(b"mvex", full(b"trex", PICTURES, 1, 9999), full(b"trex", SOUND, 1, sample_duration))
    return box(b"ftyp", b"M4A ") + box(b"moov", *tracks, extension if fragmented else b"")


def fragment(*trafs: bytes, sound: bytes = b"sound") -> bytes:
    return box(b"moof", full(b"mfhd", 1), *trafs) + box(b"mdat", sound)


def run_of(number: int, begin: int, *runs: bytes, header: bytes = b"", flags: int = 0, wide: bool = False) -> bytes:
    start = begin.to_bytes(8 if wide else 4, "big")
    return box(b"traf", full(b"tfhd", number, header, flags=flags), full(b"tfdt", start, version=int(wide)), *runs)


def samples(count: int, *fields: int, flags: int = 0) -> bytes:
    return full(b"trun", count, *fields, flags=flags)


def fragmented(*fragments: bytes, stated: int = 0, sample_duration: int = 10, wide: bool = False) -> bytes:
    """Return a fragmented file whose header states a duration."""
    tracks = track(PICTURES, b"vide", 0), track(SOUND, b"soun", stated, wide=wide)
    return movie(*tracks, fragmented=True, sample_duration=sample_duration) + b"".join(fragments)


LAST = fragment(run_of(SOUND, 4000, samples(1)))
"""A fragment that ends at 4010."""


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("codec", ["mp4a", "Opus", "fLaC", "alac"])
def test_the_first_audio_track_counts(codec: str, wide: bool) -> None:
    pictures, sound = track(1, b"vide", 99), track(2, b"soun", 5000, wide=wide, codec=codec.encode())
    assert duration_ms(movie(pictures, sound, track(3, b"soun", 9000))) == 5000


def test_a_box_may_have_a_large_size_or_extend_to_the_end() -> None:
    large = b"\0\0\0\x01mdat" + (21).to_bytes(8, "big") + b"sound"
    assert duration_ms(movie(track(1, b"soun", 5000)) + large + b"\0\0\0\0mdatsound") == 5000


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (movie(track(1, b"vide", 99)), RejectionReason.NO_AUDIO),
        (movie(), RejectionReason.NO_AUDIO),
        (movie(track(1, b"soun", 99, codec=b"enca")), RejectionReason.CODEC_NOT_SUPPORTED),
        (movie(track(1, b"soun", 99))[:-1], RejectionReason.TRUNCATED),
        (movie(track(1, b"soun", 99)) + b"\0\0\0\x09mdat", RejectionReason.TRUNCATED),
        (movie(track(1, b"soun", 99)) + b"\0\0\0", RejectionReason.TRUNCATED),
        (movie(track(1, b"soun", 99)) + b"\0\0\0\x07mdat", RejectionReason.UNREADABLE),
        (movie(track(1, b"soun", 99)).replace(RATE.to_bytes(4, "big"), bytes(4)), RejectionReason.UNREADABLE),
        (box(b"ftyp", b"M4A ") + box(b"mdat", b"sound"), RejectionReason.UNREADABLE),
        (movie(box(b"trak", b"\0\0\0\x99mdia")), RejectionReason.UNREADABLE),
        (movie(box(b"trak", box(b"mdia", full(b"hdlr", 0)))), RejectionReason.UNREADABLE),
        (movie(box(b"trak", box(b"mdia", full(b"hdlr", 0, b"soun")))), RejectionReason.UNREADABLE),
    ],
)
def test_a_file_without_a_complete_audio_track_is_rejected(file: bytes, reason: RejectionReason) -> None:
    assert rejection(file) is reason


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param(run_of(SOUND, 4000, samples(7)), 4070, id="duration of the movie"),
        pytest.param(run_of(SOUND, 4000, samples(7), samples(3)), 4100, id="two runs"),
        pytest.param(run_of(SOUND, 1 << 33, samples(7), wide=True), (1 << 33) + 70, id="wide time"),
        pytest.param(
            run_of(SOUND, 4000, samples(7), header=(20).to_bytes(4, "big"), flags=0x8), 4140, id="of the fragment"
        ),
        pytest.param(
            run_of(SOUND, 4000, samples(7), header=bytes(12) + (20).to_bytes(4, "big"), flags=0xB),
            4140,
            id="of the fragment, behind other fields",
        ),
        pytest.param(run_of(SOUND, 4000, samples(2, 5, 6, flags=0x100)), 4011, id="of each sample"),
        pytest.param(
            run_of(SOUND, 4000, samples(2, 0, 0, 5, 99, 99, 6, 99, 99, flags=0x705)), 4011, id="among other fields"
        ),
    ],
)
def test_a_fragment_states_the_duration_of_its_samples_in_one_of_these_ways(last: bytes, expected: int) -> None:
    assert duration_ms(fragmented(fragment(run_of(SOUND, 0, samples(1))), fragment(last))) == expected


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(fragment(run_of(PICTURES, 9000, samples(1))), id="pictures"),
        pytest.param(fragment(run_of(SOUND, 5000, samples(1)))[:-20], id="cut off"),
        pytest.param(fragment(run_of(SOUND, 5000, samples(2**31, flags=0x100))), id="more samples than bytes"),
        pytest.param(box(b"mdat", b"moof and moof"), id="audio data that looks like a fragment"),
    ],
)
def test_what_follows_the_last_complete_audio_fragment_does_not_count(behind: bytes) -> None:
    assert duration_ms(fragmented(LAST, behind)) == 4010


@pytest.mark.parametrize(("stated", "expected"), [(1000, 4010), (9000, 9000)])
def test_the_longer_of_stated_duration_and_last_fragment_counts(stated: int, expected: int) -> None:
    assert duration_ms(fragmented(LAST, stated=stated)) == expected


def test_without_audio_fragments_the_stated_duration_counts() -> None:
    for fragments in ((), (fragment(run_of(PICTURES, 9000, samples(1))),), (LAST[:-20],)):
        assert rejection(fragmented(*fragments)) is RejectionReason.NO_DURATION
        assert duration_ms(fragmented(*fragments, stated=1000)) == 1000


@pytest.mark.parametrize("wide", [True, False])
def test_a_stated_duration_of_all_ones_is_unknown(wide: bool) -> None:
    assert duration_ms(fragmented(LAST, stated=(1 << (64 if wide else 32)) - 1, wide=wide)) == 4010


FAR = bytes(MAX_TAIL)
"""Audio of a fragment that is longer than the search for it."""


def test_fragments_that_are_longer_than_the_search_are_walked_through() -> None:
    far = fragment(run_of(SOUND, 5000, samples(1)), sound=FAR)
    assert duration_ms(fragmented(LAST, far, stated=1000)) == 5010
    assert rejection(fragmented(LAST, far, b"\0\0\0\1junk", stated=1000)) is RejectionReason.NO_DURATION


def test_fragments_are_walked_through_as_far_as_the_limits_allow() -> None:
    apart = fragment(run_of(SOUND, 4000, samples(1)), sound=bytes(2 * BLOCK))
    data = fragmented(*[apart] * 100, fragment(run_of(SOUND, 5000, samples(1)), sound=FAR), stated=1000)
    assert rejection(data) is RejectionReason.NO_DURATION
    file = ranged(data)
    checked(file)
    assert file.requests <= MAX_REQUESTS
