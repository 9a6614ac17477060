"""How long an Ogg file of Opus or Vorbis plays: by the position on its last page, found from the end.

Pages are read by mutagen. The first page has to begin the one stream that there is: files with video, or with several
streams one behind the other, are refused. A file that ends inside a page is cut off; pages missing altogether cannot
be told from a recording that was stopped, and only make it shorter.
"""

import struct

from mutagen import MutagenError
from mutagen.ogg import OggPage

from handlers.voice_qa.audio_files import AudioFile, AudioFormat, BadFile, Problem
from handlers.voice_qa.ranged import RangedFile

OPUS_RATE = 48000
"""What Opus counts in, whatever was encoded."""
PRE_SKIP = struct.Struct("<8sBBH")
VORBIS_RATE = struct.Struct("<7sIBI")
NOWHERE = -1
"""The position of a page on which no packet ends."""


def read(file: RangedFile) -> AudioFile:
    """What the file says."""
    file.seek(0)
    first = OggPage(file)  # type: ignore[no-untyped-call]
    packet: bytes = first.packets[0]
    if packet.startswith(b"OpusHead"):
        codec, rate, skipped = "opus", OPUS_RATE, PRE_SKIP.unpack_from(packet)[3]
    elif packet.startswith(b"\x01vorbis"):
        codec, rate, skipped = "vorbis", VORBIS_RATE.unpack_from(packet)[3], 0
    else:
        raise BadFile(Problem.CODEC_NOT_SUPPORTED)
    samples = _end(file, first.serial) - skipped
    return AudioFile(AudioFormat.OGG, codec, round(max(0, samples) * 1000 / rate))


def _end(file: RangedFile, serial: int) -> int:
    """The position on the last page that has one."""
    for place in file.backwards(b"OggS"):
        file.seek(place)
        try:
            page = OggPage(file)  # type: ignore[no-untyped-call]
        except (MutagenError, EOFError):
            raise BadFile(Problem.TRUNCATED) from None
        if page.serial != serial:
            raise BadFile(Problem.UNREADABLE)
        if page.position != NOWHERE:
            return int(page.position)
    raise BadFile(Problem.NO_DURATION)
