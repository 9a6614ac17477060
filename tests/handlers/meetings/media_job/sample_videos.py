"""Sample chunks that ffmpeg creates with a test card and a tone, and functions that analyse the job's output."""

import array
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()
RATE = 16_000
LOUD = 8_000
"""Louder than the noise that an encoder adds before a sudden sound."""
TEST_CARD = "testsrc2=size=64x48:rate=10"
BEEP = "aevalsrc='if(lt(mod(t,{every}),0.05),0.8*sin(2*PI*1000*t),0)':s=44100"
"""A beep of 50 ms every `every` seconds."""
HALFWAY = BEEP.format(every=1).replace("mod(t,", "mod(t+0.5,")
"""Beeps in the middle of each second, far from the chunks' edges, where an encoder needs some milliseconds to start."""
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10")
AAC = ("-c:a", "aac", "-b:a", "48k")


def ffmpeg(*arguments: str) -> bytes:
    """Run ffmpeg; return its standard output."""
    command = [FFMPEG, "-v", "error", "-nostdin", "-y", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603


@cache
def make_file(suffix: str, *arguments: str) -> bytes:
    """Return a file that ffmpeg creates with these arguments."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"made.{suffix}")
        ffmpeg(*arguments, str(path))
        return path.read_bytes()


def video_with_audio(
    seconds: float = 1, *options: str, suffix: str = "mp4", card: str = TEST_CARD, every: float = 9
) -> bytes:
    """Return a video with a beep at its beginning."""
    sources = ("-f", "lavfi", "-i", card, "-f", "lavfi", "-i", BEEP.format(every=every))
    return make_file(suffix, *sources, *(options or (*H264, *AAC)), "-t", str(seconds))


def video_only(seconds: float = 1, *options: str, suffix: str = "mp4", card: str = TEST_CARD) -> bytes:
    """Return a video without audio."""
    return make_file(suffix, "-f", "lavfi", "-i", card, *(options or H264), "-t", str(seconds))


@cache
def rotated_video(degrees: int) -> bytes:
    """Return a video whose left half is white, recorded by a rotated phone."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "held.mp4")
        path.write_bytes(video_with_audio(card="color=black:s=64x48:r=10,drawbox=w=32:color=white:t=fill"))
        return make_file("mp4", "-display_rotation", str(degrees), "-i", str(path), "-c", "copy")


def audio_only(seconds: float = 1, *options: str, suffix: str = "m4a", every: float = 9) -> bytes:
    """Return a beep without video."""
    return make_file(suffix, "-f", "lavfi", "-i", BEEP.format(every=every), *(options or AAC), "-t", str(seconds))


def screen_recording(*moments: float, codec: str = "libvpx", lasts: float = 0, offset: float = 0) -> bytes:
    """Return a screen recording as a browser writes it, with a frame only where the screen turns white or black.

    `moments` are tenths of a second. With `lasts`, the file has audio of that duration. Otherwise, nothing declares the
    duration of the last frame.
    """
    shown = [0, *moments]
    kept, white = ("+".join(f"eq(n,{round(10 * seconds)})" for seconds in some) for some in (shown, shown[1::2]))
    card = f"color=black:s=64x48:r=10:d={shown[-1] + 1},drawbox=color=white:t=fill:enable='{white}'"
    sound = ("-f", "lavfi", "-i", f"{BEEP.format(every=9999)}:d={lasts}", "-c:a", "libopus") if lasts else ()
    # An interleaved file, even with an empty stream, declares no frame rate.
    changing = ("-vf", f"select='{kept}',interleave=1", "-fps_mode", "passthrough")
    codec_options = ("-c:v", codec, "-deadline", "realtime", "-output_ts_offset", str(offset))
    return make_file("webm", "-f", "lavfi", "-i", card, *sound, *changing, *codec_options)


@cache
def chunked_video(count: int) -> tuple[bytes, ...]:
    """Return chunks of one second that are separate files, as a recorder writes them."""
    with TemporaryDirectory() as folder:
        sources = ("-f", "lavfi", "-i", TEST_CARD, "-f", "lavfi", "-i", HALFWAY)
        cut = ("-f", "segment", "-segment_time", "1", "-reset_timestamps", "1", "-t", str(count))
        ffmpeg(*sources, *H264, *AAC, *cut, f"{folder}/%03d.mp4")
        return tuple(path.read_bytes() for path in sorted(Path(folder).glob("*.mp4")))


def decode_samples(file: bytes, folder: Path) -> "array.array[int]":
    """Return the audio samples of a file."""
    path = folder / "audio-file"
    path.write_bytes(file)
    filled = ("-map", "0:a:0", "-af", f"aresample={RATE}:async=1:first_pts=0", "-ac", "1")
    return array.array("h", ffmpeg("-i", str(path), *filled, "-f", "s16le", "pipe:1"))


def beep_times(samples: "array.array[int]") -> list[float]:
    """Return the start of each beep in seconds."""
    loud = [position for position, sample in enumerate(samples) if not -LOUD < sample < LOUD]
    return [position / RATE for before, position in pairwise([-RATE, *loud]) if position - before > RATE // 5 + 1]


def flash_times(file: bytes, folder: Path) -> list[float]:
    """Return the times in seconds at which the video changes between black and white."""
    path = folder / "video-file"
    path.write_bytes(file)
    frames = ("-map", "0:v:0", "-vf", "fps=50:start_time=0,scale=1:1,format=gray", "-f", "rawvideo", "pipe:1")
    is_white = [pixel > 127 for pixel in ffmpeg("-i", str(path), *frames)]
    return [number / 50 for number in range(1, len(is_white)) if is_white[number] != is_white[number - 1]]


def white_fields(file: bytes, folder: Path, at: float) -> str:
    """Return which of nine fields of a frame are white, row by row."""
    path = folder / "cornered"
    path.write_bytes(file)
    fields = ("-map", "0:v:0", "-frames:v", "1", "-vf", "scale=3:3:flags=area,format=gray", "-f", "rawvideo", "pipe:1")
    marks = "".join("x" if pixel > 140 else "." for pixel in ffmpeg("-ss", str(at), "-i", str(path), *fields))
    return " ".join(marks[row : row + 3] for row in (0, 3, 6))


def describe_file(file: bytes, folder: Path) -> str:
    """Return ffmpeg's messages about a file after decoding it completely."""
    path = folder / "described"
    path.write_bytes(file)
    command = [FFMPEG, "-nostdin", "-hide_banner", "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True).stderr.decode()  # noqa: S603
