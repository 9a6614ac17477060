"""How long a WAV file plays: by the bytes of its samples, and how many of them make a second.

The sizes in a WAV file are often wrong: programs that write into a pipe cannot know them. So a size that stands for
"unknown", 0 or about 2 or 4 GiB, means all that follows. Any other that the file does not reach means that it is cut
off. RF64 and other files above 4 GiB are not known here.
"""

import struct

from handlers.voice_qa.audio_files import AudioFile, AudioFormat, BadFile, Problem
from handlers.voice_qa.ranged import RangedFile

CHUNK = struct.Struct("<4sI")
FORMAT = struct.Struct("<HHIIHH")
CODECS = {1: "pcm", 3: "float", 6: "alaw", 7: "mulaw"}
EXTENSIBLE = 0xFFFE
"""Names its codec further on, in the first two bytes of an id."""
CODEC_ID = slice(24, 26)
UNKNOWN_SIZES = (range(1), range(0x7FFF0000, 0x80000000), range(0xFFFF0000, 0x100000000))
MOST_CHUNKS = 256


def read(file: RangedFile) -> AudioFile:
    """What the file says that begins with `RIFF` and `WAVE`."""
    codec, bytes_a_second, place = "", 0, 12
    for _ in range(MOST_CHUNKS):
        header = file.at(place, CHUNK.size)
        if len(header) < CHUNK.size:
            break
        name, size = CHUNK.unpack(header)
        place += CHUNK.size
        if name == b"fmt ":
            codec, bytes_a_second = _format(file.at(place, min(size, 40)))
        elif name == b"data":
            if not codec:
                raise BadFile(Problem.UNREADABLE)
            length = _samples(size, file.size - place)
            return AudioFile(AudioFormat.WAV, codec, round(length * 1000 / bytes_a_second))
        place += size + size % 2
    # Whoever was cut off before the samples has none, and neither has a file whose chunks lead nowhere.
    raise BadFile(Problem.TRUNCATED if place > file.size else Problem.UNREADABLE)


def _format(chunk: bytes) -> tuple[str, int]:
    """Codec, and bytes a second, which some writers get wrong: so not theirs, but those of the samples."""
    kind, channels, rate, _, align, bits = FORMAT.unpack_from(chunk)
    if kind == EXTENSIBLE:
        kind = int.from_bytes(chunk[CODEC_ID], "little")
    if kind not in CODECS:
        raise BadFile(Problem.CODEC_NOT_SUPPORTED)
    if not (channels and rate and bits) or align != channels * ((bits + 7) // 8):
        raise BadFile(Problem.UNREADABLE)
    return CODECS[kind], rate * align


def _samples(size: int, left: int) -> int:
    if any(size in unknown for unknown in UNKNOWN_SIZES) and (size == 0 or size > left):
        return left
    if size > left:
        raise BadFile(Problem.TRUNCATED)
    return size
