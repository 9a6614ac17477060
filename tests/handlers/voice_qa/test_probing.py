"""What recordings are found to be: real ones of every format, damaged ones, mislabelled ones, and noise."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.audio_files import AudioFile, AudioFormat, BadFile, Problem
from handlers.voice_qa.probing import probe
from handlers.voice_qa.ranged import BLOCK, TAIL, Bounds, RangedFile
from tests.handlers.transcription.recordings import heard_ms, looped, recording
from tests.handlers.voice_qa.lecture_recordings import (
    FIRST_IN_FRONT,
    FRAGMENTED,
    LIVE,
    PICTURES,
    SECONDS,
    SOUND,
    encoded,
    ranged,
    repeated,
    sparse,
    spoken,
)

pytestmark = pytest.mark.media
HOURS_MS = 3 * 3600 * 1000
KINDS = {
    "mp3": (AudioFormat.MP3, "mp3"),
    "mp3-bare": (AudioFormat.MP3, "mp3"),
    "mp4": (AudioFormat.MP4, "aac"),
    "wav": (AudioFormat.WAV, "pcm"),
    "flac": (AudioFormat.FLAC, "flac"),
    "flac-24": (AudioFormat.FLAC, "flac"),
    "opus": (AudioFormat.OGG, "opus"),
    "vorbis": (AudioFormat.OGG, "vorbis"),
    "webm": (AudioFormat.WEBM, "opus"),
}
SEEDS = [
    *((kind, (), False) for kind in KINDS),
    ("mp4", FRAGMENTED, True),
    ("mp4", FIRST_IN_FRONT, False),
    ("mp4", ("-movflags", "+faststart"), False),
    ("webm", LIVE, True),
    ("wav", (), True),
]


def problem(data: bytes) -> Problem:
    """Why it is refused."""
    with pytest.raises(BadFile) as refused:
        probe(ranged(data))
    return refused.value.problem


def short(kind: str, options: tuple[str, ...], piped: bool) -> bytes:
    """A recording of a second, small enough to be damaged everywhere."""
    return recording(kind, *options, rate=48000 if kind == "opus" else 16000, seconds=1, piped=piped)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_known_by_its_content(kind: str) -> None:
    audio = spoken(kind)
    found = probe(ranged(audio))
    assert (found.format, found.codec) == KINDS[kind]
    assert found.duration_ms == pytest.approx(heard_ms(audio), abs=60)
    assert found.duration_ms == pytest.approx(SECONDS * 1000, abs=60)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("mp4", FRAGMENTED), ("webm", LIVE), ("webm", ()), ("wav", ()), ("mp3", ()), ("opus", ()), ("vorbis", ())],
)
def test_what_was_written_without_going_back_has_its_length_too(kind: str, options: tuple[str, ...]) -> None:
    assert probe(ranged(spoken(kind, *options, piped=True))).duration_ms == pytest.approx(SECONDS * 1000, abs=60)


def test_fragments_count_beside_the_one_whose_length_is_told_in_front() -> None:
    assert probe(ranged(spoken("mp4", *FIRST_IN_FRONT))).duration_ms == pytest.approx(SECONDS * 1000, abs=60)


@pytest.mark.parametrize("flags", ["frag_keyframe", "frag_keyframe+empty_moov", "frag_keyframe+delay_moov"])
def test_the_last_fragment_counts_however_long_it_is(flags: str) -> None:
    """As a video's are: what is as large in little time is noise of a high rate."""
    noise, fragments = "anoisesrc=r=192000:a=0.9:d=23.5", ("-movflags", flags, "-frag_duration", "8000000")
    audio = encoded("mp4", "-c:a", "alac", "-sample_fmt", "s32p", *fragments, sources=(noise,))
    assert audio.rindex(b"moof") < len(audio) - TAIL
    assert probe(ranged(audio)).duration_ms == pytest.approx(23_500, abs=60)


def test_flac_that_does_not_tell_its_length_is_refused() -> None:
    assert problem(spoken("flac", piped=True)) is Problem.NO_DURATION


def test_an_mp4_may_keep_its_boxes_at_either_end() -> None:
    front, back = spoken("mp4", "-movflags", "+faststart"), spoken("mp4")
    assert front.index(b"moov") < front.index(b"mdat")
    assert back.index(b"mdat") < back.index(b"moov")
    assert probe(ranged(front)) == probe(ranged(back))


def test_tags_in_front_of_sound_are_stepped_over_unread() -> None:
    cover = b"ID3\x04\x00\x00" + bytes([0, 0x7F, 0x7F, 0x7F]) + bytes((1 << 21) - 1)
    for kind in ("mp3", "flac"):
        file = ranged(cover + cover + spoken(kind))
        assert probe(file).duration_ms == pytest.approx(SECONDS * 1000, abs=60)
        assert file.fetched <= 6 * BLOCK


def test_sound_beside_pictures_counts_and_pictures_alone_do_not() -> None:
    video = ("-c:v", "mpeg4", "-c:a", "aac")
    assert probe(ranged(encoded("mp4", *video, sources=(PICTURES, SOUND)))).codec == "aac"
    assert problem(encoded("mp4", "-c:v", "mpeg4", sources=(PICTURES,))) is Problem.NO_AUDIO
    clip = ("-c:v", "libvpx", "-c:a", "libopus")
    assert probe(ranged(encoded("webm", *clip, sources=(PICTURES, SOUND)))).duration_ms == pytest.approx(3000, abs=60)
    live = encoded("webm", *clip, *LIVE, sources=(PICTURES, SOUND))
    assert probe(ranged(live)).duration_ms == pytest.approx(3000, abs=60)
    assert problem(encoded("webm", "-c:v", "libvpx", sources=(PICTURES,))) is Problem.NO_AUDIO


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mp4", ("-c:a", "ac3")),
        ("ogg", ("-c:a", "libspeex", "-ar", "16000")),
        ("ogg", ("-c:a", "flac")),
        ("wav", ("-c:a", "libmp3lame")),
    ],
)
def test_codecs_that_a_format_may_hold_and_nobody_supports_are_refused(suffix: str, options: tuple[str, ...]) -> None:
    assert problem(encoded(suffix, *options, sources=(SOUND,))) is Problem.CODEC_NOT_SUPPORTED


@pytest.mark.parametrize(("suffix", "options"), [("aac", ()), ("mkv", ("-c:a", "libopus")), ("aiff", ()), ("mp2", ())])
def test_other_formats_are_not_known(suffix: str, options: tuple[str, ...]) -> None:
    assert problem(encoded(suffix, *options, sources=(SOUND,))) is Problem.UNKNOWN_FORMAT


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"mp3-bare"}))
def test_half_of_a_recording_is_noticed(kind: str) -> None:
    audio = spoken(kind)
    assert problem(audio[: len(audio) // 2]) is Problem.TRUNCATED


@pytest.mark.parametrize("second", [("-metadata", "title=x"), ("-id3v2_version", "0")])
@pytest.mark.parametrize("first", [(), ("-write_id3v1", "1")])
def test_an_mp3_with_another_behind_it_is_refused(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """Its table of contents tells of the first alone."""
    assert problem(spoken("mp3", *first) + spoken("mp3", *second)) is Problem.UNREADABLE


ID3_AT_THE_END = b"ID3\x04\x00\x10\x00\x00\x10\x00" + bytes(2048) + b"3DI\x04\x00\x10\x00\x00\x10\x00"


@pytest.mark.parametrize(
    "behind", [b"", b"TAG" + bytes(125), b"APETAGEX" + bytes(100_000), ID3_AT_THE_END, bytes(100_000)]
)
@pytest.mark.parametrize("uncounted", [False, True])
def test_tags_behind_an_mp3_are_no_part_of_it(behind: bytes, uncounted: bool) -> None:
    """Nor is a frame that its table did not count: some do not count their own."""
    audio = spoken("mp3")
    info = audio.index(b"Info")
    counted = int.from_bytes(audio[info + 12 : info + 16], "big")
    frame = audio.index(audio[len(audio) - counted :][:2], len(audio) - 600)
    told = counted - (len(audio) - frame) * uncounted
    changed = audio[: info + 12] + told.to_bytes(4, "big") + audio[info + 16 :]
    assert probe(ranged(changed + behind)) == probe(ranged(audio))


@pytest.mark.parametrize(("kind", "options"), [("webm", LIVE), ("mp4", FRAGMENTED), ("mp3-bare", ())])
def test_what_was_recorded_live_plays_as_far_as_it_goes(kind: str, options: tuple[str, ...]) -> None:
    audio = spoken(kind, *options, piped=True)
    assert probe(ranged(audio[: len(audio) // 2])).duration_ms == pytest.approx(SECONDS * 500, abs=600)


@pytest.mark.parametrize("size", [0, 1, 2, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_file_whose_samples_have_no_true_size_plays_to_its_end(size: int) -> None:
    audio = bytearray(spoken("wav"))
    place = audio.index(b"data") + 4
    true = len(audio) - place - 4
    audio[place : place + 4] = size.to_bytes(4, "little")
    if size in {1, 2}:
        assert problem(bytes(audio)) is Problem.NO_DURATION, "that is a size, and the file is as short as it says"
    else:
        assert probe(ranged(bytes(audio))).duration_ms == round(true / 96)


def test_a_wav_file_that_promises_more_than_it_has_is_cut_off() -> None:
    audio = bytearray(spoken("wav"))
    place = audio.index(b"data") + 4
    audio[place : place + 4] = len(audio).to_bytes(4, "little")
    assert problem(bytes(audio)) is Problem.TRUNCATED


def stretched_ogg() -> RangedFile:
    audio = spoken("opus")
    last = audio.rindex(b"OggS")
    position = (HOURS_MS * 48 + 312).to_bytes(8, "little")
    return sparse(audio[: 64 * 1024], audio[last : last + 6] + position + audio[last + 14 :], 10**9)


def stretched_webm() -> RangedFile:
    audio = spoken("webm", *LIVE, piped=True)
    cluster = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x84" + HOURS_MS.to_bytes(4, "big")
    return sparse(audio[: 32 * 1024], cluster + b"\xa3\x85\x81\x00\x00\x80\x00", 10**9)


def stretched_wav() -> RangedFile:
    head = bytearray(spoken("wav")[:100])
    place, length = head.index(b"data") + 4, HOURS_MS * 96
    head[place : place + 4] = length.to_bytes(4, "little")
    return sparse(bytes(head), b"", place + 4 + length)


def stretched_mp3() -> RangedFile:
    frames = recording("mp3-bare", "-b:a", "64k", rate=48000, seconds=1.2)
    return repeated(frames, HOURS_MS * 8)


@pytest.mark.parametrize("stretched", [stretched_mp3, stretched_ogg, stretched_wav, stretched_webm])
def test_three_hours_are_known_by_their_ends(stretched: object) -> None:
    file: RangedFile = stretched()  # type: ignore[operator]
    assert file.size > 80_000_000
    assert probe(file).duration_ms == HOURS_MS
    assert file.fetched <= 4 * BLOCK
    assert file.requests <= 4


SILENCE = "anullsrc=r={rate}:cl=mono:d={seconds}"


def hours_of_flac() -> bytes:
    """At a low rate: what is read is the head, and samples are what encoding takes its time for."""
    return recording("flac", "-compression_level", "0", rate=1000, seconds=HOURS_MS / 1000, source=SILENCE)


def hours_of_mp4() -> bytes:
    minute = recording("mp4", "-b:a", "8k", rate=8000, seconds=64, source=SILENCE)
    return looped(minute, "mp4", HOURS_MS / 1000)


@pytest.mark.parametrize("made", [hours_of_flac, hours_of_mp4])
def test_three_real_hours_are_known_by_their_headers(made: Callable[[], bytes]) -> None:
    file = ranged(made())
    assert probe(file).duration_ms == pytest.approx(HOURS_MS, abs=200)
    assert file.fetched <= 4 * BLOCK < file.size
    assert file.requests <= 4


def checked(data: bytes) -> AudioFile | None:
    """What it is, within the price that one file may have; none where it is refused."""
    file = ranged(data)
    try:
        found = probe(file)
    except BadFile:
        found = None
    assert file.fetched <= min(len(data), Bounds().fetched)
    return found


@given(st.binary(max_size=3000))
def test_noise_is_never_anything_but_refused_or_read(data: bytes) -> None:
    checked(data)


@given(
    st.sampled_from([b"ID3\x04\0\0\0\0\0\0", b"\xff\xfb\x90\x64", b"RIFF\0\0\0\0WAVE", b"fLaC\0\0\0\x22", b"OggS\0\2"]),
    st.binary(max_size=2000),
)
def test_noise_behind_a_true_beginning_is_refused_or_read(head: bytes, data: bytes) -> None:
    checked(head + data)


@given(st.sampled_from([b"\0\0\0\x14ftypM4A \0\0\0\0M4A ", b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"]), st.binary())
def test_noise_behind_the_head_of_a_container_is_refused_or_read(head: bytes, data: bytes) -> None:
    checked(head + data)


@pytest.mark.parametrize(("kind", "options", "piped"), SEEDS)
@given(share=st.floats(0, 1))
def test_a_recording_that_ends_anywhere_is_refused_or_plays_no_longer(
    kind: str, options: tuple[str, ...], piped: bool, share: float
) -> None:
    audio = short(kind, options, piped)
    found = checked(audio[: int(len(audio) * share)])
    assert found is None or 0 < found.duration_ms <= 1200


@pytest.mark.parametrize(("kind", "options", "piped"), SEEDS)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 40), head=st.booleans())
def test_a_damaged_recording_is_refused_or_read(
    kind: str, options: tuple[str, ...], piped: bool, seed: int, flips: int, head: bool
) -> None:
    audio, chance = bytearray(short(kind, options, piped)), random.Random(seed)  # noqa: S311 - damage, not a secret
    for _ in range(flips):
        audio[chance.randrange(min(len(audio), 600) if head else len(audio))] ^= 1 << chance.randrange(8)
    checked(bytes(audio))


def test_boxes_without_end_do_not_keep_anybody() -> None:
    head = b"\0\0\0\x14ftypM4A \0\0\0\0M4A "
    assert problem(head + b"\0\0\0\x08free" * 400_000) is Problem.UNREADABLE
    assert problem(head + b"\0\0\0\x00free") is Problem.UNREADABLE
    assert problem(head + b"\0\0\0\x01free" + bytes(8)) is Problem.UNREADABLE


def test_pages_and_clusters_without_end_do_not_keep_anybody() -> None:
    page = b"OggS\0\0" + b"\xff" * 8 + bytes(13)
    assert problem(spoken("opus")[:1000] + page[:27] * 300_000) in {Problem.UNREADABLE, Problem.TRUNCATED}
    assert problem(spoken("webm", *LIVE, piped=True)[:400] + b"\x1f\x43\xb6\x75" * 2_000_000) in {
        Problem.UNREADABLE,
        Problem.NO_DURATION,
    }


@pytest.mark.parametrize("kind", ["flac", "flac-24", "vorbis", "mp4"])
@pytest.mark.parametrize("requests_before", [0, 1])
def test_storage_that_fails_is_not_the_files_fault(kind: str, requests_before: int) -> None:
    audio, left = spoken(kind), [None] * requests_before

    def fetch(start: int, length: int) -> bytes:
        if not left:
            raise ReadTimeoutError(endpoint_url="x")
        left.pop()
        return audio[start : start + length]

    with pytest.raises(ReadTimeoutError):
        probe(RangedFile(fetch, len(audio)))


def test_every_format_is_told_from_every_other() -> None:
    formats = [probe(ranged(spoken(kind))).format for kind in sorted(KINDS, key=lambda kind: KINDS[kind][0])]
    assert sum(one is not other for one, other in pairwise(formats)) == len(AudioFormat) - 1


def test_what_is_longer_than_any_lecture_could_be_is_wrong() -> None:
    audio = spoken("opus")
    last = audio.rindex(b"OggS")
    assert problem(audio[: last + 6] + b"\xff" * 7 + b"\x7f" + audio[last + 14 :]) is Problem.UNREADABLE
