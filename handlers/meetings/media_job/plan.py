"""Plan by which the media job makes video and audio from the chunks of a recording.

Each chunk begins where the chunk before it ends, according to its measured duration. Audio and video use the same
times, so they stay synchronous for any number of chunks. For the transcription, the audio is divided into parts, because
Amazon Transcribe limits the duration of a job.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Final

from handlers.meetings.media_job.probe import SECOND, ChunkFacts

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
        videos = [chunk.video for chunk in self.chunks]
        first = videos[0]
        return (
            first is not None
            and first.codec in MP4_VIDEO_CODECS
            and all(video is not None and (video.codec, video.form) == (first.codec, first.form) for video in videos)
        )

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
