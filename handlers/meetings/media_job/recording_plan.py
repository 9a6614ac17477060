"""Plan by which the media job makes video and audio.

The plan states where each chunk begins and what is copied or encoded. It divides the audio into parts, and an encoded
video into pieces. The measured durations decide where each chunk begins, for audio and for video. So both stay
synchronous, for any number of chunks.

Video is copied if all chunks have the same format and MP4 supports it. Otherwise it is encoded in pieces that are
stored separately. Audio is copied only if there is a single chunk. Every encoder starts with some milliseconds of
padding, which the file declares so that players skip it. If files are joined, only the padding of the first can be
declared. So the audio of 300 copied chunks would be 17 seconds too long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil
from typing import Final

from handlers.meetings.media_job.chunk_facts import RecordingFacts, TrackFormat

COPIED_VIDEO_CODECS: Final = frozenset({"h264", "hevc", "vp9", "av1"})
COPIED_AUDIO_CODECS: Final = frozenset({"aac", "mp3", "opus"})
SPEECH_RATE: Final = 16_000
"""Sample rate of the audio for the transcription, which is mono."""
SOUNDTRACK_RATE: Final = 48_000
"""Sample rate of a soundtrack that cannot be copied."""
MIN_SAMPLES: Final = SPEECH_RATE // 2
"""Amazon Transcribe rejects audio shorter than half a second."""
BYTES_PER_SAMPLE: Final = 2
"""Size of a sample of one channel."""
MAX_FRAME_RATE: Final = 30
"""Maximum frame rate of encoded video, which shows faces and slides."""
MAX_LONG_SIDE, MAX_SHORT_SIDE = 1920, 1080
"""Maximum frame size of encoded video, in pixels."""
MAX_VIDEO_BIT_RATE: Final = 2_500_000
"""Maximum bit rate of encoded video, in bits per second."""
AUDIO_BIT_RATE: Final = 64_000
"""Bit rate of each channel of encoded audio, in bits per second."""
_SECOND: Final = 1_000_000
"""Microseconds per second."""
_HEADER_BYTES: Final = 4 * 1024 * 1024
"""Reserve for the headers of the largest file, and for rounding."""
_PIECE_HEADER_BYTES: Final = 256 * 1024
"""Reserve for the headers of each piece, while all pieces are on the disk."""
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
    """Limit for a recording."""


@dataclass(frozen=True)
class SpeechPart:
    """A part of the audio for one transcription job."""

    number: int
    """Number of the part, from 0."""
    first: int
    """Number of its first sample in the whole audio."""
    samples: int
    """Number of samples."""

    @property
    def offset_ms(self) -> int:
        """Start of the part. It is exact, because parts begin at a full millisecond."""
        return self.first * 1000 // SPEECH_RATE

    @property
    def duration_ms(self) -> int:
        """Duration of the part. It is exact, except for the last part, which is rounded."""
        return max(1, round(self.samples * 1000 / SPEECH_RATE))


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
        """Duration in microseconds."""
        return self.end - self.begin


@dataclass(frozen=True)
class VideoPiece:
    """A section of the video that is encoded and stored by itself.

    It shows whole chunks of the same format, or a section of one chunk that is too long for a piece.
    """

    number: int
    """Number of the piece, from 0."""
    spans: tuple[ChunkSpan, ...]
    """The chunks, or the section of a chunk, that the piece shows."""
    track_format: TrackFormat | None
    """Format of the chunks' video. None for a black piece: the chunks have no video, or the section contains no frame.
    """

    @property
    def duration(self) -> int:
        """Duration in microseconds."""
        return sum(span.duration for span in self.spans)


class RecordingPlan:
    """Plan for processing a recording."""

    def __init__(self, facts: RecordingFacts, limits: PlanLimits) -> None:
        self.chunks = facts.chunks
        self.copies_video = not facts.uncopiable and self._is_copiable()
        self._limits = limits

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Start of each chunk in microseconds, and the end of the last chunk."""
        starts = [0]
        for chunk in self.chunks:
            starts.append(starts[-1] + chunk.duration)
        return tuple(starts)

    @property
    def duration(self) -> int:
        """Duration of the recording in microseconds."""
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
        """True if the video's soundtrack is copied."""
        audio = self.chunks[0].audio
        return len(self.chunks) == 1 and audio is not None and audio.track_format.codec in COPIED_AUDIO_CODECS

    @property
    def channels(self) -> int:
        """Number of channels of an encoded soundtrack."""
        return max((chunk.audio.channels for chunk in self.chunks if chunk.audio is not None), default=1)

    def sample_starts(self, rate: int) -> tuple[int, ...]:
        """Return `starts` in samples: the position of each chunk's first sample, and the number of all samples.

        Each value is rounded separately, so rounding errors do not add up.
        """
        return tuple((start * rate + _SECOND // 2) // _SECOND for start in self.starts)

    @cached_property
    def parts(self) -> tuple[SpeechPart, ...]:
        """Parts of about the same length, so that none is too short to be transcribed."""
        if not self.has_audio:
            return ()
        samples = max(MIN_SAMPLES, self.sample_starts(SPEECH_RATE)[-1])
        milliseconds = ceil(samples * 1000 / SPEECH_RATE)
        count = ceil(milliseconds * 1000 / self._limits.max_part)
        # Each part has a whole number of milliseconds, so all parts begin at a full millisecond.
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
            # Only whole chunks share a piece. So a section of a long chunk is never added to a piece. Nothing is added
            # to the last section of a long chunk either, which is recognised by its begin after 0.
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
        """Frame rate of an encoded video: the highest number of frames in any second, at most `MAX_FRAME_RATE`.

        Each chunk counts with the larger of two rates: the highest number of frames in any second, and the average. The
        average is larger only for a chunk shorter than a second, because its frames do not fill a second.
        """
        videos = [(chunk.video, chunk.duration) for chunk in self.chunks if chunk.video]
        # Measured durations are not exact. Without the tolerance of 0.05, 25.01 frames per second would become 26.
        max_rate = max(
            (max(video.max_frames_per_second, video.count * _SECOND / duration - 0.05) for video, duration in videos),
            default=1,
        )
        return max(1, min(MAX_FRAME_RATE, ceil(max_rate)))

    @cached_property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of an encoded video: those of the largest chunk, reduced to the maximum, and even."""
        sizes = [(chunk.video.width, chunk.video.height) for chunk in self.chunks if chunk.video]
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        scale = min(1.0, MAX_LONG_SIDE / max(width, height), MAX_SHORT_SIDE / min(width, height))
        return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)

    def required_bytes(self, uploaded: int) -> int:
        """Return the maximum disk space that processing needs at once. `uploaded` is the size of all chunks.

        While the chunks are on the disk, the job makes the audio parts and the encoded pieces one by one, and then the
        soundtrack. Before it joins encoded pieces, it deletes the chunks, unless it copies their audio.
        """
        seconds = self.duration / _SECOND + 1
        # FLAC is never larger than the samples.
        largest_part = max((part.samples for part in self.parts), default=0) * BYTES_PER_SAMPLE + _HEADER_BYTES
        if not self.has_video:
            return uploaded + largest_part
        index = sum(chunk.video.count if chunk.video else 0 for chunk in self.chunks) * _INDEX_ENTRY_BYTES
        index += round(seconds * SOUNDTRACK_RATE / 1024) * _INDEX_ENTRY_BYTES  # a packet of AAC has 1,024 samples
        soundtrack = self._soundtrack_bytes(seconds)
        if self.copies_video:
            video_bytes = sum(chunk.video.bytes for chunk in self.chunks if chunk.video)
            return uploaded + max(largest_part, soundtrack + video_bytes + index + _HEADER_BYTES)
        all_pieces = round(seconds * MAX_VIDEO_BIT_RATE / 8) + len(self.pieces) * _PIECE_HEADER_BYTES
        largest_piece = (
            round(max(piece.duration for piece in self.pieces) / _SECOND * MAX_VIDEO_BIT_RATE / 8) + _HEADER_BYTES
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
        # A quarter is added, because the bit rate is only an average.
        return round(seconds * AUDIO_BIT_RATE * self.channels / 8 * 1.25) if self.has_audio else 0

    def _is_copiable(self) -> bool:
        (track_format, *others) = {chunk.video.track_format if chunk.video else None for chunk in self.chunks}
        return track_format is not None and not others and track_format.codec in COPIED_VIDEO_CODECS

    def _split_chunks(self) -> Iterator[tuple[ChunkSpan, TrackFormat | None, bool]]:
        """Yield each chunk, or the sections of a chunk that is too long for a piece.

        The values are the chunk or section, its format, and True for a whole chunk.
        """
        for number, chunk in enumerate(self.chunks):
            count = ceil(chunk.duration / self._limits.max_piece)
            bounds = [chunk.duration * step // count for step in range(count + 1)]
            for begin, end in pairwise(bounds):
                yield ChunkSpan(number, begin, end), chunk.video.track_format if chunk.video else None, count == 1
