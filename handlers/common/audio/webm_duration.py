"""Reader of the duration and the codec of the first audio track of a WebM file. Mutagen does not read WebM.

WebM consists of EBML elements: an id, a size, and a value or further elements. After a header, one segment contains
the properties of the tracks, and then clusters: elements with a start time and blocks of audio or video. The reader
never loads a whole element to find the elements in it.

A file states its duration, unless a live recorder such as a browser wrote it while the recording grew. A live recorder
also leaves out the sizes of the segment and of its clusters. In such a file, the reader searches backwards from the end
for the last cluster with audio. The start time of its last block counts as the duration, so the duration lacks the
length of that block. A live recording states no size, so it may end anywhere. Another file that is shorter than the
stated size of its segment is rejected as truncated.

Matroska files with another document type than `webm` are rejected, because they may contain almost any codec.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from handlers.common.audio.probe_result import AudioFile, AudioFormat, RejectedAudio, RejectionReason
from handlers.common.audio.ranged_file import RangedFile

MAX_ID, MAX_SIZE = 4, 8
"""Maximum numbers of bytes of an element's id and size."""
MAX_VALUE = 64
"""Maximum number of bytes of a value that is read."""
FLOATS = {4: struct.Struct(">f"), 8: struct.Struct(">d")}
"""Formats of floating-point numbers by their number of bytes."""
# Ids of elements.
HEADER, DOC_TYPE = 0x1A45DFA3, 0x4282
SEGMENT, INFO, TRACKS, CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
TIMESTAMP_SCALE, DURATION = 0x2AD7B1, 0x4489
TRACK, TRACK_NUMBER, TRACK_TYPE, CODEC = 0xAE, 0xD7, 0x83, 0x86
TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
POSITION, PREVIOUS_SIZE, VOID, CHECKSUM = 0xA7, 0xAB, 0xEC, 0xBF
IN_CLUSTER = {TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, POSITION, PREVIOUS_SIZE, VOID, CHECKSUM}
"""Elements that a cluster may contain. Any other element ends a cluster of unknown size, or shows that the bytes are no
cluster."""
AUDIO = 2
"""Type of an audio track."""
CODECS = {b"A_OPUS": "opus", b"A_VORBIS": "vorbis"}
MILLISECOND = 1_000_000
"""Default unit of timestamps, in nanoseconds."""
MAX_LEADING_ELEMENTS = 64
"""Maximum number of a segment's elements that are read in front of the first cluster."""


@dataclass(frozen=True)
class Element:
    """Position of an EBML element."""

    id: int
    begin: int
    """Offset of the content."""
    end: int
    """Offset after the content. If the size is unknown or exceeds the parent, it is the end of the parent."""
    has_size: bool
    """False if the size is unknown, as in segments and clusters of a live recorder."""
    complete: bool
    """False if the stated size exceeds the parent."""


def read_webm(file: RangedFile) -> AudioFile:
    """Return the properties of the first audio track. Raises RejectedAudio.

    Damaged bytes may cause any other exception, which `probe` reports as `UNREADABLE`.
    """
    header = _read_element(file, 0, file.size)
    if header.id != HEADER or _read_text(file, header, DOC_TYPE) != b"webm":
        raise RejectedAudio(RejectionReason.UNKNOWN_FORMAT)
    segment = _read_element(file, header.end, file.size)
    if segment.id != SEGMENT:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    if not segment.complete:
        raise RejectedAudio(RejectionReason.TRUNCATED)
    elements = _read_leading_elements(file, segment)
    track, codec = _find_audio_track(file, elements[TRACKS])
    scale = _read_unsigned(file, elements[INFO], TIMESTAMP_SCALE, MILLISECOND)
    duration = _read_float(file, elements[INFO], DURATION)
    if duration <= 0:
        duration = _find_last_block_time(file, track)
    return AudioFile(AudioFormat.WEBM, codec, round(duration * scale / MILLISECOND))


def _read_element(file: RangedFile, offset: int, end: int) -> Element:
    """Return the element at an offset. `end` is the end of its parent."""
    head = file.at(offset, min(MAX_ID + MAX_SIZE, end - offset))
    id_length = _read_length(head, 0, MAX_ID)
    size_length = _read_length(head, id_length, MAX_SIZE)
    size = int.from_bytes(head[id_length : id_length + size_length], "big")
    unknown = (1 << 7 * size_length) - 1
    # The leading bits of a size state its length. If all other bits are set, the size is unknown.
    size, begin = size & unknown, offset + id_length + size_length
    identifier = int.from_bytes(head[:id_length], "big")
    if size == unknown:
        return Element(identifier, begin, end, has_size=False, complete=True)
    return Element(identifier, begin, min(begin + size, end), has_size=True, complete=begin + size <= end)


def _read_length(head: bytes, offset: int, max_length: int) -> int:
    """Return the length of an id or size in bytes: one more than the number of zeros at the start of its first byte."""
    length = 9 - head[offset].bit_length() if offset < len(head) else max_length + 1
    if length > max_length or offset + length > len(head):
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return length


def _read_children(file: RangedFile, parent: Element) -> Iterator[Element]:
    """Yield the elements of an element. The last element may be incomplete."""
    offset = parent.begin
    while offset < parent.end:
        child = _read_element(file, offset, parent.end)
        yield child
        offset = child.end


def _read_value(file: RangedFile, parent: Element, identifier: int) -> bytes | None:
    """Return the value of the first child with an id, or None without such a child."""
    child = next((element for element in _read_children(file, parent) if element.id == identifier), None)
    if child is None:
        return None
    if not (child.has_size and child.complete) or child.end - child.begin > MAX_VALUE:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return file.at(child.begin, child.end - child.begin)


def _read_unsigned(file: RangedFile, parent: Element, identifier: int, default: int) -> int:
    value = _read_value(file, parent, identifier)
    return default if value is None else int.from_bytes(value, "big")


def _read_float(file: RangedFile, parent: Element, identifier: int) -> float:
    """Return the number in the first child with an id, or 0 without such a child."""
    value = _read_value(file, parent, identifier)
    if value is None:
        return 0.0
    number = float(FLOATS[len(value)].unpack(value)[0])
    if not math.isfinite(number):
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return number


def _read_text(file: RangedFile, parent: Element, identifier: int) -> bytes:
    return (_read_value(file, parent, identifier) or b"").rstrip(b"\0")


def _read_leading_elements(file: RangedFile, segment: Element) -> dict[int, Element]:
    """Return the elements in front of the first cluster by their ids."""
    elements: dict[int, Element] = {}
    for element, _ in zip(_read_children(file, segment), range(MAX_LEADING_ELEMENTS), strict=False):
        if element.id == CLUSTER:
            break
        if not element.has_size or not element.complete:
            raise RejectedAudio(RejectionReason.TRUNCATED if element.has_size else RejectionReason.UNREADABLE)
        elements.setdefault(element.id, element)
    return elements


def _find_audio_track(file: RangedFile, tracks: Element) -> tuple[int, str]:
    """Return number and codec of the first audio track."""
    for track in _read_children(file, tracks):
        if track.id == TRACK and _read_unsigned(file, track, TRACK_TYPE, 0) == AUDIO:
            codec = CODECS.get(_read_text(file, track, CODEC))
            if codec is None:
                raise RejectedAudio(RejectionReason.CODEC_NOT_SUPPORTED)
            return _read_unsigned(file, track, TRACK_NUMBER, 0), codec
    raise RejectedAudio(RejectionReason.NO_AUDIO)


def _find_last_block_time(file: RangedFile, track: int) -> int:
    """Return the start time of the track's last block."""
    for offset in file.find_backwards(CLUSTER.to_bytes(4, "big")):
        try:
            last = _find_last_block_in_cluster(file, _read_element(file, offset, file.size), track)
        except RejectedAudio:
            continue  # These bytes are audio data that looks like a cluster.
        if last is not None:
            return last
    raise RejectedAudio(RejectionReason.NO_DURATION)


def _find_last_block_in_cluster(file: RangedFile, cluster: Element, track: int) -> int | None:
    """Return the latest start time of the track's blocks in a cluster, or None without blocks of the track.

    The cluster ends at the first element that is incomplete or not in `IN_CLUSTER`.
    """
    begin, last = 0, None
    offset = cluster.begin
    while offset < cluster.end:
        try:
            element = _read_element(file, offset, cluster.end)
        except RejectedAudio:
            break  # The file ends within the head of an element.
        if element.id not in IN_CLUSTER or not element.complete:
            break
        if element.id == TIMESTAMP:
            begin = int.from_bytes(file.at(element.begin, min(MAX_SIZE, element.end - element.begin)), "big")
        for block in _list_blocks(file, element):
            number, time = _read_block_time(file, block)
            if number == track:
                last = max(last or 0, begin + time)
        offset = element.end
    return last


def _list_blocks(file: RangedFile, element: Element) -> list[Element]:
    if element.id == SIMPLE_BLOCK:
        return [element]
    return [child for child in _read_children(file, element) if child.id == BLOCK] if element.id == BLOCK_GROUP else []


def _read_block_time(file: RangedFile, block: Element) -> tuple[int, int]:
    """Return track number and time of a block. The time is relative to the cluster."""
    head = file.at(block.begin, min(4, block.end - block.begin))
    # Track numbers above 126 take another byte. No recorder has that many tracks, so such a block is ignored.
    if len(head) < 4 or not head[0] & 0x80:
        return 0, 0
    return head[0] & 0x7F, int.from_bytes(head[1:3], "big", signed=True)
