"""Plan by which the media job makes video and audio from the chunks of a recording.

Each chunk begins where the chunk before it ends, according to its measured duration. Audio and video use the same
times, so they stay synchronous for any number of chunks.

For the transcription, the audio is divided into parts, because Amazon Transcribe limits the duration of a job.

The video is copied if all chunks have the same format and MP4 files can contain it. Otherwise it is divided into
pieces, which are encoded and stored one by one, so that an interrupted job need not start again.

The soundtrack is copied only if there is a single chunk, because every encoder starts with some milliseconds of
padding. Players skip it, but a joined file can declare only the padding of its first chunk. So the copied audio of 300
chunks would be 17 seconds too long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil
from typing import Final

from handlers.meetings.media_job.chunk_facts import SECOND, RecordingFacts, TrackFormat

COPIED_VIDEO_CODECS: Final = frozenset({"h264", "hevc", "vp9", "av1"})
COPIED_AUDIO_CODECS: Final = frozenset({"aac", "mp3", "opus"})
SPEECH_RATE: Final = 16_000
"""Samples per second of the audio for the transcription, which is mono."""
SOUNDTRACK_RATE: Final = 48_000
"""Samples per second of a soundtrack that is not copied."""
MIN_SAMPLES: Final = SPEECH_RATE // 2
"""Half a second of audio, because Amazon Transcribe rejects shorter audio."""
BYTES_PER_SAMPLE: Final = 2
"""Size of a sample of one channel."""
MAX_FRAME_RATE: Final = 30
"""Maximum frames per second of encoded video. Faces and slides need no more."""
MAX_LONG_SIDE, MAX_SHORT_SIDE = 1920, 1080
"""Maximum frame size of encoded video, in pixels."""
MAX_VIDEO_BIT_RATE: Final = 2_500_000
"""Maximum bit rate of encoded video, in bits per second."""
AUDIO_BIT_RATE: Final = 64_000
"""Bit rate of each channel of encoded audio, in bits per second."""
_HEADER_BYTES: Final = 4 * 1024 * 1024
"""Reserved for the headers of the largest file, and for rounding errors."""
_PIECE_HEADER_BYTES: Final = 256 * 1024
"""Reserved for the headers of each piece."""
_INDEX_ENTRY_BYTES: Final = 32
"""Size of a packet's index entry in an MP4 file."""


@dataclass(frozen=True)
class PlanLimits:
    """Maximum durations in microseconds."""

    max_part: int
    """Limit for a part of the audio."""
    max_piece: int
    """Limit for a piece of encoded video."""
    max_recording: int


@dataclass(frozen=True)
class SpeechPart:
    """A part of the audio for one transcription job."""

    number: int
    first_sample: int
    """Number of the part's first sample in the whole audio. Samples, parts, chunks and pieces are numbered from 0."""
    sample_count: int

    @property
    def offset_ms(self) -> int:
        """Start of the part. It is always a whole number of milliseconds."""
        return self.first_sample * 1000 // SPEECH_RATE

    @property
    def duration_ms(self) -> int:
        """Duration of the part. It is rounded for the last part, and exact for all others."""
        return max(1, round(self.sample_count * 1000 / SPEECH_RATE))


@dataclass(frozen=True)
class ChunkSpan:
    """A section of a chunk, or all of it."""

    chunk: int
    """Number of the chunk."""
    begin: int
    """Microseconds from the start of the chunk."""
    end: int
    """Microseconds from the start of the chunk."""

    @property
    def duration(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True)
class VideoPiece:
    """A section of the video that is encoded and stored by itself.

    It shows one or more whole chunks of the same format, or a section of a chunk that is too long for a piece.
    """

    number: int
    spans: tuple[ChunkSpan, ...]
    track_format: TrackFormat | None
    """Format of the chunks' video. None if the piece shows only black frames."""

    @property
    def duration(self) -> int:
        return sum(span.duration for span in self.spans)


class RecordingPlan:
    """Plan for one recording. Times and durations are in microseconds, unless their names say otherwise."""

    def __init__(self, facts: RecordingFacts, limits: PlanLimits) -> None:
        self.chunks = facts.chunks
        self.copies_video = not facts.uncopiable and self._is_copiable()
        self._limits = limits

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Start of each chunk, and then the end of the last chunk."""
        starts = [0]
        for chunk in self.chunks:
            starts.append(starts[-1] + chunk.duration)
        return tuple(starts)

    @property
    def duration(self) -> int:
        return self.starts[-1]

    @property
    def is_too_long(self) -> bool:
        return self.duration > self._limits.max_recording

    @property
    def has_video(self) -> bool:
        return any(chunk.video is not None for chunk in self.chunks)

    @property
    def has_audio(self) -> bool:
        return any(chunk.audio is not None for chunk in self.chunks)

    @property
    def copies_audio(self) -> bool:
        """True if the video's soundtrack is the copied audio of the only chunk."""
        audio = self.chunks[0].audio
        return len(self.chunks) == 1 and audio is not None and audio.track_format.codec in COPIED_AUDIO_CODECS

    @property
    def channels(self) -> int:
        """Number of channels of an encoded soundtrack."""
        return max((chunk.audio.channels for chunk in self.chunks if chunk.audio is not None), default=1)

    def sample_starts(self, rate: int) -> tuple[int, ...]:
        """Return `starts` in samples. Each value is rounded separately, so rounding errors do not add up."""
        return tuple((start * rate + SECOND // 2) // SECOND for start in self.starts)

    @cached_property
    def parts(self) -> tuple[SpeechPart, ...]:
        """Parts of the audio for the transcription; empty if the recording has no audio.

        All parts have about the same length, so that the last one is not too short to be transcribed.
        """
        if not self.has_audio:
            return ()
        samples = max(MIN_SAMPLES, self.sample_starts(SPEECH_RATE)[-1])
        milliseconds = ceil(samples * 1000 / SPEECH_RATE)
        count = ceil(milliseconds * 1000 / self._limits.max_part)
        # Each part but the last has a whole number of milliseconds, so all parts begin at a full millisecond.
        samples_each = ceil(milliseconds / count) * SPEECH_RATE // 1000
        return tuple(
            SpeechPart(number, first, min(samples_each, samples - first))
            for number, first in enumerate(range(0, samples, samples_each))
        )

    @cached_property
    def pieces(self) -> tuple[VideoPiece, ...]:
        """Pieces of an encoded video, in their order."""
        pieces: list[VideoPiece] = []
        for span, track_format, is_whole in self._split_chunks():
            previous = pieces[-1] if pieces else None
            # Only whole chunks share a piece. If the previous piece shows the last section of a long chunk, its first
            # span does not begin at 0, and nothing is added to it.
            if (
                previous is not None
                and is_whole
                and previous.track_format == track_format
                and previous.spans[0].begin == 0
                and previous.duration + span.duration <= self._limits.max_piece
            ):
                pieces[-1] = VideoPiece(previous.number, (*previous.spans, span), track_format)
            else:
                pieces.append(VideoPiece(len(pieces), (span,), track_format))
        return tuple(pieces)

    @cached_property
    def frame_rate(self) -> int:
        """Frames per second of an encoded video: the highest frame rate of any chunk, at most `MAX_FRAME_RATE`.

        The frame rate of a chunk is the number of frames in the second with the most frames. For a chunk shorter than a
        second, this number is too small, so the average is used if it is higher.
        """
        videos = [(chunk.video, chunk.duration) for chunk in self.chunks if chunk.video]
        # Measured durations are not exact. Without the tolerance of 0.05, 25.01 frames per second would become 26.
        max_rate = max(
            (max(video.max_frames_per_second, video.count * SECOND / duration - 0.05) for video, duration in videos),
            default=1,
        )
        return max(1, min(MAX_FRAME_RATE, ceil(max_rate)))

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

        While the chunks are on the disk, the job makes the audio parts, the encoded pieces and then the soundtrack.
        Only one part or piece is on the disk at a time. Before the job joins the pieces, it deletes the chunks, unless
        it copies their audio.
        """
        seconds = self.duration / SECOND + 1
        # FLAC is never larger than the samples.
        largest_part = max((part.sample_count for part in self.parts), default=0) * BYTES_PER_SAMPLE + _HEADER_BYTES
        if not self.has_video:
            return uploaded + largest_part
        index = sum(chunk.video.count if chunk.video else 0 for chunk in self.chunks) * _INDEX_ENTRY_BYTES
        index += round(seconds * SOUNDTRACK_RATE / 1024) * _INDEX_ENTRY_BYTES  # an AAC packet contains 1,024 samples
        soundtrack = self._soundtrack_bytes(seconds)
        if self.copies_video:
            video_bytes = sum(chunk.video.bytes for chunk in self.chunks if chunk.video)
            return uploaded + max(largest_part, soundtrack + video_bytes + index + _HEADER_BYTES)
        all_pieces = round(seconds * MAX_VIDEO_BIT_RATE / 8) + len(self.pieces) * _PIECE_HEADER_BYTES
        largest_piece = (
            round(max(piece.duration for piece in self.pieces) / SECOND * MAX_VIDEO_BIT_RATE / 8) + _HEADER_BYTES
        )
        remaining_bytes = uploaded if self.copies_audio else soundtrack
        # Joining needs the pieces twice: as files, and in the whole video.
        return max(
            uploaded + max(largest_part, soundtrack, largest_piece),
            remaining_bytes + 2 * all_pieces + index + _HEADER_BYTES,
        )

    def _soundtrack_bytes(self, seconds: float) -> int:
        if self.copies_audio:
            return sum(chunk.audio.bytes for chunk in self.chunks if chunk.audio)
        # The encoder may exceed the bit rate for a while, so a quarter is added.
        return round(seconds * AUDIO_BIT_RATE * self.channels / 8 * 1.25) if self.has_audio else 0

    def _is_copiable(self) -> bool:
        (track_format, *others) = {chunk.video.track_format if chunk.video else None for chunk in self.chunks}
        return track_format is not None and not others and track_format.codec in COPIED_VIDEO_CODECS

    def _split_chunks(self) -> Iterator[tuple[ChunkSpan, TrackFormat | None, bool]]:
        """Yield each chunk, or the sections of a chunk that is too long for a piece.

        The values are the chunk or section, the format of its video, and True for a whole chunk.
        """
        for number, chunk in enumerate(self.chunks):
            count = ceil(chunk.duration / self._limits.max_piece)
            bounds = [chunk.duration * step // count for step in range(count + 1)]
            for begin, end in pairwise(bounds):
                yield ChunkSpan(number, begin, end), chunk.video.track_format if chunk.video else None, count == 1
