"""Makes the sound: one run of samples from all chunks, each exactly as long as its chunk, and files encoded from it.

Each chunk is decoded by itself: what its sound lacks at the beginning, in between or at the end is silence, and what it
has too much is left out, so that no chunk shifts the next. A chunk without sound is silent. The samples pass through
this process, which counts them: so parts begin at the very sample that they are said to begin at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from handlers.meetings.media_job.chunk_facts import ChunkAudio
from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, METADATA_FREE_OPTIONS, Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.recording_plan import (
    AUDIO_BITS,
    BYTES_PER_SAMPLE,
    SOUNDTRACK_RATE,
    SPEECH_RATE,
    RecordingPlan,
    SpeechPart,
)

BLOCK_BYTES: Final = 64 * 1024
MAX_DECODE_SECONDS: Final = 3600
_SECOND: Final = 1_000_000


class UndecodableChunks(Exception):
    """Chunks that seemed to be readable are not."""

    def __init__(self, *chunks: int) -> None:
        super().__init__(f"{len(chunks)} chunks")
        self.chunks = chunks


@dataclass(frozen=True)
class SampleFormat:
    """How samples are."""

    rate: int
    channels: int

    @property
    def sample_bytes(self) -> int:
        """Of one sample of all channels."""
        return BYTES_PER_SAMPLE * self.channels

    @property
    def ffmpeg_options(self) -> tuple[str, ...]:
        """As ffmpeg is told."""
        return "-f", "s16le", "-ar", str(self.rate), "-ac", str(self.channels)


SPEECH: Final = SampleFormat(SPEECH_RATE, 1)


class AudioMaker:
    """Makes files of sound beside the chunks, whose names it is told."""

    def __init__(self, ffmpeg: Ffmpeg, plan: RecordingPlan, names: tuple[str, ...]) -> None:
        self._ffmpeg = ffmpeg
        self._plan = plan
        self._names = names

    def make_part(self, part: SpeechPart, name: str) -> None:
        """A part of what is transcribed, as FLAC."""
        made = ("-c:a", "flac", "-f", "flac")
        self._encode(name, SPEECH, part.first, part.samples, made)

    def make_soundtrack(self, name: str) -> None:
        """What is heard in the video, as AAC."""
        shape = SampleFormat(SOUNDTRACK_RATE, self._plan.channels)
        bits = str(AUDIO_BITS * shape.channels)
        made = ("-c:a", "aac", "-aac_coder", "fast", "-b:a", bits, "-f", "mp4")
        self._encode(name, shape, 0, self._plan.chunk_samples(shape.rate)[-1], made)

    def _encode(self, name: str, shape: SampleFormat, first: int, samples: int, made: tuple[str, ...]) -> None:
        try:
            self._feed_encoder(name, shape, first, samples, made)
        except InputRefused:
            raise FfmpegFailed("it does not encode sound") from None

    def _feed_encoder(self, name: str, shape: SampleFormat, first: int, samples: int, made: tuple[str, ...]) -> None:
        reading = ("-protocol_whitelist", "pipe", *shape.ffmpeg_options, "-i", "pipe:0")
        with self._ffmpeg.start(*reading, *made, *METADATA_FREE_OPTIONS, name, feeds=True) as running:
            left = samples * shape.sample_bytes
            for block in self._read_samples(first, shape):
                running.input.write(block[:left])
                left -= len(block[:left])
                if not left:
                    break
            for block in _silence(left):
                running.input.write(block)

    def _read_samples(self, first: int, shape: SampleFormat) -> Iterator[bytes]:
        """Samples of the whole from one of them on."""
        starts = self._plan.chunk_samples(shape.rate)
        for number, chunk in enumerate(self._plan.chunks):
            if starts[number + 1] <= first:
                continue
            skip = max(0, first - starts[number]) * shape.sample_bytes
            length = (starts[number + 1] - starts[number]) * shape.sample_bytes
            for block in self._decode_chunk(number, chunk.sound, shape, length):
                if skip < len(block):
                    yield block[skip:]
                skip = max(0, skip - len(block))

    def _decode_chunk(self, number: int, sound: ChunkAudio | None, shape: SampleFormat, length: int) -> Iterator[bytes]:
        """A chunk's samples: exactly so many bytes."""
        if sound is None:
            yield from _silence(length)
            return
        arguments = (
            *(*CHUNK_OPTIONS, "-i", self._names[number], "-map", f"0:{sound.form.stream}"),
            # What is missing between two moments is filled up, and what is too much taken away; nothing is stretched.
            *("-af", f"aresample={shape.rate}:async=1:first_pts=0"),
            *("-t", f"{self._plan.chunks[number].duration / _SECOND + 1:.6f}", *shape.ffmpeg_options, "pipe:1"),
        )
        left = length
        try:
            with self._ffmpeg.start(*arguments, gives=True, seconds=MAX_DECODE_SECONDS) as running:
                for block in _read_blocks(running.output):
                    if left:
                        yield block[:left]
                        left -= len(block[:left])
        except InputRefused:
            raise UndecodableChunks(number) from None
        yield from _silence(left)


def _read_blocks(output: IO[bytes]) -> Iterator[bytes]:
    while block := output.read(BLOCK_BYTES):
        yield block


def _silence(length: int) -> Iterator[bytes]:
    block = bytes(min(length, BLOCK_BYTES))
    while length:
        yield block[:length]
        length -= len(block[:length])
