"""Tests of the WebM reader, mainly with live recordings that state no duration."""

import math
import struct

import pytest

from handlers.common.audio.probe_result import RejectionReason
from tests.handlers.common.audio.sample_files import LIVE_WEBM, SPEECH_SECONDS, duration_ms, rejection, spoken

pytestmark = pytest.mark.media
UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
CLUSTER, DURATION, TIMESTAMP_SCALE = b"\x1f\x43\xb6\x75", b"\x44\x89", b"\x2a\xd7\xb1"
CUES, VOID, UNKNOWN_ELEMENT = b"\x1c\x53\xbb\x6b", b"\xec", b"\x81"
"""Ids of the cues (an index, which ends a cluster of unknown size), of padding, and of an element outside clusters."""
AUDIO, VIDEO = 1, 2
"""Numbers of the audio and the video track."""


def element(identifier: bytes, content: bytes) -> bytes:
    return identifier + (len(content) | 0x4000).to_bytes(2, "big") + content


def block(track: int, offset: int) -> bytes:
    """Return a block whose time is given as the offset from its cluster's time."""
    return bytes([0x80 | track]) + offset.to_bytes(2, "big", signed=True) + b"\x80sound"


def audio_block(offset: int, data: bytes = b"") -> bytes:
    return element(b"\xa3", block(AUDIO, offset) + data)


def video_block(offset: int) -> bytes:
    return element(b"\xa3", block(VIDEO, offset))


def block_group(track: int, offset: int) -> bytes:
    return element(b"\xa0", element(b"\xa1", block(track, offset)) + element(b"\x9b", b"\x14"))


def cluster_time(milliseconds: int) -> bytes:
    return element(b"\xe7", milliseconds.to_bytes(4, "big"))


def cluster(milliseconds: int, *blocks: bytes, has_unknown_size: bool = True) -> bytes:
    content = cluster_time(milliseconds) + b"".join(blocks)
    return CLUSTER + UNKNOWN_SIZE + content if has_unknown_size else element(CLUSTER, content)


def live_file(*clusters: bytes) -> bytes:
    """Return a live recording with these clusters."""
    live = spoken("webm", *LIVE_WEBM, piped=True)
    return live[: live.index(CLUSTER)] + b"".join(clusters)


@pytest.mark.parametrize("has_unknown_size", [True, False])
def test_the_latest_audio_block_decides_the_duration(has_unknown_size: bool) -> None:
    blocks = (audio_block(20), audio_block(500), audio_block(480), video_block(900))
    last_cluster = cluster(7000, *blocks, has_unknown_size=has_unknown_size)
    assert duration_ms(live_file(cluster(0, audio_block(0)), last_cluster)) == 7500


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [
        pytest.param([cluster(7000, audio_block(-20))], 6980, id="before the cluster's time"),
        pytest.param([cluster(7000, block_group(AUDIO, 500), block_group(VIDEO, 900))], 7500, id="block groups"),
        pytest.param(
            [cluster(1000, audio_block(5)), cluster(9000, video_block(5))], 1005, id="last cluster with video only"
        ),
        pytest.param(
            [cluster(1000, audio_block(5)), element(CUES, b"\xbb\x80"), audio_block(900)],
            1005,
            id="block after the cues, outside any cluster",
        ),
    ],
)
def test_only_audio_blocks_in_clusters_decide_the_duration(clusters: list[bytes], expected: int) -> None:
    assert duration_ms(live_file(*clusters)) == expected


@pytest.mark.parametrize("missing_bytes", range(1, 13))
def test_an_incomplete_last_block_is_ignored(missing_bytes: int) -> None:
    data = cluster(1000, audio_block(5), audio_block(900))
    assert duration_ms(live_file(data[:-missing_bytes])) == 1005


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(element(UNKNOWN_ELEMENT, b"?"), id="unknown element"),
        pytest.param(element(VOID, b"?") + element(UNKNOWN_ELEMENT, b"?"), id="padding and unknown element"),
        pytest.param(b"", id="no element"),
        pytest.param(b"\x00", id="invalid element"),
    ],
)
def test_audio_data_that_looks_like_a_cluster_is_not_one(content: bytes) -> None:
    audio = CLUSTER + UNKNOWN_SIZE + content + (cluster_time(99000) + audio_block(5) if content else b"")
    assert duration_ms(live_file(cluster(1000, audio_block(5, audio)))) == 1005


def test_a_live_recording_without_audio_blocks_is_rejected() -> None:
    for clusters in ((), (cluster(1000),), (cluster(1000, video_block(5)),)):
        assert rejection(live_file(*clusters)) is RejectionReason.NO_DURATION


def recording_with(identifier: bytes, size: int, value: bytes) -> bytes:
    """Return a recording in which an element of this size has another value."""
    audio = spoken("webm")
    start = audio.index(identifier) + len(identifier) + 1
    assert audio[start - 1] == 0x80 | size
    return audio[:start] + value + audio[start + size :]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_duration_that_is_not_finite_is_unreadable(number: float) -> None:
    assert rejection(recording_with(DURATION, 8, struct.pack(">d", number))) is RejectionReason.UNREADABLE


def test_a_stated_duration_is_used_in_units_of_the_timestamp_scale() -> None:
    assert duration_ms(recording_with(DURATION, 8, struct.pack(">d", 4321.4))) == 4321
    half_scale = recording_with(TIMESTAMP_SCALE, 3, (500_000).to_bytes(3, "big"))  # instead of 1,000,000 ns
    assert duration_ms(half_scale) == pytest.approx(SPEECH_SECONDS * 1000 / 2, abs=10)


@pytest.mark.parametrize("width", range(1, 9))
def test_sizes_of_any_width_are_read(width: int) -> None:
    audio = spoken("webm")
    length = 9 - audio[4].bit_length()
    size = int.from_bytes(audio[4 : 4 + length], "big") & (1 << 7 * length) - 1
    wider = audio[:4] + (size | 1 << 7 * width).to_bytes(width, "big") + audio[4 + length :]
    assert duration_ms(wider) == duration_ms(audio)


def test_another_document_type_is_an_unknown_format() -> None:
    assert rejection(b"\x1a\x45\xdf\xa3\x87\x42\x82\x84mkvx") is RejectionReason.UNKNOWN_FORMAT
