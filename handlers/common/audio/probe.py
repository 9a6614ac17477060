"""Prober of audio files: reads format, codec and duration without decoding audio.

For MP3, WAV, FLAC and Ogg, the prober uses mutagen's parsers of single structures, because mutagen's file classes would
also load all tags and pictures. MP4 and WebM have their own readers, `mp4_duration` and `webm_duration`. A parser
may raise any exception on damaged or crafted bytes, so the prober rejects the file as `UNREADABLE` after any exception.
Only if a read from the storage failed, it raises that error instead.
"""

import struct
from itertools import chain
from typing import Any

from mutagen import MutagenError
from mutagen._riff import RiffFile
from mutagen.flac import StreamInfo
from mutagen.mp3 import HeaderNotFoundError, MPEGInfo, skip_id3
from mutagen.mp3._util import XingHeader, XingHeaderError
from mutagen.ogg import OggPage

from handlers.common.audio.flac_frame_headers import FRAME_STARTS, MAX_HEADER, frame_header
from handlers.common.audio.mp4_duration import read_mp4
from handlers.common.audio.probe_result import AudioFile, AudioFormat, RejectedAudio, RejectionReason
from handlers.common.audio.ranged_file import RangedFile
from handlers.common.audio.webm_duration import read_webm

MAX_MS = 10**10
"""About four months. A file that states a longer duration is wrong."""
ID3V1_BYTES = 128
"""Size of an ID3v1 tag, which follows the frames."""
MIN_SHARE = 0.98
"""Minimum size of an MP3 file's frames, as a share of the size that its Xing header states. A Xing or VBRI header, in
the first frame, states the number of frames and bytes. Programs count tags differently, so a complete file may be a
little shorter than stated."""
WAV_FORMAT = struct.Struct("<HHIIHH")
"""Codec, channels, sample rate, bytes per second, bytes per frame, and bits per sample of a WAV file."""
WAV_CODECS = {1: "pcm", 3: "float", 6: "alaw", 7: "mulaw"}
EXTENSIBLE = 0xFFFE
"""WAV format code of WAVE_FORMAT_EXTENSIBLE, whose codec is in the first two bytes of the sub-format id."""
UNKNOWN_SIZES = (range(1), range(0x7FFF0000, 0x80000000), range(0xFFFF0000, 0x100000000))
"""Placeholders for the size of WAV's data chunk. A program that writes to a pipe writes one of them, because it does not
know the size in advance."""
STREAMINFO_BYTES = 34
"""Size of STREAMINFO, FLAC's first metadata block, which states the number of samples."""
OPUS_RATE = 48000
"""Sample rate with which Ogg counts positions in Opus. The rate of the recorded sound does not matter."""
NO_POSITION = -1
"""Position of an Ogg page on which no packet ends."""


def probe(file: RangedFile) -> AudioFile:
    """Return the properties of a recording. Raises RejectedAudio or a storage error."""
    try:
        audio = _read(file)
    except Exception as error:
        if file.failure is not None:
            raise file.failure from None
        if isinstance(error, RejectedAudio):
            raise
        raise RejectedAudio(RejectionReason.UNREADABLE) from None
    if not audio.duration_ms:
        raise RejectedAudio(RejectionReason.NO_DURATION)
    if not 0 < audio.duration_ms < MAX_MS:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return audio


def _read(file: RangedFile) -> AudioFile:
    """Recognise the format by the first bytes, and read the file in this format."""
    head = file.at(0, 12)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return read_webm(file)
    if head.startswith(b"OggS"):
        return _read_ogg(file)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return _read_wav(file)
    if head[4:8] == b"ftyp":
        return read_mp4(file)
    start = _skip_id3(file, 0)
    if file.at(start, 4) == b"fLaC":
        return _read_flac(file, start)
    if start or _is_mp3_frame(file, start):
        return _read_mp3(file, start)
    raise RejectedAudio(RejectionReason.UNKNOWN_FORMAT)


def _skip_id3(file: RangedFile, offset: int) -> int:
    """Return the end of the ID3v2 tags at an offset. Tags are not read."""
    file.seek(offset)
    skip_id3(file)
    return file.tell()


def _is_mp3_frame(file: RangedFile, offset: int) -> bool:
    """Return True if an MPEG frame of layer 3 begins here. Frames of AAC have another layer."""
    head = file.at(offset, 2)
    return len(head) == 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2


def _read_mp3(file: RangedFile, start: int) -> AudioFile:
    """Read the duration from the Xing or VBRI header. Without such a header, estimate it from size and first bit rate.

    A file that is shorter than its Xing header states is truncated. If a recording follows after the stated end, the
    file consists of joined recordings. It is rejected, because the header only describes the first of them.
    """
    info = MPEGInfo(file, start)
    # Mutagen calls a file sketchy if it found no Xing or VBRI header, and fewer than four consecutive frames.
    if info.sketchy or info.layer != 3:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    stated = _read_stated_bytes(file, info)
    if file.size - info.frame_offset < MIN_SHARE * stated:
        raise RejectedAudio(RejectionReason.TRUNCATED)
    if stated and _has_further_frames(file, info.frame_offset + stated):
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return AudioFile(AudioFormat.MP3, "mp3", round(info.length * 1000))


def _read_stated_bytes(file: RangedFile, info: Any) -> int:
    """Return the size of all frames as the Xing header states it, or 0 without such a header."""
    file.seek(info.frame_offset + XingHeader.get_offset(info))
    try:
        return max(0, XingHeader(file).bytes)
    except XingHeaderError:
        return 0


def _has_further_frames(file: RangedFile, end: int) -> bool:
    """Return True if another recording begins at the stated end, possibly after tags.

    Some headers leave out one frame, so a single further frame is no recording. `sketchy` is False if at least four
    frames or a Xing or VBRI header follow.
    """
    offset = _skip_id3(file, end + (ID3V1_BYTES if file.at(end, 3) == b"TAG" else 0))
    try:
        return _is_mp3_frame(file, offset) and not MPEGInfo(file, offset).sketchy
    except HeaderNotFoundError:
        return False


def _read_wav(file: RangedFile) -> AudioFile:
    """Compute the duration from the size of the samples, because the stated bytes per second are often wrong."""
    chunks = RiffFile(file)
    form, data = chunks["fmt"].read(), chunks["data"]
    codec, channels, rate, _, frame_bytes, bits = WAV_FORMAT.unpack_from(form)
    if codec == EXTENSIBLE:
        codec = int.from_bytes(form[24:26], "little")
    if codec not in WAV_CODECS:
        raise RejectedAudio(RejectionReason.CODEC_NOT_SUPPORTED)
    if not (channels and rate and bits) or frame_bytes != channels * ((bits + 7) // 8):
        raise RejectedAudio(RejectionReason.UNREADABLE)
    size, available = data.data_size, file.size - data.data_offset
    if size == 0 or (size > available and any(size in sizes for sizes in UNKNOWN_SIZES)):
        size = available
    if size > available:
        raise RejectedAudio(RejectionReason.TRUNCATED)
    return AudioFile(AudioFormat.WAV, WAV_CODECS[codec], round(size * 1000 / (rate * frame_bytes)))


def _read_flac(file: RangedFile, start: int) -> AudioFile:
    """Read STREAMINFO, and check that the last frame exists. Pictures and other metadata are not read."""
    header = file.at(start + 4, 4)
    if header[0] & 0x7F or int.from_bytes(header[1:], "big") != STREAMINFO_BYTES:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    info = StreamInfo(file.at(start + 8, STREAMINFO_BYTES))
    if not info.total_samples:
        raise RejectedAudio(RejectionReason.NO_DURATION)
    frames = chain.from_iterable(map(file.find_backwards, FRAME_STARTS))
    if not any(_ends_file(file, offset, info) for offset in frames):
        raise RejectedAudio(RejectionReason.TRUNCATED)
    return AudioFile(AudioFormat.FLAC, "flac", round(info.total_samples * 1000 / info.sample_rate))


def _ends_file(file: RangedFile, offset: int, info: StreamInfo) -> bool:
    """Return True if a frame at this offset contains the last sample."""
    header = frame_header(file.at(offset, MAX_HEADER), info.sample_rate, info.channels, info.bits_per_sample)
    if header is None or not header.matches_stream_info:
        return False
    first = header.number if header.has_varying_block_size else header.number * info.max_blocksize
    return bool(first + header.block_size == info.total_samples)


def _read_ogg(file: RangedFile) -> AudioFile:
    """Read the codec from the first page, and the duration from the last page with a position.

    The file must be a single stream. Missing pages between the first and the last page are not noticed.
    """
    file.seek(0)
    first = OggPage(file)
    packet: bytes = first.packets[0]
    if packet.startswith(b"OpusHead"):
        codec, rate, skipped = "opus", OPUS_RATE, int.from_bytes(packet[10:12], "little")
    elif packet.startswith(b"\x01vorbis"):
        codec, rate, skipped = "vorbis", int.from_bytes(packet[12:16], "little"), 0
    else:
        raise RejectedAudio(RejectionReason.CODEC_NOT_SUPPORTED)
    samples = _find_last_position(file, first.serial) - skipped
    return AudioFile(AudioFormat.OGG, codec, round(max(0, samples) * 1000 / rate))


def _find_last_position(file: RangedFile, serial: int) -> int:
    """Return the position of the last page: the number of samples up to its end."""
    for offset in file.find_backwards(b"OggS"):
        file.seek(offset)
        try:
            page = OggPage(file)
        except (MutagenError, EOFError):
            raise RejectedAudio(RejectionReason.TRUNCATED) from None
        if page.serial != serial:
            raise RejectedAudio(RejectionReason.UNREADABLE)
        if page.position != NO_POSITION:
            return int(page.position)
    raise RejectedAudio(RejectionReason.NO_DURATION)
