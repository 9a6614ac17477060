"""Speech in the encodings that clients send: real ffmpeg makes FLAC and Ogg Opus of samples."""

import subprocess

import imageio_ffmpeg

ENCODERS = {
    "flac": ("-c:a", "flac", "-f", "flac"),
    "ogg-opus": ("-c:a", "libopus", "-b:a", "24k", "-f", "ogg"),
}


def encoded(samples: bytes, sample_rate: int, encoding: str) -> bytes:
    """16-bit samples of one channel in an encoding; `pcm` leaves them as they are."""
    if encoding == "pcm":
        return samples
    made = subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error"),
            *("-f", "s16le", "-ar", str(sample_rate), "-ac", "1", "-i", "pipe:0"),
            *(*ENCODERS[encoding], "pipe:1"),
        ],
        input=samples,
        capture_output=True,
        check=True,
    )
    return made.stdout
