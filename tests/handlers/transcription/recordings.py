"""Audio files for tests: real files, created by ffmpeg, and small files with any headers."""

import struct
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
from mutagen.ogg import OggPage

DEFAULT_SOURCE = "anoisesrc=color=pink:amplitude=0.3:seed=7:sample_rate={rate}:duration={seconds}"
"""Pink noise, as a filter of ffmpeg."""

CODECS = {
    "opus": ("-c:a", "libopus", "-f", "opus"),
    "vorbis": ("-c:a", "libvorbis", "-f", "ogg"),
    "speex": ("-c:a", "libspeex", "-f", "ogg"),
    "flac": ("-c:a", "flac", "-sample_fmt", "s16", "-f", "flac"),
    "webm": ("-c:a", "libopus", "-f", "webm"),
    "mp3": ("-c:a", "libmp3lame", "-f", "mp3"),
    "mp3-bare": ("-c:a", "libmp3lame", "-id3v2_version", "0", "-write_xing", "0", "-f", "mp3"),
    "aac": ("-c:a", "aac", "-f", "adts"),
    "mp4": ("-c:a", "aac", "-f", "mp4"),
    "wav": ("-c:a", "pcm_s16le", "-f", "wav"),
}
"""Options of ffmpeg for each kind of file. A file of the kind `mp3-bare` begins with its first audio frame."""


@cache
def recording(
    codec: str,
    *options: str,
    rate: int = 16000,
    seconds: float = 2.345,
    source: str = DEFAULT_SOURCE,
    piped: bool = False,
) -> bytes:
    """Return a file of this kind (see `CODECS`), by default with noise.

    If the file is written to a pipe, its header states no length, because ffmpeg cannot return to the header.
    """
    audio = ("-f", "lavfi", "-i", source.format(rate=rate, seconds=seconds), "-ac", "1", *CODECS[codec], *options)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *audio]
    if piped:
        return subprocess.run([*command, "-"], capture_output=True, check=True).stdout  # noqa: S603
    with TemporaryDirectory() as folder:
        output = Path(folder, "output")
        subprocess.run([*command, str(output)], capture_output=True, check=True)  # noqa: S603
        return output.read_bytes()


def flac(samples: int, *, rate: int = 16_000, channels: int = 1, bits: int = 16) -> bytes:
    """Return a FLAC file whose header states these values. It has no frames, which nothing reads before Transcribe."""
    fields = (rate << 44) | (channels - 1 << 41) | (bits - 1 << 36) | samples
    return b"fLaC\x80\0\0\x22" + bytes(10) + fields.to_bytes(8, "big") + bytes(16)


def opus(samples: int, *, rate: int = 48_000, channels: int = 1, dropped: int = 0, magic: bytes = b"OpusHead") -> bytes:
    """Return an Ogg Opus file of this length at 48 kHz. Its only packet of audio is no valid one."""
    head = struct.pack("<8sBBHIhB", magic, 1, channels, dropped, rate, 0, 0)
    pages = []
    for number, (position, packet) in enumerate([(0, head), (0, b"OpusTags"), (samples, bytes(9))]):
        page = OggPage()
        page.packets, page.sequence, page.position, page.first = [packet], number, position, number == 0
        pages.append(page.write())
    return b"".join(pages)
