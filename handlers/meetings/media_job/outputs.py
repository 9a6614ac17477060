"""Output of the media job: audio for the transcription, and one MP4 file with the video and its soundtrack.

The audio of each chunk is decoded to a FLAC file of exactly the chunk's duration. Missing audio is filled with silence,
and excess audio is cut off, so every chunk begins at its planned time. All audio output is made from these files. The
audio of the chunks itself cannot be joined, because every encoder starts with some milliseconds of padding. Players
skip it, but a joined file can declare only the padding of its first chunk.

The videos of the chunks are copied if they have the same format and MP4 files can contain it. Otherwise each of them is
encoded first.

Each chunk begins where the chunk before it ends, according to its measured duration. Audio and video use the same
times, so they stay synchronous for any number of chunks. For the transcription, the audio is divided into parts, because
Amazon Transcribe limits the duration of a job.

Files are joined with ffmpeg's concat demuxer, which reads a list of the files with their planned durations. Without
these durations, ffmpeg would use those in the files' headers, which may be wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Final

from handlers.meetings.environment import ENCODE_THREADS
from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, LIST_OPTIONS, OUTPUT_OPTIONS, Ffmpeg, InputRefused
from handlers.meetings.media_job.probe import SECOND, ChunkFacts, probe_chunk

MP4_VIDEO_CODECS: Final = frozenset({"h264", "hevc", "vp9", "av1"})
"""Codecs of video that MP4 files can contain. Video with another codec must be encoded."""
SPEECH_RATE: Final = 16_000
"""Samples per second of the audio for the transcription, which is mono."""
SOUNDTRACK_RATE: Final = 48_000
"""Samples per second of the video's soundtrack."""
MIN_AUDIO_MS: Final = 500
"""Minimum duration of the audio in milliseconds, because Amazon Transcribe rejects shorter audio."""
BYTES_PER_SAMPLE: Final = 2
"""Size of a sample of one channel."""
MAX_LONG_SIDE, MAX_SHORT_SIDE = 1920, 1080
"""Maximum frame size of encoded video, in pixels."""
MAX_VIDEO_BIT_RATE: Final = 2_500_000
"""Maximum bit rate of encoded video, in bits per second."""
AUDIO_BIT_RATE: Final = 64_000
"""Bit rate of each channel of the soundtrack, in bits per second."""
_RESERVED_BYTES: Final = 64 * 1024 * 1024
"""Reserved for small files, and for the headers and indexes of the others."""
FRAME_RATE: Final = 30
"""Frames per second of encoded videos. Faces and slides need no more, and frames that repeat the one before cost little. All
videos must have the same time unit, which follows from the frame rate, so that they can be joined.
"""
KEYFRAME_SECONDS: Final = 5
"""Maximum time between two key frames. A player can start only at a key frame."""
DURATION_TOLERANCE: Final = SECOND
"""Microseconds by which a joined video may be longer or shorter than planned."""
SCALE_OPTIONS: Final = "force_original_aspect_ratio=decrease:force_divisible_by=2:out_color_matrix=bt709:out_range=tv"
"""Options of ffmpeg's `scale` filter: keep the aspect ratio, and convert the colours to those of `COLOUR_OPTIONS`."""
COLOUR_OPTIONS: Final = ("-x264-params", "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv:chromaloc=0")
"""Colour properties of all encoded videos, because the joined file declares them only once. The encoder itself gets
them, because it would otherwise use those of its input.
"""
_SOUNDTRACK: Final = "soundtrack"


@dataclass(frozen=True)
class RecordingPlan:
    """Plan for one recording, from the properties of its chunks."""

    chunks: tuple[ChunkFacts, ...]

    @property
    def duration(self) -> int:
        """Duration in microseconds."""
        return sum(chunk.duration for chunk in self.chunks)

    @property
    def has_video(self) -> bool:
        return any(chunk.video is not None for chunk in self.chunks)

    @property
    def channels(self) -> int:
        """Number of channels of the soundtrack, or 0 if the recording has no audio."""
        return max(chunk.channels for chunk in self.chunks)

    @property
    def is_copiable(self) -> bool:
        """True if the chunks' videos can probably be joined without encoding, because MP4 files can contain their codec
        and they share the properties that joined videos must share (`ChunkVideo.form`).
        """
        first = self.chunks[0].video
        forms = {chunk.video.form if chunk.video else None for chunk in self.chunks}
        return first is not None and first.codec in MP4_VIDEO_CODECS and forms == {first.form}

    def divide_speech(self, max_seconds: int) -> list[tuple[int, int]]:
        """Return start and duration in milliseconds of each part of the audio for the transcription.

        All parts have about the same length, so that the last part is not too short to be transcribed.
        """
        whole = max(MIN_AUDIO_MS, ceil(self.duration * 1000 / SECOND))
        each = ceil(whole / ceil(whole / (max_seconds * 1000)))
        return [(start, min(each, whole - start)) for start in range(0, whole, each)]

    @cached_property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of an encoded video: those of the chunk with the most pixels, reduced to the maximum frame
        size, and rounded to even numbers.
        """
        sizes = [(chunk.video.width, chunk.video.height) for chunk in self.chunks if chunk.video]
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        scale = min(1.0, MAX_LONG_SIDE / max(width, height), MAX_SHORT_SIDE / min(width, height))
        return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)

    def required_bytes(self, uploaded: int) -> int:
        """Return the bytes of disk space that the job needs at most. `uploaded` is the size of all chunks in bytes.

        In the audio phase, the job decodes the audio of all chunks to FLAC files, makes the parts and the soundtrack from
        them, one at a time, and deletes them. In the video phase, it encodes the video of each chunk, unless it copies
        them, and deletes the chunk. Then it joins all videos to the whole one.
        """
        seconds = ceil(self.duration / SECOND)
        # This is more than a part needs (one channel), and more than the soundtrack needs, which exists as a file and in
        # the whole video (2 * AUDIO_BIT_RATE for each channel).
        audio_output = seconds * SPEECH_RATE * BYTES_PER_SAMPLE * self.channels
        decoded_audio = seconds * SOUNDTRACK_RATE * BYTES_PER_SAMPLE * self.channels  # a FLAC file is never larger
        encoded_video = seconds * MAX_VIDEO_BIT_RATE // 8 if self.has_video else 0
        # During the joining, the videos exist twice: the chunks if they are copied, or else their encoded forms.
        phases = (uploaded + decoded_audio, uploaded + encoded_video, 2 * encoded_video, 2 * uploaded)
        return _RESERVED_BYTES + audio_output + max(phases)


@dataclass(frozen=True)
class OutputMaker:
    """Writes files to the folder of the chunks."""

    ffmpeg: Ffmpeg
    plan: RecordingPlan

    def decode_audio(self, chunk: ChunkFacts) -> None:
        """Decode the audio of a chunk. Raises InputRefused if ffmpeg cannot decode it."""
        silence = ("-f", "lavfi", "-i", f"anullsrc=r={SOUNDTRACK_RATE}:cl=mono")
        self.ffmpeg.run(
            *((*CHUNK_OPTIONS, "-i", chunk.file_name, "-map", "0:a:0") if chunk.channels else silence),
            # async=1 fills gaps between timestamps and removes excess samples. It does not stretch audio.
            *("-af", f"aresample={SOUNDTRACK_RATE}:async=1:first_pts=0,{_exactly(chunk.duration)}"),
            *("-ac", str(self.plan.channels), "-sample_fmt", "s16", "-c:a", "flac"),
            *("-f", "flac", _decoded(chunk)),
        )

    def make_part(self, start_ms: int, duration_ms: int, name: str) -> None:
        """Write a part of the audio for the transcription as a FLAC file."""
        self.ffmpeg.run(
            *("-ss", f"{start_ms}ms", *self._audio_input()),
            *("-ac", "1", "-af", f"aresample={SPEECH_RATE},{_exactly(duration_ms * 1000)}"),
            *("-sample_fmt", "s16", "-c:a", "flac", *OUTPUT_OPTIONS, "-f", "flac", name),
        )

    def make_soundtrack(self) -> None:
        """Write the soundtrack of the video."""
        self.ffmpeg.run(
            *self._audio_input(),
            *("-c:a", "aac", "-aac_coder", "fast", "-b:a", str(AUDIO_BIT_RATE * self.plan.channels)),
            *(*OUTPUT_OPTIONS, "-f", "mp4", _SOUNDTRACK),
        )

    def delete_decoded_audio(self) -> None:
        for chunk in self.plan.chunks:
            Path(self.ffmpeg.folder, _decoded(chunk)).unlink()

    def encode_video(self, chunk: ChunkFacts) -> None:
        """Encode the video of a chunk with the plan's frame size, or black frames if it has none, and
        delete the chunk. Raises InputRefused if ffmpeg cannot decode the video.
        """
        self.ffmpeg.run(
            *self._chunk_frames(chunk),
            *("-an", "-sn", "-dn", "-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p"),
            *COLOUR_OPTIONS,
            *("-maxrate", str(MAX_VIDEO_BIT_RATE), "-bufsize", str(2 * MAX_VIDEO_BIT_RATE)),
            *("-g", str(KEYFRAME_SECONDS * FRAME_RATE)),
            *("-threads", str(ENCODE_THREADS), "-t", _seconds(chunk)),
            # ffmpeg skips single frames that it cannot decode. A video without any frame is an error.
            *("-abort_on", "empty_output", *OUTPUT_OPTIONS, "-f", "mp4", _encoded(chunk)),
        )
        Path(self.ffmpeg.folder, chunk.file_name).unlink()

    def join_video(self, name: str, *, copies_video: bool) -> None:
        """Write the whole video from the encoded videos, or by copying the chunks' videos.

        Raises InputRefused if ffmpeg fails, or if the duration differs from the plan.
        """
        files = [chunk.file_name if copies_video else _encoded(chunk) for chunk in self.plan.chunks]
        # `-copyts` keeps the list's timestamps. Otherwise ffmpeg would shift all of them to the first frame.
        inputs = [*LIST_OPTIONS, "-copyts", "-i", self._write_list("video-list", files)]
        maps = ["-map", "0:V:0"]
        if self.plan.channels:
            inputs += [*CHUNK_OPTIONS, "-i", _SOUNDTRACK]
            maps += ["-map", "1:0"]
        # Apple's players do not play HEVC video that is marked as `hev1`.
        video = self.plan.chunks[0].video
        tag = ("-tag:v", "hvc1") if copies_video and video and video.codec == "hevc" else ()
        self.ffmpeg.run(
            # The index is at the beginning of the file, so that players need not fetch its end first.
            *(*inputs, *maps, "-c", "copy", *tag, *OUTPUT_OPTIONS, "-movflags", "+faststart", "-f", "mp4", name),
        )
        if abs(probe_chunk(self.ffmpeg, name).duration - self.plan.duration) > DURATION_TOLERANCE:
            raise InputRefused

    def _audio_input(self) -> tuple[str, ...]:
        """Return the options that read the decoded audio of all chunks."""
        return *LIST_OPTIONS, "-i", self._write_list("audio-list", [_decoded(chunk) for chunk in self.plan.chunks])

    def _chunk_frames(self, chunk: ChunkFacts) -> tuple[str, ...]:
        """Return the options that read a chunk's frames and scale them, or generate black frames."""
        width, height = self.plan.frame_size
        if chunk.video is None:
            return "-f", "lavfi", "-i", f"color=c=black:s={width}x{height}:r={FRAME_RATE}:d={_seconds(chunk)}"
        # Each frame is shown until the next one, the first from the start of the chunk, and the last until the option
        # `-t` ends the video.
        constant_rate = f"fps={FRAME_RATE}:start_time=0:eof_action=pass,tpad=stop=-1:stop_mode=clone"
        scaled = f"scale=iw*sar:ih,scale={width}:{height}:{SCALE_OPTIONS},pad={width}:{height}:-1:-1,setsar=1"
        threads = ("-threads", str(ENCODE_THREADS))
        return *threads, *CHUNK_OPTIONS, "-i", chunk.file_name, "-map", "0:V:0", "-vf", f"{constant_rate},{scaled}"

    def _write_list(self, name: str, files: Sequence[str]) -> str:
        """Write a list of one file per chunk for the concat demuxer; return its name."""
        lines = (
            f"file {file}\nduration {chunk.duration}us\n" for file, chunk in zip(files, self.plan.chunks, strict=True)
        )
        Path(self.ffmpeg.folder, name).write_text("ffconcat version 1.0\n" + "".join(lines), encoding="ascii")
        return name


def _decoded(chunk: ChunkFacts) -> str:
    """Return the name of the file with a chunk's decoded audio."""
    return f"audio-{chunk.file_name}"


def _encoded(chunk: ChunkFacts) -> str:
    """Return the name of the file with a chunk's encoded video."""
    return f"video-{chunk.file_name}"


def _exactly(microseconds: int) -> str:
    """Return the filters that extend or cut audio to a duration."""
    return f"apad=whole_dur={microseconds}us,atrim=end={microseconds}us"


def _seconds(chunk: ChunkFacts) -> str:
    return f"{chunk.duration / SECOND:.6f}"
