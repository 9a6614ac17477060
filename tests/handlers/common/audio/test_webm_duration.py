"""Tests of the WebM reader, mainly with live recordings that state no duration."""

import math
import struct

import pytest

from handlers.common.audio.probe_result import RejectionReason
from tests.handlers.common.audio.sample_files import LIVE, duration_ms, rejection, spoken

pytestmark = pytest.mark.media
ENDLESS = b"\x01" + b"\xff" * 7
CLUSTER = b"\x1f\x43\xb6\x75"
SOUND, PICTURES = 1, 2


def sized(identifier: bytes, content: bytes) -> bytes:
    return identifier + (len(content) | 0x4000).to_bytes(2, "big") + content


def block(track: int, offset: int) -> bytes:
    return bytes([0x80 | track]) + offset.to_bytes(2, "big", signed=True) + b"\x80sound"


def simple(track: int, offset: int, sound: bytes = b"") -> bytes:
    return sized(b"\xa3", block(track, offset) + sound)


def grouped(track: int, offset: int) -> bytes:
    return sized(b"\xa0", sized(b"\xa1", block(track, offset)) + sized(b"\x9b", b"\x14"))


def time(milliseconds: int) -> bytes:
    return sized(b"\xe7", milliseconds.to_bytes(4, "big"))


def cluster(milliseconds: int, *blocks: bytes, endless: bool = True) -> bytes:
    content = time(milliseconds) + b"".join(blocks)
    return CLUSTER + ENDLESS + content if endless else sized(CLUSTER, content)


def recorded(*clusters: bytes) -> bytes:
    """Return a live recording with these clusters."""
    live = spoken("webm", *LIVE, piped=True)
    return live[: live.index(CLUSTER)] + b"".join(clusters)


@pytest.mark.parametrize("endless", [True, False])
def test_the_last_audio_block_counts(endless: bool) -> None:
    blocks = (simple(SOUND, 20), simple(SOUND, 500), simple(SOUND, 480), simple(PICTURES, 900))
    assert duration_ms(recorded(cluster(0, simple(SOUND, 0)), cluster(7000, *blocks, endless=endless))) == 7500


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [
        pytest.param([cluster(7000, simple(SOUND, -20))], 6980, id="time before the cluster's"),
        pytest.param([cluster(7000, grouped(SOUND, 500), grouped(PICTURES, 900))], 7500, id="block groups"),
        pytest.param([cluster(1000, simple(SOUND, 5)), cluster(9000, simple(PICTURES, 5))], 1005, id="only pictures"),
        pytest.param(
            [cluster(1000, simple(SOUND, 5)), sized(b"\x1c\x53\xbb\x6b", b"\xbb\x80"), simple(SOUND, 900)],
            1005,
            id="block behind the index",
        ),
    ],
)
def test_only_audio_blocks_of_clusters_count(clusters: list[bytes], expected: int) -> None:
    assert duration_ms(recorded(*clusters)) == expected


@pytest.mark.parametrize("cut", range(1, 13))
def test_an_incomplete_block_does_not_count(cut: int) -> None:
    assert duration_ms(recorded(cluster(1000, simple(SOUND, 5), simple(SOUND, 900))[:-cut])) == 1005


@pytest.mark.parametrize("between", [sized(b"\x81", b"?"), sized(b"\xec", b"?") + sized(b"\x81", b"?"), b"", b"\x00"])
def test_audio_data_that_looks_like_a_cluster_is_not_one(between: bytes) -> None:
    sound = CLUSTER + ENDLESS + between + (time(99000) + simple(SOUND, 5) if between else b"")
    assert duration_ms(recorded(cluster(1000, simple(SOUND, 5, sound)))) == 1005


def test_without_any_audio_block_there_is_no_duration() -> None:
    for clusters in ((), (cluster(1000),), (cluster(1000, simple(PICTURES, 5)),)):
        assert rejection(recorded(*clusters)) is RejectionReason.NO_DURATION


def changed(identifier: bytes, size: int, value: bytes) -> bytes:
    """Return a recording with a changed element of the same total size."""
    audio = spoken("webm")
    place = audio.index(identifier)
    head = len(identifier) + 1
    assert audio[place + head - 1] == 0x80 | size
    return audio[: place + head] + value + audio[place + head + size :]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_duration_that_is_not_finite_is_unreadable(number: float) -> None:
    assert rejection(changed(b"\x44\x89", 8, struct.pack(">d", number))) is RejectionReason.UNREADABLE


def test_a_stated_duration_counts_and_a_timestamp_scale_applies_to_it() -> None:
    assert duration_ms(changed(b"\x44\x89", 8, struct.pack(">d", 4321.4))) == 4321
    assert duration_ms(changed(b"\x2a\xd7\xb1", 3, (500_000).to_bytes(3, "big"))) == pytest.approx(6172, abs=10)


@pytest.mark.parametrize("width", range(1, 9))
def test_sizes_of_any_width_are_read(width: int) -> None:
    audio = spoken("webm")
    length = 9 - audio[4].bit_length()
    size = int.from_bytes(audio[4 : 4 + length], "big") & (1 << 7 * length) - 1
    wider = audio[:4] + (size | 1 << 7 * width).to_bytes(width, "big") + audio[4 + length :]
    assert duration_ms(wider) == duration_ms(audio)


def test_another_document_type_is_an_unknown_format() -> None:
    assert rejection(b"\x1a\x45\xdf\xa3\x87\x42\x82\x84mkvx") is RejectionReason.UNKNOWN_FORMAT
