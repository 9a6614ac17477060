"""Sample chunks that ffmpeg creates from a test card and beeps, and functions that analyse the job's output."""

import array
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()
SAMPLE_RATE = 16_000
LOUD_SAMPLE = 8_000
"""Louder than the noise that an encoder adds before a sudden sound."""
TEST_CARD = "testsrc2=size=64x48:rate=10"
BEEPS = "aevalsrc='if(lt(mod(t,{every}),0.05),0.8*sin(2*PI*1000*t),0)':s=44100"
"""A beep of 50 ms every `every` seconds."""
BEEP_AT_START = BEEPS.format(every=9999)
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10")
AAC = ("-c:a", "aac", "-b:a", "48k")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
"""Options for a WebM file. The job must encode its video, because an MP4 file cannot contain VP8."""


def lavfi_inputs(*sources: str) -> tuple[str, ...]:
    """Return the options with which ffmpeg reads video or audio that it generates itself."""
    return tuple(option for source in sources for option in ("-f", "lavfi", "-i", source))


def ffmpeg(*arguments: str) -> bytes:
    """Run ffmpeg; return its standard output."""
    command = [FFMPEG, "-v", "error", "-nostdin", "-y", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603


@cache
def make_file(suffix: str, *arguments: str) -> bytes:
    """Return a file that ffmpeg creates with these arguments."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"output.{suffix}")
        ffmpeg(*arguments, str(path))
        return path.read_bytes()


def video_with_audio(seconds: float = 1, *options: str, suffix: str = "mp4", card: str = TEST_CARD) -> bytes:
    """Return a video with a beep at its beginning."""
    inputs = lavfi_inputs(card, BEEP_AT_START)
    return make_file(suffix, *inputs, *(options or (*H264, *AAC)), "-t", str(seconds))


def video_only(seconds: float = 1, *options: str, suffix: str = "mp4", card: str = TEST_CARD) -> bytes:
    """Return a video without audio."""
    return make_file(suffix, *lavfi_inputs(card), *(options or H264), "-t", str(seconds))


@cache
def rotated_video(degrees: int) -> bytes:
    """Return a video that a player must rotate, like one of a phone held sideways. Before the rotation, its left half
    is white.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "unrotated.mp4")
        path.write_bytes(video_with_audio(card="color=black:s=64x48:r=10,drawbox=w=32:color=white:t=fill"))
        return make_file("mp4", "-display_rotation", str(degrees), "-i", str(path), "-c", "copy")


def audio_only(seconds: float = 1, *options: str, suffix: str = "m4a", beep_interval: float = 9999) -> bytes:
    """Return audio with a beep at its beginning and after each interval, without video."""
    inputs = lavfi_inputs(BEEPS.format(every=beep_interval))
    return make_file(suffix, *inputs, *(options or AAC), "-t", str(seconds))


def screen_recording(
    *change_times: float, codec: str = "libvpx", audio_seconds: float = 0, first_timestamp: float = 0
) -> bytes:
    """Return a screen recording as a browser writes it, with a frame only where the screen turns white or black.

    `change_times` are seconds, with at most one decimal place. A file without audio does not declare the duration of
    its last frame.
    """

    def select_frames(times: list[float]) -> str:
        return "+".join(f"eq(n,{round(10 * seconds)})" for seconds in times)

    frame_times = [0, *change_times]
    white_frames = select_frames(frame_times[1::2])
    card = f"color=black:s=64x48:r=10:d={frame_times[-1] + 1},drawbox=color=white:t=fill:enable='{white_frames}'"
    audio = (*lavfi_inputs(f"{BEEP_AT_START}:d={audio_seconds}"), "-c:a", "libopus") if audio_seconds else ()
    # The filter `interleave`, here with a single input, keeps ffmpeg from declaring a frame rate.
    frame_selection = ("-vf", f"select='{select_frames(frame_times)}',interleave=1", "-fps_mode", "passthrough")
    codec_options = ("-c:v", codec, "-deadline", "realtime", "-output_ts_offset", str(first_timestamp))
    return make_file("webm", *lavfi_inputs(card), *audio, *frame_selection, *codec_options)


def decode_samples(path: Path) -> "array.array[int]":
    """Return the audio samples of a file. Gaps between its packets become silence."""
    options = ("-map", "0:a:0", "-af", f"aresample={SAMPLE_RATE}:async=1:first_pts=0", "-ac", "1")
    return array.array("h", ffmpeg("-i", str(path), *options, "-f", "s16le", "pipe:1"))


def beep_times(samples: "array.array[int]") -> list[float]:
    """Return the start of each beep in seconds."""
    loud = [position for position, sample in enumerate(samples) if not -LOUD_SAMPLE < sample < LOUD_SAMPLE]
    pause = SAMPLE_RATE // 5 + 1
    return [position / SAMPLE_RATE for before, position in pairwise([-SAMPLE_RATE, *loud]) if position - before > pause]


def flash_times(path: Path) -> list[float]:
    """Return the times in seconds at which a video changes between black and white."""
    options = ("-map", "0:v:0", "-vf", "fps=50:start_time=0,scale=1:1,format=gray", "-f", "rawvideo", "pipe:1")
    is_white = [pixel > 127 for pixel in ffmpeg("-i", str(path), *options)]
    return [number / 50 for number in range(1, len(is_white)) if is_white[number] != is_white[number - 1]]


def white_fields(path: Path, at: float) -> str:
    """Return three rows of three fields that show which parts of a video's frame at this second are white (x)."""
    options = ("-map", "0:v:0", "-frames:v", "1", "-vf", "scale=3:3:flags=area,format=gray", "-f", "rawvideo", "pipe:1")
    marks = "".join("x" if pixel > 140 else "." for pixel in ffmpeg("-ss", str(at), "-i", str(path), *options))
    return " ".join(marks[row : row + 3] for row in (0, 3, 6))


def describe_file(path: Path, *options: str) -> str:
    """Return ffmpeg's messages about a file after decoding it completely."""
    command = [FFMPEG, "-nostdin", "-hide_banner", "-i", str(path), *options, "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True).stderr.decode()  # noqa: S603
