"""Prober of a lecture's recording: reads its format and duration from the file's headers, without decoding audio. The
lecture validator calls it for each uploaded lecture.

The prober uses mutagen's classes for stream information. It never opens a file with `mutagen.File`, because that also
loads the tags, and a tag of 200 KB can unpack to 200 MB. Mutagen does not read WebM, so this module does.

An attacker may have written the headers, which decide where a parser reads next. So `RangedFile` limits the cost of
reading one file, and every exception of a parser rejects the file. The duration that the headers state counts, even if
parts of the file are missing.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from mutagen.flac import StreamInfo
from mutagen.mp3 import MPEGInfo
from mutagen.mp4 import MP4Info
from mutagen.mp4._atom import Atoms
from mutagen.ogg import OggPage
from mutagen.oggopus import OggOpusInfo
from mutagen.oggvorbis import OggVorbisInfo
from mutagen.wave import WaveStreamInfo

from handlers.voice_qa.environment import AudioFormat
from handlers.voice_qa.messages import RejectionReason

BLOCK_BYTES = 256 * 1024
"""Size of the blocks in which a file is fetched. A smaller block takes hardly less time."""
MAX_BLOCKS = 32
"""Maximum number of blocks that are fetched for one file, each with one request: together 8 MB."""
MAX_READ_BYTES = 64 * 1024 * 1024
"""Maximum number of bytes that a parser reads from one file, repeated reads included."""
READ_COST = 1024
"""Number of bytes as which a smaller read counts, so that a parser cannot make millions of tiny reads."""
HEAD_BYTES = 64
"""Bytes at the start of a file by which its format is recognised."""
OPUS_RATE = 48_000
"""Sample rate with which Ogg counts positions in Opus. The rate of the recorded sound does not matter."""
MP4_CODECS = ("mp4a", "alac", "Opus", "fLaC")
"""Beginnings of the names of supported codecs. Encrypted tracks have other names."""
Fetch = Callable[[int, int], bytes]
"""Return the bytes of an object for an offset and a length. The range always lies within the object."""


@dataclass
class AudioFile:
    """Properties of a recording, read from its headers."""

    format: AudioFormat
    duration_ms: int


class RejectedAudio(Exception):
    """The recording cannot be used. The exception contains nothing from the file."""

    def __init__(self, reason: RejectionReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class ReadLimitExceeded(Exception):
    """A read would exceed one of the limits for requests and read bytes."""


class RangedFile:
    """Seekable file that fetches blocks of a stored object when they are read, and keeps them."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self.size = size
        self.failure: Exception | None = None
        """The error of `fetch`, if there was one. It is kept because a parser may turn it into an error about the file."""
        self._fetch = fetch
        self._blocks: dict[int, bytes] = {}
        self._position = 0
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, fewer at the end. A negative size reads to the end."""
        begin = self._position
        end = self.size if size < 0 else min(begin + size, self.size)
        self._read += max(READ_COST, end - begin)
        if self._read > MAX_READ_BYTES:
            raise ReadLimitExceeded
        if begin >= end:
            return b""
        blocks = b"".join(map(self._load, range(begin // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1)))
        self._position = end
        offset = begin % BLOCK_BYTES
        return blocks[offset : offset + end - begin]

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position. A position beyond the end is allowed."""
        position = offset + (0, self._position, self.size)[whence]
        if position < 0:
            raise ValueError("negative position")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def _load(self, index: int) -> bytes:
        if index not in self._blocks:
            if self.failure is not None or len(self._blocks) == MAX_BLOCKS:  # no further request after an error
                raise ReadLimitExceeded
            try:
                begin = index * BLOCK_BYTES
                self._blocks[index] = self._fetch(begin, min(BLOCK_BYTES, self.size - begin))
            except Exception as error:
                self.failure = error
                raise
        return self._blocks[index]


def probe(file: RangedFile) -> AudioFile:
    """Return format and duration of a recording. Raises RejectedAudio, or an error of the file's `fetch`."""
    try:
        audio_format, seconds = _read_format_and_seconds(file)
    except RejectedAudio:
        raise
    except Exception:  # noqa: BLE001 - parsers raise any exception for crafted bytes, also MemoryError
        raise RejectedAudio(RejectionReason.UNREADABLE) from None
    finally:
        if file.failure is not None:
            raise file.failure from None
    if seconds == 0:
        raise RejectedAudio(RejectionReason.NO_DURATION)
    if not 0 < seconds < math.inf:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return AudioFile(audio_format, round(seconds * 1000))


def _read_format_and_seconds(file: RangedFile) -> tuple[AudioFormat, float]:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return AudioFormat.WEBM, _read_webm_seconds(file)
    if head.startswith(b"OggS"):
        return AudioFormat.OGG, _read_ogg_seconds(file, head)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return AudioFormat.WAV, _read_wav_seconds(file)
    if head[4:8] == b"ftyp":
        return AudioFormat.MP4, _read_mp4_seconds(file)
    if head.startswith(b"fLaC"):
        file.seek(8)  # the content of the first block, STREAMINFO
        return AudioFormat.FLAC, StreamInfo(file).length
    # An MP3 file begins with a tag, or with a frame of layer 3: eleven set bits, any version, and the bits 01 for the layer.
    # AAC has the layer bits 00.
    if head.startswith(b"ID3") or (head[:1] == b"\xff" and head[1] & 0xE6 == 0xE2):
        return AudioFormat.MP3, _read_mp3_seconds(file)
    raise RejectedAudio(RejectionReason.UNKNOWN_FORMAT)


def _read_mp3_seconds(file: RangedFile) -> float:
    info = MPEGInfo(file)
    # Mutagen calls a file sketchy if it found no Xing or VBRI header, and fewer than four consecutive frames.
    if info.sketchy or info.layer != 3:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return float(info.length)


def _read_ogg_seconds(file: RangedFile, head: bytes) -> float:
    if b"OpusHead" in head:
        serial, rate = OggOpusInfo(file).serial, OPUS_RATE
    elif b"\x01vorbis" in head:
        info = OggVorbisInfo(file)
        serial, rate = info.serial, info.sample_rate
    else:
        raise RejectedAudio(RejectionReason.UNKNOWN_FORMAT)
    return float(OggPage.find_last(file, serial, finishing=True).position / rate)


def _read_wav_seconds(file: RangedFile) -> float:
    info = WaveStreamInfo(file)
    # A program that writes to a pipe states a placeholder that is larger than the file.
    return float(min(info.length, file.size * 8 / info.bitrate))


def _read_mp4_seconds(file: RangedFile) -> float:
    atoms = Atoms(file)
    info = MP4Info(atoms, file)
    if not info.codec:
        raise RejectedAudio(RejectionReason.NO_AUDIO)
    if not info.codec.startswith(MP4_CODECS):
        raise RejectedAudio(RejectionReason.UNREADABLE)
    # A fragmented file, as a browser records it, states no duration or only that of its first fragment.
    return 0.0 if b"moov.mvex" in atoms else float(info.length)


# WebM consists of EBML elements: an id, a size, and a value or further elements. After a header, one segment contains
# the properties of the tracks, and then clusters: elements with a start time and blocks of audio or video. A live
# recorder, such as a browser, states neither the duration nor the sizes of the segment and of its clusters.
DOC_TYPE = 0x4282
INFO, TRACKS, CLUSTER = 0x1549A966, 0x1654AE6B, 0x1F43B675
TIMESTAMP_SCALE, DURATION = 0x2AD7B1, 0x4489
TRACK, TRACK_TYPE, AUDIO = 0xAE, 0x83, b"\x02"
TIMESTAMP, SIMPLE_BLOCK = 0xE7, 0xA3
IN_CLUSTER = {TIMESTAMP, SIMPLE_BLOCK, 0xA0, 0xA7, 0xAB, 0xEC, 0xBF}
"""Elements that a cluster may contain: also block groups, positions, sizes, padding and checksums."""
CLUSTER_START = CLUSTER.to_bytes(4, "big")
MILLISECOND = b"\x0f\x42\x40"
"""Default unit of times: a million nanoseconds."""
FLOATS = {4: ">f", 8: ">d"}
"""Formats of floating-point numbers by their number of bytes."""
MAX_TAIL_BYTES = 4 * 1024 * 1024
"""Maximum number of bytes at the end of a live recording that are searched for its last cluster."""


class _Element(NamedTuple):
    id: int
    begin: int
    """Offset of the content."""
    end: int
    """Offset after the content. If the size is unknown or too large, it is the end of the parent."""


def _read_webm_seconds(file: RangedFile) -> float:
    header, segment = islice(_read_elements(file, 0, file.size), 2)
    # Matroska files with another document type may contain almost any codec.
    if _find_value(file, header, DOC_TYPE).rstrip(b"\0") != b"webm":
        raise RejectedAudio(RejectionReason.UNKNOWN_FORMAT)
    elements: dict[int, _Element] = {}
    for element in _read_elements(file, segment.begin, segment.end):
        if element.id == CLUSTER:
            break
        elements.setdefault(element.id, element)
    tracks = list(_read_elements(file, elements[TRACKS].begin, elements[TRACKS].end))
    if not any(track.id == TRACK and _find_value(file, track, TRACK_TYPE) == AUDIO for track in tracks):
        raise RejectedAudio(RejectionReason.NO_AUDIO)
    unit_seconds = int.from_bytes(_find_value(file, elements[INFO], TIMESTAMP_SCALE, MILLISECOND), "big") / 1e9
    stated = _find_value(file, elements[INFO], DURATION)
    if stated:
        return float(struct.unpack(FLOATS[len(stated)], stated)[0] * unit_seconds)
    return _find_last_block_time(file) * unit_seconds


def _read_elements(file: RangedFile, offset: int, end: int) -> Iterator[_Element]:
    """Yield the elements between two offsets. Raises IndexError if the file ends within the head of an element."""
    while offset < end:
        file.seek(offset)
        head = file.read(12)
        # An id or a size has one byte more than its first byte has leading zero bits.
        id_length = 9 - head[0].bit_length()
        size_length = 9 - head[id_length].bit_length()
        begin = offset + id_length + size_length
        unknown = (1 << 7 * size_length) - 1  # a size in which all bits are set
        size = int.from_bytes(head[id_length : id_length + size_length], "big") & unknown
        offset = end if size == unknown else min(begin + size, end)
        yield _Element(int.from_bytes(head[:id_length], "big"), begin, offset)


def _find_value(file: RangedFile, parent: _Element, identifier: int, default: bytes = b"") -> bytes:
    """Return the value of the first child with an id, at most eight bytes, or the default without such a child."""
    for child in _read_elements(file, parent.begin, parent.end):
        if child.id == identifier:
            file.seek(child.begin)
            return file.read(min(8, child.end - child.begin))
    return default


def _find_last_block_time(file: RangedFile) -> int:
    """Return the start time of the last block of a live recording in its units, or 0 if there is none near the end."""
    start = max(0, file.size - MAX_TAIL_BYTES)
    file.seek(start)
    tail = file.read()
    position = tail.rfind(CLUSTER_START)
    while position >= 0:
        time = _read_cluster_time(file, start + position + len(CLUSTER_START))
        if time is not None:  # None if audio data only looks like a cluster's id
            return time
        position = tail.rfind(CLUSTER_START, 0, position)
    return 0


def _read_cluster_time(file: RangedFile, offset: int) -> int | None:
    """Return the start time of the last block of the cluster whose id ends at an offset, or None if there is none."""
    begin = last = None
    try:
        file.seek(offset)
        size_length = 9 - file.read(1)[0].bit_length()
        # Up to the end of the file, because a live recorder does not state the size of a cluster.
        for element in _read_elements(file, offset + size_length, file.size):
            if element.id not in IN_CLUSTER or (begin is None and element.id != TIMESTAMP):
                break
            file.seek(element.begin)
            if element.id == TIMESTAMP:
                begin = last = int.from_bytes(file.read(min(8, element.end - element.begin)), "big")
            elif element.id == SIMPLE_BLOCK and begin is not None and last is not None:
                # A block begins with the track's number in one byte, and its time relative to the cluster in two bytes.
                last = max(last, begin + int.from_bytes(file.read(3)[1:], "big", signed=True))
    except IndexError:
        pass  # The recording ended within an element.
    return last
