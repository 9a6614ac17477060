"""MP4 box by box: tracks, and fragments whose samples tell their length in any of the ways they may."""

import pytest

from handlers.voice_qa.audio_files import BadFile, Problem
from handlers.voice_qa.mp4 import MOST_BOXES, read
from handlers.voice_qa.ranged import BLOCK, TAIL, Bounds
from tests.handlers.voice_qa.lecture_recordings import ranged

SOUND, PICTURES = 7, 2
RATE = 1000


def box(kind: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return (len(joined) + 8).to_bytes(4, "big") + kind + joined


def full(kind: bytes, *numbers: int | bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with a version, flags and fields of four bytes."""
    fields = (one if isinstance(one, bytes) else one.to_bytes(4, "big") for one in numbers)
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


def fragmented(in_front: int = 0, sample_duration: int = 0) -> bytes:
    """What comes before fragments."""
    tracks = track(PICTURES, b"vide", 0), track(SOUND, b"soun", in_front)
    return movie(*tracks, fragmented=True, sample_duration=sample_duration)


def played(*fragments: bytes, sample_duration: int = 0, in_front: int = 0) -> int:
    moov = fragmented(in_front, sample_duration)
    return read(ranged(moov + b"".join(fragments))).duration_ms


FAR = bytes(TAIL)
"""Sound of a fragment that is longer than the search for it."""


def far_fragments(*begins: int) -> bytes:
    """Fragments of ten milliseconds of sound, the last of which is not found from the end."""
    *first, last = (run_of(SOUND, begin, samples(1, 10, flags=0x100)) for begin in begins)
    return b"".join(map(fragment, first)) + fragment(last, sound=FAR)


def index(*places: tuple[int, int], wide: bool = False, lengths: int = 0) -> bytes:
    """What some programs write behind fragments: of each track where two of them begin, the last at a place."""
    width = 8 if wide else 4
    rest = bytes(sum((lengths >> shift & 3) + 1 for shift in (0, 2, 4)))
    lists = [
        full(
            *(b"tfra", number, lengths, 2, bytes(2 * width), rest, bytes(width), place.to_bytes(width, "big"), rest),
            version=int(wide),
        )
        for number, place in places
    ]
    return box(b"mfra", *lists, full(b"mfro", 8 + sum(map(len, lists)) + 16))


def refused(data: bytes) -> Problem:
    with pytest.raises(BadFile) as error:
        read(ranged(data))
    return error.value.problem


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("codec", ["mp4a", "Opus", "fLaC", "alac"])
def test_the_track_with_sound_counts(codec: str, wide: bool) -> None:
    pictures, sound = track(1, b"vide", 99), track(2, b"soun", 5000, wide=wide, codec=codec.encode())
    assert read(ranged(movie(pictures, sound))).duration_ms == 5000


@pytest.mark.parametrize(
    ("moov", "problem"),
    [
        (movie(track(1, b"vide", 99)), Problem.NO_AUDIO),
        (movie(), Problem.NO_AUDIO),
        (movie(track(1, b"soun", 99, codec=b"enca")), Problem.CODEC_NOT_SUPPORTED),
        (movie(track(1, b"soun", 99))[:-1], Problem.TRUNCATED),
        (movie(track(1, b"soun", 99)) + b"\0\0\0\x09mdat", Problem.TRUNCATED),
        (movie(track(1, b"soun", 99)) + b"\0\0\0", Problem.TRUNCATED),
        (movie(track(1, b"soun", 99)) + b"\0\0\0\x07mdat", Problem.UNREADABLE),
        (box(b"ftyp", b"M4A ") + box(b"mdat", b"sound"), Problem.UNREADABLE),
        (box(b"ftyp", b"M4A ") + box(b"moov", box(b"trak", b"\0\0\0\x99mdia")), Problem.UNREADABLE),
        (box(b"ftyp", b"M4A ") + box(b"moov", box(b"trak", box(b"mdia", full(b"hdlr", 0)))), Problem.UNREADABLE),
        (
            box(b"ftyp", b"M4A ") + box(b"moov", box(b"trak", box(b"mdia", full(b"hdlr", 0, b"soun")))),
            Problem.UNREADABLE,
        ),
    ],
)
def test_what_has_no_whole_track_with_sound_is_refused(moov: bytes, problem: Problem) -> None:
    assert refused(moov) is problem


def test_a_box_may_have_a_large_size_or_go_on_to_the_end() -> None:
    large = b"\0\0\0\x01mdat" + (21).to_bytes(8, "big") + b"sound"
    last = b"\0\0\0\0mdatsound"
    assert read(ranged(movie(track(1, b"soun", 5000)) + large + last)).duration_ms == 5000


@pytest.mark.parametrize("wide", [True, False])
def test_samples_may_each_tell_how_long_they_play(wide: bool) -> None:
    runs = (samples(2, 20, 30, flags=0x100), samples(2, 0, 0, 5, 99, 7, 99, flags=0x305))
    assert played(fragment(run_of(SOUND, 4000, *runs, wide=wide))) == 4062


def test_samples_may_play_as_long_as_their_fragment_or_their_track_says() -> None:
    assert played(fragment(run_of(SOUND, 4000, samples(3))), sample_duration=10) == 4030
    told = run_of(SOUND, 4000, samples(3), header=(25).to_bytes(4, "big"), flags=0x8)
    assert played(fragment(told), sample_duration=10) == 4075
    header = bytes(8) + bytes(4) + (25).to_bytes(4, "big")
    assert played(fragment(run_of(SOUND, 4000, samples(3), header=header, flags=0xB))) == 4075


def test_pictures_do_not_count_and_may_come_last() -> None:
    both = fragment(run_of(PICTURES, 9000, samples(1)), run_of(SOUND, 4000, samples(1)))
    assert played(both, fragment(run_of(PICTURES, 9500, samples(1))), sample_duration=10) == 4010


def test_a_fragment_that_is_cut_off_does_not_count() -> None:
    first, last = (fragment(run_of(SOUND, begin, samples(1))) for begin in (4000, 5000))
    assert played(first, last[:-20], sample_duration=10) == 4010


def test_a_run_that_promises_more_samples_than_it_has_is_none() -> None:
    good, bad = run_of(SOUND, 4000, samples(1)), run_of(SOUND, 5000, samples(2**31, flags=0x100))
    assert played(fragment(good), fragment(bad), sample_duration=10) == 4010


def test_without_fragments_of_sound_there_is_no_duration() -> None:
    for fragments in ((), (fragment(run_of(PICTURES, 9000, samples(1))),), (b"moof",)):
        assert refused(fragmented() + b"".join(fragments)) is Problem.NO_DURATION


@pytest.mark.parametrize(("in_front", "length"), [(1000, 4010), (9000, 9000)])
def test_what_a_fragmented_movie_says_in_front_may_be_its_first_fragment_alone(in_front: int, length: int) -> None:
    assert played(fragment(run_of(SOUND, 4000, samples(1))), sample_duration=10, in_front=in_front) == length


def test_a_fragmented_movie_keeps_what_it_says_in_front_where_no_fragment_is_found() -> None:
    assert played(in_front=1000) == 1000


def test_a_first_fragment_whose_follower_was_not_finished_plays_as_long_as_it_says() -> None:
    assert played(fragment(run_of(SOUND, 4000, samples(1)))[:-20], in_front=1000) == 1000


@pytest.mark.parametrize("in_front", [0, 1000])
@pytest.mark.parametrize(("wide", "lengths"), [(False, 0), (True, 0b111001)])
def test_a_last_fragment_that_begins_far_from_the_end_is_found_by_the_files_index(
    wide: bool, lengths: int, in_front: int
) -> None:
    fragments = b"".join(fragment(run_of(SOUND, begin, samples(1))) for begin in range(MOST_BOXES))
    last = len(fragmented()) + len(fragments)
    indexed = index((PICTURES, 0), (SOUND, last), wide=wide, lengths=lengths)
    assert played(fragments, far_fragments(4000), indexed, in_front=in_front) == 4010


def test_fragments_that_follow_those_of_the_index_count_too() -> None:
    indexed = index((SOUND, len(fragmented())))
    assert played(far_fragments(4000, 5000, 6000), indexed, in_front=1000) == 6010


@pytest.mark.parametrize(
    "indexed",
    [
        *(b"", index(), index((SOUND, 0)), index((SOUND, 2**32 - 1)), index((PICTURES, len(fragmented())))),
        *(index((SOUND, 9))[:-4] + size.to_bytes(4, "big") for size in (0, 1, 16, 30, 2**32 - 1)),
        full(b"mfro", TAIL),
        box(b"mfra", box(b"tfra", bytes(9)), full(b"mfro", 41)),
    ],
)
def test_where_the_index_is_of_no_use_fragments_are_counted_from_the_first(indexed: bytes) -> None:
    assert played(far_fragments(4000, 5000), indexed, in_front=1000) == 5010


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(far_fragments(*range(MOST_BOXES)), id="too many"),
        pytest.param(far_fragments(4000) + b"\0\0\0\1junk", id="and what is none"),
        pytest.param(fragment(run_of(PICTURES, 9000, samples(1))), id="of pictures"),
    ],
)
def test_a_last_fragment_that_is_not_found_leaves_the_length_unknown(fragments: bytes) -> None:
    assert refused(fragmented(in_front=1000) + fragments) is Problem.NO_DURATION


def test_fragments_far_apart_are_not_gone_through_for_ever() -> None:
    apart = fragment(run_of(SOUND, 4000, samples(1)), sound=bytes(2 * BLOCK))
    file = ranged(fragmented(in_front=1000) + apart * 100 + far_fragments(5000))
    with pytest.raises(BadFile) as refused:
        read(file)
    assert refused.value.problem is Problem.NO_DURATION
    assert file.requests <= Bounds().requests


def test_a_duration_that_is_all_ones_is_unknown() -> None:
    for wide, ones in ((False, 2**32 - 1), (True, 2**64 - 1)):
        moov = movie(track(SOUND, b"soun", ones, wide=wide), fragmented=True)
        assert read(ranged(moov + fragment(run_of(SOUND, 0, samples(1, 20, flags=0x100))))).duration_ms == 20


def test_a_track_without_a_timescale_is_refused() -> None:
    moov = movie(track(1, b"soun", 99)).replace(RATE.to_bytes(4, "big"), bytes(4))
    with pytest.raises(BadFile):
        read(ranged(moov))
