"""How long a WebM file plays: by its own word or, where a live recorder could not know, by its last cluster.

Browsers' recorders write a file while it grows: without duration, segment and clusters without length. Then the last
cluster with sound in it is looked for from the file's end; its time and its last block's are the duration, except for
that block's own few milliseconds. Such a file may end anywhere, and what is there is what was recorded. A file that
gives its segment's length and is shorter is cut off.

Matroska that does not call itself WebM is refused: its codecs are nearly any.
"""

from handlers.voice_qa import ebml
from handlers.voice_qa.audio_files import AudioFile, AudioFormat, BadFile, Problem
from handlers.voice_qa.ebml import Element
from handlers.voice_qa.ranged import RangedFile

HEADER, DOC_TYPE = 0x1A45DFA3, 0x4282
SEGMENT, INFO, TRACKS, CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
TIMESTAMP_SCALE, DURATION = 0x2AD7B1, 0x4489
TRACK, TRACK_NUMBER, TRACK_TYPE, CODEC = 0xAE, 0xD7, 0x83, 0x86
TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
POSITION, PREVIOUS_SIZE, VOID, CHECKSUM = 0xA7, 0xAB, 0xEC, 0xBF
IN_CLUSTER = {TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, POSITION, PREVIOUS_SIZE, VOID, CHECKSUM}
"""Anything else ends a cluster that does not say its length, or shows that it is none."""

AUDIO = 2
CODECS = {"A_OPUS": "opus", "A_VORBIS": "vorbis"}
MILLISECOND = 1_000_000
"""In nanoseconds: what a file counts in where it does not say."""
MOST_PARTS = 64
"""Parts of a segment in front of its first cluster."""


def read(file: RangedFile) -> AudioFile:
    """What the file says."""
    header = ebml.element(file, 0, file.size)
    if header.id != HEADER or _text(file, header, DOC_TYPE) != "webm":
        raise BadFile(Problem.UNKNOWN_FORMAT)
    segment = ebml.element(file, header.end, file.size)
    if segment.id != SEGMENT:
        raise BadFile(Problem.UNREADABLE)
    if not segment.whole:
        raise BadFile(Problem.TRUNCATED)
    parts = _parts(file, segment)
    if INFO not in parts or TRACKS not in parts:
        raise BadFile(Problem.UNREADABLE)
    track, codec = _sound(file, parts[TRACKS])
    scale = _number(file, parts[INFO], TIMESTAMP_SCALE, MILLISECOND)
    length = next((ebml.floating(file, one) for one in ebml.children(file, parts[INFO]) if one.id == DURATION), 0.0)
    if length <= 0:
        length = _end(file, track)
    return AudioFile(AudioFormat.WEBM, codec, round(length * scale / MILLISECOND))


def _parts(file: RangedFile, segment: Element) -> dict[int, Element]:
    """What stands in front of the first cluster."""
    parts: dict[int, Element] = {}
    for one, _ in zip(ebml.children(file, segment), range(MOST_PARTS), strict=False):
        if one.id == CLUSTER:
            break
        if one.endless or not one.whole:
            raise BadFile(Problem.UNREADABLE if one.endless else Problem.TRUNCATED)
        parts.setdefault(one.id, one)
    return parts


def _sound(file: RangedFile, tracks: Element) -> tuple[int, str]:
    """Number and codec of the first track with sound."""
    for track in ebml.children(file, tracks):
        if track.id == TRACK and _number(file, track, TRACK_TYPE, 0) == AUDIO:
            codec = CODECS.get(_text(file, track, CODEC))
            if codec is None:
                raise BadFile(Problem.CODEC_NOT_SUPPORTED)
            return _number(file, track, TRACK_NUMBER, 0), codec
    raise BadFile(Problem.NO_AUDIO)


def _end(file: RangedFile, track: int) -> int:
    """When the track's last block begins."""
    for place in file.backwards(CLUSTER.to_bytes(4, "big")):
        try:
            cluster = ebml.element(file, place, file.size)
            last = _last_block(file, cluster, track)
        except BadFile:
            continue  # bytes of sound that happen to look like a cluster
        if last is not None:
            return last
    raise BadFile(Problem.NO_DURATION)


def _last_block(file: RangedFile, cluster: Element, track: int) -> int | None:
    """When the last of a track's blocks in a cluster begins; blocks that are cut off are none."""
    begin, last = 0, None
    place = cluster.begin
    while place < cluster.end:
        try:
            one = ebml.element(file, place, cluster.end)
        except BadFile:
            break  # cut off within its head
        if one.id not in IN_CLUSTER or not one.whole:
            break
        if one.id == TIMESTAMP:
            begin = ebml.unsigned(file, one)
        for block in _blocks(file, one):
            number, offset = _block(file, block)
            if number == track:
                last = max(last or 0, begin + offset)
        place = one.end
    return last


def _blocks(file: RangedFile, one: Element) -> list[Element]:
    if one.id == SIMPLE_BLOCK:
        return [one]
    return [inner for inner in ebml.children(file, one) if inner.id == BLOCK] if one.id == BLOCK_GROUP else []


def _block(file: RangedFile, block: Element) -> tuple[int, int]:
    """A block's track, and its time within its cluster."""
    head = file.at(block.begin, min(4, block.end - block.begin))
    # Tracks above 126 take another byte, and no recorder has so many: such a block is of no track that counts.
    if len(head) < 4 or not head[0] & 0x80:
        return 0, 0
    return head[0] & 0x7F, int.from_bytes(head[1:3], "big", signed=True)


def _number(file: RangedFile, parent: Element, identifier: int, otherwise: int) -> int:
    return next((ebml.unsigned(file, one) for one in ebml.children(file, parent) if one.id == identifier), otherwise)


def _text(file: RangedFile, parent: Element, identifier: int) -> str:
    return next((ebml.text(file, one) for one in ebml.children(file, parent) if one.id == identifier), "")
