"""How long a FLAC file plays: its first block says so, and its last frame whether the file goes that far.

The first block is read by mutagen; all other metadata, pictures and seek tables, is not read. A file that does not
tell its length, as encoders leave it that write into a pipe, has no duration here.
"""

from mutagen.flac import StreamInfo

from handlers.voice_qa.audio_files import AudioFile, AudioFormat, BadFile, Problem
from handlers.voice_qa.ranged import RangedFile

BLOCK_HEADER = b"\x00\x00\x00\x22"
"""Of a STREAMINFO block that others may follow: type 0, 34 bytes."""
LAST = 0x80
BY_FRAME, BY_SAMPLE = b"\xff\xf8", b"\xff\xf9"
"""How frames begin, by what their numbers count; those that count frames are all of one length."""
LONGEST_HEADER = 17


def read(file: RangedFile, start: int) -> AudioFile:
    """What the file says whose `fLaC` is at `start`."""
    header = file.at(start + 4, 4)
    if len(header) < 4 or bytes([header[0] & ~LAST]) + header[1:] != BLOCK_HEADER:
        raise BadFile(Problem.UNREADABLE)
    info = StreamInfo(file.at(start + 8, 34))  # type: ignore[no-untyped-call]
    if not info.total_samples:
        raise BadFile(Problem.NO_DURATION)
    if not any(_reaches(file, marker, info) for marker in (BY_FRAME, BY_SAMPLE)):
        raise BadFile(Problem.TRUNCATED)
    return AudioFile(AudioFormat.FLAC, "flac", round(info.total_samples * 1000 / info.sample_rate))


def _reaches(file: RangedFile, marker: bytes, info: StreamInfo) -> bool:
    """Whether a frame near the file's end holds the last sample."""
    for place in file.backwards(marker):
        number = _number(file.at(place, LONGEST_HEADER))
        first = None if number is None else number if marker == BY_SAMPLE else number * info.max_blocksize
        if first is not None and first < info.total_samples <= first + info.max_blocksize:
            return True
    return False


def _number(header: bytes) -> int | None:
    """The number in a frame's header; none where the bytes only look like one."""
    if len(header) < LONGEST_HEADER:
        header += bytes(LONGEST_HEADER - len(header))
    lead = header[4]
    more = 0 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length() - 1
    if lead >= 0x80 and not 1 <= more <= 6:
        return None
    number = lead if lead < 0x80 else lead & (0x3F >> more)
    for byte in header[5 : 5 + more]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    size, rate = header[2] >> 4, header[2] & 0xF
    end = 5 + more + {6: 1, 7: 2}.get(size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    return number if _checksum(header[:end]) == header[end] else None


def _checksum(data: bytes) -> int:
    """FLAC's CRC-8."""
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x107 if remainder & 0x80 else 0)) & 0xFF
    return remainder
