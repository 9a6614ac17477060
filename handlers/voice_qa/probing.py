"""What a recording is: its format by its content, its codec, its length. Headers are read, sound never.

Readers of the formats may raise anything over bytes that somebody made up; here that becomes `UNREADABLE`. Storage's
own failures stay what they are. What limits a recording has to keep is decided elsewhere.
"""

from handlers.voice_qa import flac, mp3, mp4, ogg, wav, webm
from handlers.voice_qa.audio_files import AudioFile, BadFile, Problem
from handlers.voice_qa.ranged import RangedFile

MOST_MS = 10**10
"""About four months: what claims to be longer is wrong, and would be wrong wherever it is shown."""


def probe(file: RangedFile) -> AudioFile:
    """What the file is; raises BadFile, and whatever storage raised."""
    try:
        found = _read(file)
    except Exception as error:
        if file.failure is not None:
            raise file.failure from None
        if isinstance(error, BadFile):
            raise
        raise BadFile(Problem.UNREADABLE) from None
    if not found.duration_ms:
        raise BadFile(Problem.NO_DURATION)
    if not 0 < found.duration_ms < MOST_MS:
        raise BadFile(Problem.UNREADABLE)
    return found


def _read(file: RangedFile) -> AudioFile:
    head = file.at(0, 12)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return webm.read(file)
    if head.startswith(b"OggS"):
        return ogg.read(file)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return wav.read(file)
    if head[4:8] == b"ftyp":
        return mp4.read(file)
    start = mp3.behind_tags(file)
    inner = file.at(start, 4)
    if inner == b"fLaC":
        return flac.read(file, start)
    if start or mp3.begins_a_frame(inner):
        return mp3.read(file, start)
    raise BadFile(Problem.UNKNOWN_FORMAT)
