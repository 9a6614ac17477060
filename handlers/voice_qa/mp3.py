"""How long an MP3 file plays. Its frames are read by mutagen, tags in front of them are stepped over unread.

Where an encoder left its table of contents (Xing, Info, VBRI), the length is exact, and a file that is shorter than
the table says is cut off; one that goes on with more frames behind what it says is several files joined, of which it
counts the first, and is refused. Without one, the length is the file's size by the rate of its first frame: right for a
constant rate, an estimate for any other.
"""

import struct

from mutagen.mp3 import HeaderNotFoundError, MPEGInfo

from handlers.voice_qa.audio_files import AudioFile, AudioFormat, BadFile, Problem
from handlers.voice_qa.ranged import RangedFile

TAG = struct.Struct(">3s3B4B")
MOST_TAGS = 8
FOOTER = 0x10
OLD_TAG_BYTES = 128
SYNC_BYTES = 0xE0
LAYER_BITS, LAYER_3 = 0x06, 0x02
CONTENTS = struct.Struct(">4sI")
HAS_FRAMES, HAS_BYTES = 1, 2
SLACK = 0.98
"""Share of the promised bytes that has to be there: editors cut tags off, and count them differently."""


def behind_tags(file: RangedFile, place: int = 0) -> int:
    """Where a file begins behind its ID3v2 tags; some programs write several."""
    for _ in range(MOST_TAGS):
        header = file.at(place, TAG.size)
        if len(header) < TAG.size or not header.startswith(b"ID3"):
            break
        _, _, _, flags, *sizes = TAG.unpack(header)
        if any(size > 0x7F for size in sizes):
            raise BadFile(Problem.UNREADABLE)
        length = sizes[0] << 21 | sizes[1] << 14 | sizes[2] << 7 | sizes[3]
        place += TAG.size * (2 if flags & FOOTER else 1) + length
    return place


def begins_a_frame(head: bytes) -> bool:
    """Whether a frame of MP3 begins here; AAC's look nearly so."""
    return (
        head[:1] == b"\xff" and len(head) > 1 and head[1] & SYNC_BYTES == SYNC_BYTES and head[1] & LAYER_BITS == LAYER_3
    )


def read(file: RangedFile, start: int) -> AudioFile:
    """What the frames from `start` on say; any exception of mutagen's means that they say nothing."""
    info = MPEGInfo(file, start)
    if info.sketchy or info.layer != 3:
        raise BadFile(Problem.UNREADABLE)
    promised = _promised_bytes(file, info.frame_offset)
    if file.size - info.frame_offset < SLACK * promised:
        raise BadFile(Problem.TRUNCATED)
    if promised and _goes_on(file, info.frame_offset + promised):
        raise BadFile(Problem.UNREADABLE)
    return AudioFile(AudioFormat.MP3, "mp3", round(info.length * 1000))


def _goes_on(file: RangedFile, end: int) -> bool:
    """Whether another file follows, perhaps behind tags.

    A single frame is none: some tables do not count their own.
    """
    behind = behind_tags(file, end + (OLD_TAG_BYTES if file.at(end, 3) == b"TAG" else 0))
    if not begins_a_frame(file.at(behind, 4)):
        return False
    try:
        return not MPEGInfo(file, behind).sketchy
    except HeaderNotFoundError:
        return False


def _promised_bytes(file: RangedFile, frame: int) -> int:
    """How many bytes of frames the table of contents counts; 0 where there is none."""
    head = file.at(frame, 64)
    place = max(head.find(b"Xing"), head.find(b"Info"))
    if place < 0:
        return 0
    fields = file.at(frame + place, CONTENTS.size + 8)
    if len(fields) < CONTENTS.size + 8:
        return 0
    _, flags = CONTENTS.unpack_from(fields)
    behind = CONTENTS.size + (4 if flags & HAS_FRAMES else 0)
    return int.from_bytes(fields[behind : behind + 4], "big") if flags & HAS_BYTES else 0
