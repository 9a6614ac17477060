"""Conversion between audio files and samples, with ffmpeg, for the emulated AWS services and their test clients.

Samples are 16-bit little-endian integers of one channel.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from local.ffmpeg import pcm_input, run_ffmpeg

RATE = 16_000
"""Samples per second of all speech on the local platform, as the speech model expects it."""
SAMPLE_BYTES = 2
ENCODERS: Final = {
    "flac": ("-c:a", "flac", "-f", "flac"),
    "ogg-opus": ("-c:a", "libopus", "-b:a", "24k", "-f", "ogg"),
    "wav": ("-f", "wav"),
}
"""ffmpeg's options by encoding."""
DEMUXERS: Final = {
    "amr": "amr",
    "flac": "flac",
    "m4a": "mov",
    "mp3": "mp3",
    "mp4": "mov",
    "ogg": "ogg",
    "ogg-opus": "ogg",
    "wav": "wav",
    "webm": "matroska",
}
"""ffmpeg's demuxers by media format or encoding, as Amazon Transcribe names them."""


def encode_audio(samples: bytes, encoding: str) -> bytes:
    """Encode samples at `RATE`. The encoding `pcm` leaves them unchanged."""
    if encoding == "pcm":
        return samples
    # To a file, because ffmpeg goes back to the header of a FLAC file to state its length.
    with TemporaryDirectory() as folder:
        path = Path(folder, "audio")
        run_ffmpeg(*pcm_input(RATE), *ENCODERS[encoding], str(path), data=samples)
        return path.read_bytes()


def decode_file(path: Path, formats: Iterable[str]) -> bytes:
    """Return the samples at `RATE` of an audio file, which must have one of these formats (keys of DEMUXERS).

    In other formats, for example playlists, a file could name other files of this machine, which ffmpeg would read.
    """
    demuxers = ",".join(sorted({DEMUXERS[name] for name in formats}))
    # The whitelists apply to the input or the output that follows them.
    allowed = ("-protocol_whitelist", "file", "-format_whitelist", demuxers)
    output = ("-protocol_whitelist", "pipe", "-f", "s16le", "-ac", "1", "-ar", str(RATE), "pipe:1")
    return run_ffmpeg(*allowed, "-i", str(path), "-map", "0:a:0", *output)


def silence(seconds: float) -> bytes:
    return bytes(SAMPLE_BYTES * round(seconds * RATE))
