"""Real audio files for tests, created by ffmpeg."""

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg

DEFAULT_SOURCE = "anoisesrc=color=pink:amplitude=0.3:seed=7:sample_rate={rate}:duration={seconds}"
"""Pink noise, as a filter of ffmpeg."""

CODECS = {
    "opus": ("-c:a", "libopus", "-f", "opus"),
    "vorbis": ("-c:a", "libvorbis", "-f", "ogg"),
    "speex": ("-c:a", "libspeex", "-f", "ogg"),
    "ogg-flac": ("-c:a", "flac", "-f", "ogg"),
    "flac": ("-c:a", "flac", "-sample_fmt", "s16", "-f", "flac"),
    "flac-24": ("-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24", "-f", "flac"),
    "webm": ("-c:a", "libopus", "-f", "webm"),
    "mp3": ("-c:a", "libmp3lame", "-f", "mp3"),
    "mp3-bare": ("-c:a", "libmp3lame", "-id3v2_version", "0", "-write_xing", "0", "-f", "mp3"),
    "aac": ("-c:a", "aac", "-f", "adts"),
    "mp4": ("-c:a", "aac", "-f", "mp4"),
    "wav": ("-c:a", "pcm_s16le", "-f", "wav"),
    "pcm": ("-c:a", "pcm_s16le", "-f", "s16le"),
}
"""Options of ffmpeg for each kind of file. A file of the kind `mp3-bare` begins with its first audio frame."""


@cache
def recording(
    codec: str,
    *options: str,
    rate: int = 16000,
    seconds: float = 2.345,
    channels: int = 1,
    source: str = DEFAULT_SOURCE,
    piped: bool = False,
) -> bytes:
    """Return a file of this kind (see `CODECS`), by default with noise.

    If the file is written to a pipe, its header states no length, because ffmpeg cannot return to the header.
    """
    audio = ("-f", "lavfi", "-i", source.format(rate=rate, seconds=seconds), "-ac", str(channels))
    return _run_ffmpeg(*audio, *CODECS[codec], *options, piped=piped)


@cache
def rewrap(audio: bytes, muxer: str) -> bytes:
    """Return the same packets in another container."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.write_bytes(audio)
        return _run_ffmpeg("-i", str(source), "-c", "copy", "-f", muxer)


@cache
def loop_audio(audio: bytes, muxer: str, seconds: float) -> bytes:
    """Return the same packets, repeated until the audio has this length, without encoding."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.write_bytes(audio)
        return _run_ffmpeg("-stream_loop", "-1", "-i", str(source), "-t", str(seconds), "-c", "copy", "-f", muxer)


def decoded_ms(audio: bytes) -> float:
    """Return the duration that ffmpeg finds when it decodes the whole file."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.write_bytes(audio)
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-xerror", "-i", str(source)]
        result = subprocess.run(  # noqa: S603
            [*command, "-ar", "48000", "-ac", "1", "-f", "s16le", "-"], capture_output=True, check=True
        )
    return len(result.stdout) / 2 / 48


def _run_ffmpeg(*arguments: str, piped: bool = False) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    if piped:
        return subprocess.run([*command, "-"], capture_output=True, check=True).stdout  # noqa: S603
    with TemporaryDirectory() as folder:
        output = Path(folder, "output")
        subprocess.run([*command, str(output)], capture_output=True, check=True)  # noqa: S603
        return output.read_bytes()
