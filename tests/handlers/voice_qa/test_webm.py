"""WebM without a duration: the last block of sound is found, whatever else lies at the file's end."""

import pytest

from handlers.voice_qa.audio_files import BadFile, Problem
from handlers.voice_qa.webm import read
from tests.handlers.voice_qa.lecture_recordings import LIVE, ranged, spoken

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


def recorded(*clusters: bytes) -> int:
    """How long a recording of these plays."""
    live = spoken("webm", *LIVE, piped=True)
    data = live[: live.index(CLUSTER)] + b"".join(clusters)
    return read(ranged(data)).duration_ms


@pytest.mark.parametrize("endless", [True, False])
def test_the_last_block_of_sound_counts(endless: bool) -> None:
    blocks = (simple(SOUND, 20), simple(SOUND, 500), simple(SOUND, 480), simple(PICTURES, 900))
    assert recorded(cluster(0, simple(SOUND, 0)), cluster(7000, *blocks, endless=endless)) == 7500


def test_a_block_may_come_before_its_clusters_time() -> None:
    assert recorded(cluster(7000, simple(SOUND, -20))) == 6980


def test_blocks_in_groups_count_too() -> None:
    assert recorded(cluster(7000, grouped(SOUND, 500), grouped(PICTURES, 900))) == 7500


def test_a_cluster_of_pictures_alone_is_passed_over() -> None:
    assert recorded(cluster(1000, simple(SOUND, 5)), cluster(9000, simple(PICTURES, 5))) == 1005


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_block_that_is_cut_off_does_not_count(cut: int) -> None:
    assert recorded(cluster(1000, simple(SOUND, 5), simple(SOUND, 900))[:-cut]) == 1005


def test_what_stands_behind_the_clusters_is_none_of_their_blocks() -> None:
    index = sized(b"\x1c\x53\xbb\x6b", b"\xbb\x80")
    assert recorded(cluster(1000, simple(SOUND, 5)), index, simple(SOUND, 900)) == 1005


@pytest.mark.parametrize("between", [sized(b"\x81", b"?"), sized(b"\xec", b"?") + sized(b"\x81", b"?"), b"", b"\x00"])
def test_sound_that_looks_like_a_cluster_is_none(between: bytes) -> None:
    sound = CLUSTER + ENDLESS + between + (time(99000) + simple(SOUND, 5) if between else b"")
    assert recorded(cluster(1000, simple(SOUND, 5, sound))) == 1005


def test_without_any_block_of_sound_there_is_no_duration() -> None:
    for clusters in ((), (cluster(1000),), (cluster(1000, simple(PICTURES, 5)),)):
        with pytest.raises(BadFile) as refused:
            recorded(*clusters)
        assert refused.value.problem is Problem.NO_DURATION
