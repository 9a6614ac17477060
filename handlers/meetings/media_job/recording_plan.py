"""What is made of a recording, decided from what its chunks are: when each begins, what is copied, the parts and pieces. Pure.

Chunks are put one behind the other by their measured durations, for sound and pictures alike; so what is heard at a
moment of the sound is seen at that moment of the video, however many chunks there are.

Pictures are copied where all chunks have the same and MP4 has a form for them. Else they are encoded, in pieces that
are kept one by one. Sound is copied where there is one chunk: every encoder begins with some milliseconds that nobody
hears and a file says to leave out, and of files put together only the first can say so. Copied, 300 chunks would be 17
s too long.
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
"""Of the sound that is transcribed; mono."""
SOUNDTRACK_RATE: Final = 48_000
"""Of the sound in a video that could not be copied."""
MIN_SAMPLES: Final = SPEECH_RATE // 2
"""Amazon Transcribe takes nothing shorter than half a second."""
BYTES_PER_SAMPLE: Final = 2
MAX_FRAME_RATE: Final = 30
"""Pictures a second, of what is encoded: meetings are faces and slides."""
MAX_LONG_SIDE, MAX_SHORT_SIDE = 1920, 1080
"""Of what is encoded, at most."""
MAX_VIDEO_BITS: Final = 2_500_000
"""A second, of what is encoded."""
AUDIO_BITS: Final = 64_000
"""A second and channel."""
_SECOND: Final = 1_000_000
_HEADER_BYTES: Final = 4 * 1024 * 1024
"""Bytes of heads and of what is rounded."""
_INDEX_ENTRY_BYTES: Final = 32
"""Bytes that a packet takes in an MP4 beside itself."""


@dataclass(frozen=True)
class PlanLimits:
    """What a deployment says of how long things are. Microseconds."""

    max_part: int
    max_piece: int
    max_recording: int


@dataclass(frozen=True)
class SpeechPart:
    """A part of the sound that is transcribed."""

    number: int
    first: int
    """Its first sample in the whole."""
    samples: int

    @property
    def offset_ms(self) -> int:
        """Exact: parts begin at a millisecond."""
        return self.first * 1000 // SPEECH_RATE

    @property
    def duration_ms(self) -> int:
        """Rounded, where it is the last."""
        return max(1, round(self.samples * 1000 / SPEECH_RATE))


@dataclass(frozen=True)
class ChunkSpan:
    """A part of a chunk, or all of it: from and to in microseconds of its own."""

    chunk: int
    begin: int
    end: int

    @property
    def duration(self) -> int:
        """How long it is."""
        return self.end - self.begin


@dataclass(frozen=True)
class VideoPiece:
    """What is encoded at once: whole chunks of the same form, or a span of one."""

    number: int
    spans: tuple[ChunkSpan, ...]
    form: TrackFormat | None
    """None: there are no pictures, so it is black."""

    @property
    def duration(self) -> int:
        """How long it is."""
        return sum(span.duration for span in self.spans)


class RecordingPlan:
    """What there is to do for a recording."""

    def __init__(self, facts: RecordingFacts, limits: PlanLimits) -> None:
        self.chunks = facts.chunks
        self.copies_video = not facts.uncopiable and self._is_copiable()
        self._limits = limits

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """When each chunk begins, and when the last one ends."""
        found = [0]
        for one in self.chunks:
            found.append(found[-1] + one.duration)
        return tuple(found)

    @property
    def duration(self) -> int:
        """How long all of it is."""
        return self.starts[-1]

    @property
    def is_too_long(self) -> bool:
        """Whether it is longer than recordings may be."""
        return self.duration > self._limits.max_recording

    @property
    def has_video(self) -> bool:
        """Whether there will be a video."""
        return any(chunk.pictures is not None for chunk in self.chunks)

    @property
    def has_audio(self) -> bool:
        """Whether anything can be heard in it."""
        return any(chunk.sound is not None for chunk in self.chunks)

    @property
    def copies_audio(self) -> bool:
        """Whether the video gets its sound as it is."""
        sound = self.chunks[0].sound
        return len(self.chunks) == 1 and sound is not None and sound.form.codec in COPIED_AUDIO_CODECS

    @property
    def channels(self) -> int:
        """Of the sound in a video that could not be copied."""
        return max((chunk.sound.channels for chunk in self.chunks if chunk.sound is not None), default=1)

    def chunk_samples(self, rate: int) -> tuple[int, ...]:
        """The sample at which each chunk begins, and the one behind the last: rounded once, so that nothing adds up."""
        return tuple((start * rate + _SECOND // 2) // _SECOND for start in self.starts)

    @cached_property
    def parts(self) -> tuple[SpeechPart, ...]:
        """Parts of about the same length, so that none is too short to be transcribed."""
        if not self.has_audio:
            return ()
        samples = max(MIN_SAMPLES, self.chunk_samples(SPEECH_RATE)[-1])
        milliseconds = ceil(samples * 1000 / SPEECH_RATE)
        count = ceil(milliseconds * 1000 / self._limits.max_part)
        each = ceil(milliseconds / count) * SPEECH_RATE // 1000
        return tuple(
            SpeechPart(number, first, min(each, samples - first))
            for number, first in enumerate(range(0, samples, each))
        )

    @cached_property
    def pieces(self) -> tuple[VideoPiece, ...]:
        """What is encoded, in its order."""
        found: list[VideoPiece] = []
        for span, form, whole in self._split_chunks():
            last = found[-1] if found else None
            joins = (
                last is not None
                and whole
                and last.form == form
                and last.spans[0].begin == 0
                and last.duration + span.duration <= self._limits.max_piece
            )
            if last is not None and joins:
                found[-1] = VideoPiece(last.number, (*last.spans, span), form)
            else:
                found.append(VideoPiece(len(found), (span,), form))
        return tuple(found)

    @cached_property
    def frame_rate(self) -> int:
        """Pictures a second, of what is encoded: as many as the fastest second has, or the fastest chunk, if that is shorter."""
        seen = [(chunk.pictures, chunk.duration) for chunk in self.chunks if chunk.pictures]
        most = max((max(one.fastest, one.count * _SECOND / duration - 0.05) for one, duration in seen), default=1)
        return max(1, min(MAX_FRAME_RATE, ceil(most)))

    @cached_property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of what is encoded: those of the largest chunk, as far as they are allowed, and even."""
        sizes = [(chunk.pictures.width, chunk.pictures.height) for chunk in self.chunks if chunk.pictures]
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        share = min(1.0, MAX_LONG_SIDE / max(width, height), MAX_SHORT_SIDE / min(width, height))
        return max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)

    def required_bytes(self, uploaded: int) -> int:
        """The most bytes that making it takes on the disk at once, `uploaded` being those of all chunks."""
        seconds = self.duration / _SECOND + 1
        heard = max((part.samples for part in self.parts), default=0) * BYTES_PER_SAMPLE + _HEADER_BYTES
        if not self.has_video:
            return uploaded + heard
        index = sum(chunk.pictures.count if chunk.pictures else 0 for chunk in self.chunks) * _INDEX_ENTRY_BYTES
        index += round(seconds * SOUNDTRACK_RATE / 1024) * _INDEX_ENTRY_BYTES
        sound = self._soundtrack_bytes(seconds)
        if self.copies_video:
            seen = sum(chunk.pictures.bytes for chunk in self.chunks if chunk.pictures)
            return uploaded + max(heard, sound + seen + index + _HEADER_BYTES)
        pieces = round(seconds * MAX_VIDEO_BITS / 8) + len(self.pieces) * _HEADER_BYTES // 16
        one = round(max(piece.duration for piece in self.pieces) / _SECOND * MAX_VIDEO_BITS / 8) + _HEADER_BYTES
        kept = uploaded if self.copies_audio else sound
        return max(uploaded + max(heard, sound, one), kept + 2 * pieces + index + _HEADER_BYTES)

    def _soundtrack_bytes(self, seconds: float) -> int:
        if self.copies_audio:
            return sum(chunk.sound.bytes for chunk in self.chunks if chunk.sound)
        return round(seconds * AUDIO_BITS * self.channels / 8 * 1.25) if self.has_audio else 0

    def _is_copiable(self) -> bool:
        forms = {chunk.pictures.form if chunk.pictures else None for chunk in self.chunks}
        (form, *others) = forms
        return form is not None and not others and form.codec in COPIED_VIDEO_CODECS

    def _split_chunks(self) -> Iterator[tuple[ChunkSpan, TrackFormat | None, bool]]:
        """Chunks, and spans of those that are too long for a piece; with their form, and whether they are whole."""
        for number, one in enumerate(self.chunks):
            count = ceil(one.duration / self._limits.max_piece)
            bounds = [one.duration * step // count for step in range(count + 1)]
            for begin, end in pairwise(bounds):
                yield ChunkSpan(number, begin, end), one.pictures.form if one.pictures else None, count == 1
