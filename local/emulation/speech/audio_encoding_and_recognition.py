"""Encodes audio samples, and recognises the tone words in an audio file, both with ffmpeg.

A tone word is a pair of tones that takes the place of a spoken word (see `tone_words.py`).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from local.emulation.speech.tone_words import ANALYSED_RATE, Pause, Recogniser, SpokenWord
from local.ffmpeg import pcm_input, run_ffmpeg

ENCODERS: Final = {
    "flac": ("-c:a", "flac", "-f", "flac"),
    "ogg-opus": ("-c:a", "libopus", "-b:a", "24k", "-f", "ogg"),
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


def encode_audio(samples: bytes, sample_rate: int, encoding: str) -> bytes:
    """Encode 16-bit samples of one channel. The encoding `pcm` leaves them unchanged."""
    if encoding == "pcm":
        return samples
    return run_ffmpeg(*pcm_input(sample_rate), *ENCODERS[encoding], "pipe:1", data=samples)


def recognise_file(path: Path, formats: Iterable[str]) -> list[SpokenWord | Pause]:
    """Return the words and pauses of an audio file, which must have one of these formats (keys of DEMUXERS).

    In other formats, for example playlists, a file could name other files of this machine, which ffmpeg would read.
    """
    demuxers = ",".join(sorted({DEMUXERS[name] for name in formats}))
    allowed = ("-protocol_whitelist", "file", "-format_whitelist", demuxers)
    output = ("-protocol_whitelist", "pipe", "-f", "s16le", "-ac", "1", "-ar", str(ANALYSED_RATE), "pipe:1")
    recogniser = Recogniser(ANALYSED_RATE)
    samples = run_ffmpeg(*allowed, "-i", str(path), "-map", "0:a:0", *output)
    return [*recogniser.feed(samples), *recogniser.finish()]
