"""The prober of lectures: format and duration of real recordings, and a limited cost for damaged and crafted recordings."""

import io
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.messages import RejectionReason
from handlers.voice_qa.validate_lecture import lecture_audio
from handlers.voice_qa.validate_lecture.lecture_audio import (
    BLOCK_BYTES,
    MAX_BLOCKS,
    MAX_READ_BYTES,
    READ_COST,
    AudioFile,
    RangedFile,
    ReadLimitExceeded,
    RejectedAudio,
    probe,
)
from tests.handlers.transcription.recordings import recording

pytestmark = pytest.mark.media
LIVE_WEBM = ("-live", "1", "-cluster_time_limit", "300")
"""WebM options for a live recording, which states no duration, with several clusters."""
FRAGMENTED_MP4 = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
FRAGMENT_IN_HEADER = ("-movflags", "frag_keyframe", "-frag_duration", "500000")
"""MP4 option that puts the first fragment into the header, which then states the duration of that fragment only."""
PICTURE = "testsrc=size=64x48:rate=5:duration={seconds}"
PICTURE_AND_TONE = f"sine=duration={{seconds}}[out0];{PICTURE}[out1]"
SPEECH_SECONDS = 1.234

RECORDINGS: list[tuple[str, str, tuple[str, ...], bool]] = [
    ("mp3", "mp3", (), False),
    ("mp3", "mp3-bare", (), False),
    ("mp4", "mp4", (), False),
    ("mp4", "mp4", ("-c:a", "alac"), False),
    ("wav", "wav", (), True),
    ("flac", "flac", (), False),
    ("ogg", "opus", (), True),
    ("ogg", "vorbis", (), False),
    ("webm", "webm", (), False),
    ("webm", "webm", LIVE_WEBM, True),
]
"""Format, kind of recording, options of ffmpeg, and True if ffmpeg writes to a pipe."""


def spoken(kind: str, *options: str, piped: bool = False) -> bytes:
    """Return a recording of `SPEECH_SECONDS`."""
    return recording(kind, *options, rate=48000, seconds=SPEECH_SECONDS, piped=piped)


def to_ranged_file(data: bytes, requests: list[int] | None = None) -> RangedFile:
    """Return a file whose requests are added to `requests`, with their numbers of bytes."""

    def fetch(start: int, length: int) -> bytes:
        if requests is not None:
            requests.append(length)
        return data[start : start + length]

    return RangedFile(fetch, len(data))


def probe_or_reject(data: bytes) -> AudioFile | RejectionReason:
    """Probe a file within the limits of its cost."""
    requests: list[int] = []
    result: AudioFile | RejectionReason
    try:
        result = probe(to_ranged_file(data, requests))
    except RejectedAudio as error:
        result = error.reason
    assert len(requests) <= MAX_BLOCKS
    assert sum(requests) <= len(data), "no byte is fetched twice"
    return result


@pytest.mark.parametrize(("audio_format", "kind", "options", "piped"), RECORDINGS)
def test_format_and_duration_are_read_from_the_content(
    audio_format: str, kind: str, options: tuple[str, ...], piped: bool
) -> None:
    audio = probe(to_ranged_file(spoken(kind, *options, piped=piped)))
    assert audio.format == audio_format
    assert audio.duration_ms == pytest.approx(SPEECH_SECONDS * 1000, abs=60)


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_video_file_is_probed_by_its_sound_and_rejected_without_sound(kind: str) -> None:
    codec = ("-c:v", {"mp4": "mpeg4", "webm": "libvpx"}[kind])
    with_sound = recording(kind, *codec, seconds=1, rate=48000, source=PICTURE_AND_TONE)
    assert probe(to_ranged_file(with_sound)).duration_ms == pytest.approx(1000, abs=60)
    assert probe_or_reject(recording(kind, *codec, "-an", seconds=1, source=PICTURE)) is RejectionReason.NO_AUDIO


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("aac", (), RejectionReason.UNKNOWN_FORMAT),
        ("webm", ("-f", "matroska"), RejectionReason.UNKNOWN_FORMAT),
        ("speex", (), RejectionReason.UNKNOWN_FORMAT),
        ("mp4", ("-c:a", "ac3"), RejectionReason.UNREADABLE),
        ("flac", (), RejectionReason.NO_DURATION),
        ("mp4", FRAGMENTED_MP4, RejectionReason.NO_DURATION),
        ("mp4", FRAGMENT_IN_HEADER, RejectionReason.NO_DURATION),
    ],
)
def test_other_formats_codecs_and_recordings_without_a_duration_are_rejected(
    kind: str, options: tuple[str, ...], reason: RejectionReason
) -> None:
    assert (
        probe_or_reject(recording(kind, *options, seconds=1, piped="-movflags" in options or kind == "flac")) is reason
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        *((b"text", RejectionReason.UNKNOWN_FORMAT), (b"RIFF\xff\xff\xff\xffAVI LIST", RejectionReason.UNKNOWN_FORMAT)),
        (b"\xff\xfb\x90\x64" + bytes(413), RejectionReason.UNREADABLE),  # a single frame
        *((b"\xff", RejectionReason.UNREADABLE), (b"\0\0\0\x14ftypM4A \0\0\0\0M4A ", RejectionReason.UNREADABLE)),
    ],
)
def test_a_file_without_a_recording_is_rejected(data: bytes, reason: RejectionReason) -> None:
    assert probe_or_reject(data) is reason


def test_an_ogg_page_without_a_position_does_not_change_the_duration() -> None:
    audio = spoken("opus")
    last_page = b"OggS\0\4" + b"\xff" * 8 + audio[14:18] + bytes(8) + b"\1\1x"
    assert probe(to_ranged_file(audio + last_page)) == probe(to_ranged_file(audio))


def test_a_live_recording_is_as_long_as_its_last_block() -> None:
    live = spoken("webm", *LIVE_WEBM, piped=True)
    assert live.count(lecture_audio.CLUSTER_START) > 2
    result = probe(to_ranged_file(live[: len(live) // 2] + lecture_audio.CLUSTER_START + b"\x81\x81noise"))
    assert result.duration_ms == pytest.approx(SPEECH_SECONDS * 500, abs=100)
    assert probe_or_reject(live[: live.index(lecture_audio.CLUSTER_START)]) is RejectionReason.NO_DURATION


@pytest.mark.parametrize("duration", [float("nan"), -1.0, float("inf")])
def test_a_duration_that_is_no_time_is_rejected(duration: float) -> None:
    audio = bytearray(spoken("webm"))
    position = audio.index(b"\x44\x89\x88") + 3
    audio[position : position + 8] = struct.pack(">d", duration)
    assert probe_or_reject(bytes(audio)) is RejectionReason.UNREADABLE


def test_only_small_parts_of_a_long_recording_are_read() -> None:
    cover = b"ID3\x04\x00\x00" + bytes([0, 0x7F, 0x7F, 0x7F]) + bytes((1 << 21) - 1)
    frames = recording("mp3-bare", "-b:a", "64k", rate=48000, seconds=1.2)
    audio = cover + frames * (10_800 * 8_000 // len(frames))  # three hours of 64 kbit/s
    requests: list[int] = []
    assert probe(to_ranged_file(audio, requests)).duration_ms == pytest.approx(3 * 3600 * 1000, rel=0.01)
    assert len(requests) <= 3


@given(st.sampled_from(RECORDINGS).map(lambda item: spoken(item[1], *item[2], piped=item[3])), st.data())
def test_a_damaged_recording_is_rejected_or_read(audio: bytes, data: st.DataObject) -> None:
    """The prober raises nothing but RejectedAudio, whatever is changed."""
    changed = bytearray(audio)
    # Most structures are near the start or the end.
    places = st.integers(0, 600) | st.integers(-600, -1) | st.integers(0, len(audio))
    for place, change in data.draw(st.lists(st.tuples(places, st.binary(max_size=9)), max_size=8)):
        start = place % (len(changed) + 1)
        removed = data.draw(st.sampled_from([0, len(change), 9]))
        changed[start : start + removed] = change
    cut = data.draw(st.integers(0, len(changed)) | st.just(len(changed)))
    probe_or_reject(bytes(changed[:cut]))


MP4_START = b"\0\0\0\x14ftypM4A \0\0\0\0M4A "


def id3_bomb() -> bytes:
    """Return a tag of 70 KB that unpacks to 70 MB."""
    zipped = zlib.compress(bytes(70_000_000))
    size = bytes(len(zipped) + 14 >> shift & 0x7F for shift in (21, 14, 7, 0))
    frame = b"TXXX" + struct.pack(">I", len(zipped) + 4) + b"\0\x80" + struct.pack(">I", 70_000_000)
    return b"ID3\x03\0\0" + size + frame + zipped


@pytest.mark.parametrize(
    "create_content",
    [
        pytest.param(lambda: id3_bomb() + spoken("mp3-bare"), id="tag that unpacks to 70 MB"),
        pytest.param(lambda: b"RIFF\xff\xff\xff\x7fWAVEfmt \xff\xff\xff\x7f" + bytes(80_000_000), id="long chunk"),
        pytest.param(lambda: MP4_START + b"\x7f\xff\xff\xffmoov" * 5_000, id="nested boxes"),
    ],
)  # fmt: skip
def test_a_crafted_file_needs_little_memory(create_content: Callable[[], bytes]) -> None:
    content, recursion_limit = create_content(), sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # Python's default; libraries that other tests import raise it
    tracemalloc.start()
    try:
        probe_or_reject(content)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
        sys.setrecursionlimit(recursion_limit)


DATA = bytes(range(256)) * 3 * 1024
SEEKS = st.one_of(
    st.tuples(st.integers(0, len(DATA) * 2), st.just(io.SEEK_SET)),
    st.tuples(st.integers(0, 5000), st.just(io.SEEK_CUR)),
    st.tuples(st.integers(-len(DATA), 0), st.just(io.SEEK_END)),
)


@given(st.lists(st.integers(-1, len(DATA) + 9) | SEEKS, max_size=20))
def test_reads_and_seeks_work_like_a_file_and_fetch_no_byte_twice(operations: list[int | tuple[int, int]]) -> None:
    requests: list[int] = []
    file, expected = to_ranged_file(DATA, requests), io.BytesIO(DATA)
    for operation in operations:
        if isinstance(operation, tuple):
            assert file.seek(*operation) == expected.seek(*operation)
        else:
            assert file.read(operation) == expected.read(operation)
        assert file.tell() == expected.tell()
    assert sum(requests) <= len(DATA)


def test_a_parser_cannot_make_millions_of_tiny_reads() -> None:
    file = to_ranged_file(b"OggS")
    for _ in range(MAX_READ_BYTES // READ_COST):
        assert file.read(1) == b"O"
        file.seek(0)
    with pytest.raises(ReadLimitExceeded):
        file.read(1)


def test_a_read_beyond_a_limit_fetches_nothing() -> None:
    requests: list[int] = []
    data = bytes(MAX_READ_BYTES + 1)
    with pytest.raises(ReadLimitExceeded):
        to_ranged_file(data, requests).read(MAX_READ_BYTES + 1)
    assert requests == []
    file = to_ranged_file(data, requests)
    file.read(MAX_BLOCKS * BLOCK_BYTES)
    with pytest.raises(ReadLimitExceeded):
        file.read(1)
    assert (len(requests), file.failure) == (MAX_BLOCKS, None), "`failure` is only set by an error of the storage"


@pytest.mark.parametrize("kind", ["mp3", "mp4", "opus", "webm"])
@pytest.mark.parametrize("requests_before", [0, 1])
def test_a_storage_error_is_raised_and_does_not_reject_the_file(
    kind: str, requests_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lecture_audio, "BLOCK_BYTES", 50)
    audio, requests = spoken(kind), iter(range(9))

    def fetch(start: int, length: int) -> bytes:
        if next(requests) >= requests_before:
            raise ReadTimeoutError(endpoint_url="x")
        return audio[start : start + length]

    with pytest.raises(ReadTimeoutError):
        probe(RangedFile(fetch, len(audio)))
    assert next(requests) == requests_before + 1, "no request follows a failed one"
