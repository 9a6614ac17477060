"""Audio output of the media job: parts for the transcription, and the soundtrack of a video whose audio is not copied.

Every chunk (file of the recording) is decoded separately to samples of exactly its duration. Missing audio is filled
with silence, and excess audio is cut off, so every chunk begins at its planned time. A chunk without an audio track is
silent.

One ffmpeg process decodes a chunk, and another ffmpeg process encodes the output. This module passes the samples from
one to the other and counts them, so that each part begins at exactly the planned sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from handlers.meetings.media_job.chunk_facts import SECOND, ChunkAudio
from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, METADATA_FREE_OPTIONS, Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.media_output_plan import (
    AUDIO_BIT_RATE,
    BYTES_PER_SAMPLE,
    SOUNDTRACK_RATE,
    SPEECH_RATE,
    RecordingPlan,
    SpeechPart,
)

BLOCK_BYTES: Final = 64 * 1024
"""Size of the blocks in which samples are read and written."""
MAX_DECODE_SECONDS: Final = 3600
"""Time limit for decoding one chunk."""


class UndecodableChunks(Exception):
    """ffmpeg cannot decode these chunks, although the probe (`chunk_probe.py`) found no problem."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(f"{len(numbers)} chunks")
        self.numbers = numbers
        """Numbers of the chunks, from 0."""


@dataclass(frozen=True)
class SampleFormat:
    """Format of uncompressed audio."""

    rate: int
    """Samples per second."""
    channels: int

    @property
    def sample_bytes(self) -> int:
        """Size of one sample, which contains a value for each channel."""
        return BYTES_PER_SAMPLE * self.channels

    @property
    def ffmpeg_options(self) -> tuple[str, ...]:
        """Options that describe the format to ffmpeg."""
        return "-f", "s16le", "-ar", str(self.rate), "-ac", str(self.channels)


SPEECH: Final = SampleFormat(SPEECH_RATE, 1)
"""Format of the audio for the transcription."""


class AudioMaker:
    """Writes audio files to the folder of the chunks. `names` are the chunks' file names."""

    def __init__(self, ffmpeg: Ffmpeg, plan: RecordingPlan, names: tuple[str, ...]) -> None:
        self._ffmpeg = ffmpeg
        self._plan = plan
        self._names = names

    def make_part(self, part: SpeechPart, name: str) -> None:
        """Write a part for the transcription as a FLAC file."""
        codec_options = ("-c:a", "flac", "-f", "flac")
        self._encode(name, SPEECH, part.first_sample, part.sample_count, codec_options)

    def make_soundtrack(self, name: str) -> None:
        """Write the soundtrack of the video as an MP4 file with AAC."""
        sample_format = SampleFormat(SOUNDTRACK_RATE, self._plan.channels)
        bit_rate = str(AUDIO_BIT_RATE * sample_format.channels)
        codec_options = ("-c:a", "aac", "-aac_coder", "fast", "-b:a", bit_rate, "-f", "mp4")
        self._encode(name, sample_format, 0, self._plan.sample_starts(sample_format.rate)[-1], codec_options)

    def _encode(
        self, name: str, sample_format: SampleFormat, first_sample: int, count: int, codec_options: tuple[str, ...]
    ) -> None:
        """Encode `count` samples of the whole recording, starting with the sample `first_sample`."""
        try:
            self._feed_encoder(name, sample_format, first_sample, count, codec_options)
        except InputRefused:
            raise FfmpegFailed("cannot encode audio") from None

    def _feed_encoder(
        self, name: str, sample_format: SampleFormat, first_sample: int, count: int, codec_options: tuple[str, ...]
    ) -> None:
        input_options = ("-protocol_whitelist", "pipe", *sample_format.ffmpeg_options, "-i", "pipe:0")
        with self._ffmpeg.start(*input_options, *codec_options, *METADATA_FREE_OPTIONS, name, pipe_input=True) as run:
            missing_bytes = count * sample_format.sample_bytes
            for block in self._read_samples(first_sample, sample_format):
                run.input.write(block[:missing_bytes])
                missing_bytes -= len(block[:missing_bytes])
                if not missing_bytes:
                    break
            for block in _silence(missing_bytes):
                run.input.write(block)

    def _read_samples(self, first_sample: int, sample_format: SampleFormat) -> Iterator[bytes]:
        """Yield the samples of the whole recording, starting with the sample `first_sample`."""
        starts = self._plan.sample_starts(sample_format.rate)
        for number, chunk in enumerate(self._plan.chunks):
            if starts[number + 1] <= first_sample:
                continue
            skip = max(0, first_sample - starts[number]) * sample_format.sample_bytes
            length = (starts[number + 1] - starts[number]) * sample_format.sample_bytes
            for block in self._decode_chunk(number, chunk.audio, sample_format, length):
                if skip < len(block):
                    yield block[skip:]
                skip = max(0, skip - len(block))

    def _decode_chunk(
        self, number: int, audio: ChunkAudio | None, sample_format: SampleFormat, length: int
    ) -> Iterator[bytes]:
        """Yield exactly `length` bytes of a chunk's samples."""
        if audio is None:
            yield from _silence(length)
            return
        arguments = (
            *(*CHUNK_OPTIONS, "-i", self._names[number], "-map", f"0:{audio.track_format.stream}"),
            # async=1 fills gaps between timestamps and removes excess samples. It does not stretch audio.
            *("-af", f"aresample={sample_format.rate}:async=1:first_pts=0"),
            *("-t", f"{self._plan.chunks[number].duration / SECOND + 1:.6f}", *sample_format.ffmpeg_options, "pipe:1"),
        )
        missing_bytes = length
        try:
            with self._ffmpeg.start(*arguments, pipe_output=True, seconds=MAX_DECODE_SECONDS) as run:
                # Excess samples are read too. Otherwise ffmpeg would wait for a reader, or fail with a broken pipe.
                for block in _read_blocks(run.output):
                    if missing_bytes:
                        yield block[:missing_bytes]
                        missing_bytes -= len(block[:missing_bytes])
        except InputRefused:
            raise UndecodableChunks(number) from None
        yield from _silence(missing_bytes)


def _read_blocks(output: IO[bytes]) -> Iterator[bytes]:
    while block := output.read(BLOCK_BYTES):
        yield block


def _silence(length: int) -> Iterator[bytes]:
    block = bytes(min(length, BLOCK_BYTES))
    while length:
        yield block[:length]
        length -= len(block[:length])
