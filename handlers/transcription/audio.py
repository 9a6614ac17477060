"""Check of one utterance's audio: a few seconds of speech, which a client sends in one message.

The router checks each utterance before it accepts it. The audio processor repeats the check, to get the chunks to stream.

The session, which the client opens first, states the encoding and the sample rate. The audio has one channel. PCM and FLAC
have 16-bit samples, and FLAC and Ogg Opus are complete files. A file's length is read from its headers with mutagen, and
nothing is decoded. Besides limits of size and duration, only mistakes are found here that Amazon Transcribe would not
report clearly, such as WebM from a browser's recorder. It refuses damaged audio itself. Mutagen's classes for whole files
are not used, because they also load the tags, and a small tag can unpack to hundreds of megabytes.
"""

import io
import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from mutagen.flac import StreamInfo
from mutagen.ogg import OggPage

CHUNK_MS = 100
"""Duration of a chunk. Amazon Transcribe expects chunks of equal length, 50 to 200 ms, sent at the pace of speech."""


class Encoding(StrEnum):
    """Audio encoding, with the names that Amazon Transcribe uses."""

    PCM = "pcm"
    FLAC = "flac"
    OGG_OPUS = "ogg-opus"


OPUS_SAMPLE_RATES = (8000, 16000, 24000, 48000)
"""Sample rates in Hz that a session with Ogg Opus can have. The other encodings can have any `SampleRate`."""
MESSAGE_BYTES = 128 * 1024
"""API Gateway's size limit for one WebSocket message."""
JSON_BYTES = 2 * 1024
"""Part of a message that is reserved for everything except the audio."""
MAX_BYTES = (MESSAGE_BYTES - JSON_BYTES) // 4 * 3
"""Maximum size of the audio before base64, which makes 4 characters of 3 bytes."""
MIN_MS = 100
"""Minimum duration. Shorter audio contains no word and is not worth a stream."""
MAX_SECONDS = {Encoding.PCM: 2.5, Encoding.FLAC: 5.0, Encoding.OGG_OPUS: 5.0}
"""Maximum duration. A client sends an utterance when it is complete, so a longer one gets its captions later. The limit
for PCM is lower, because at 16 kHz a message is full after 3 s."""
CODER_PADDING_SECONDS = {Encoding.PCM: 0.0, Encoding.FLAC: 0.0, Encoding.OGG_OPUS: 0.25}
"""Tolerance above the maximum duration. Opus packets last up to 120 ms, and an encoder may pad the first and the last
packet."""

SAMPLE_BYTES = 2
OPUS_RATE = 48000
"""Opus always decodes to this rate, and Ogg counts positions in Opus at this rate. A session can also use the rate from
which the file was encoded."""
OPUS_HEAD = struct.Struct("<8sBBHI")
"""First fields of an Opus file: magic bytes, version, channels, number of samples that the decoder drops, input rate."""
MAGIC = {Encoding.FLAC: b"fLaC", Encoding.OGG_OPUS: b"OggS"}
"""First bytes of the encodings that are file formats."""
FLAC_INFO_OFFSET = 8
"""Position of a FLAC file's stream information, which states the length: it follows `fLaC` and a block header."""
FOREIGN_FORMATS = {
    re.compile(pattern, re.DOTALL): advice
    for pattern, advice in {
        rb"\x1a\x45\xdf\xa3": "WebM, as browsers' recorders make it: wrap the Opus packets in Ogg, as ogg-opus",
        rb"RIFF.{4}WAVE": "a WAV file: send its samples without the header, as pcm",
        rb".{4}ftyp": "MP4, as some browsers' recorders make it: send Opus in Ogg, FLAC, or samples",
        rb"ID3[\x02-\x04]": "MP3, or begins with a tag as MP3 files do: send Opus in Ogg, FLAC, or samples",
    }.items()
}
"""First bytes of formats that are not supported. Each text completes an error message that begins with "This is"."""


class BadAudio(Exception):
    """The audio of an utterance is invalid. The message is for the client and contains nothing of the audio."""


@dataclass(frozen=True)
class Utterance:
    """Valid audio, ready to be streamed."""

    duration_ms: int
    chunks: tuple[bytes, ...]
    """The audio in chunks of CHUNK_MS, the last of which may be shorter. No chunk is empty, because an empty one would
    end the stream. A chunk of PCM samples begins exactly at its index times CHUNK_MS, a chunk of a file approximately."""


def check_utterance(audio: bytes, encoding: Encoding, sample_rate: int) -> Utterance:
    """Check audio against the limits and its session's encoding and sample rate, and divide it. Raises BadAudio."""
    if not audio:
        raise BadAudio("The message holds no audio.")
    if len(audio) > MAX_BYTES:
        raise BadAudio(
            f"The audio has {len(audio)} bytes, but at most {MAX_BYTES} are allowed:"
            " send shorter utterances, a lower sample rate, or ogg-opus."
        )
    _check_first_bytes(audio, encoding)
    samples, rate = _count_samples(audio, encoding, sample_rate)
    duration_ms = -(-samples * 1000 // rate)
    if duration_ms < MIN_MS:
        raise BadAudio(f"The audio has {duration_ms} ms, but the minimum is {MIN_MS} ms.")
    if samples > (MAX_SECONDS[encoding] + CODER_PADDING_SECONDS[encoding]) * rate:
        raise BadAudio(
            f"The audio has {duration_ms} ms, but the maximum for {encoding} is {MAX_SECONDS[encoding]:g} s:"
            " send shorter utterances."
        )
    # A chunk never splits a PCM sample, because each rate gives whole samples per chunk. The bytes of a file are divided
    # as if each had the same duration. A file whose headers overstate its length can have more chunks than bytes.
    cuts = [len(audio) * begin_ms * rate // (samples * 1000) for begin_ms in range(0, duration_ms, CHUNK_MS)]
    chunks = tuple(audio[begin:end] for begin, end in pairwise([*cuts, len(audio)]))
    return Utterance(duration_ms, tuple(filter(None, chunks)))


def _check_first_bytes(audio: bytes, encoding: Encoding) -> None:
    """Raise BadAudio if the first bytes show that the audio does not have this encoding."""
    for pattern, advice in FOREIGN_FORMATS.items():
        if pattern.match(audio):
            raise BadAudio(f"This is {advice}.")
    actual = next((kind for kind, magic in MAGIC.items() if audio.startswith(magic)), Encoding.PCM)
    if actual is not encoding:
        found = f"does not begin like {encoding}" if actual is Encoding.PCM else f"begins like {actual}"
        raise BadAudio(
            f"This {found}, but the session has the encoding {encoding}: send that, or open another session."
        )


def _count_samples(audio: bytes, encoding: Encoding, sample_rate: int) -> tuple[int, int]:
    """Return the number and the rate of the samples. Raise BadAudio if they are invalid, or contradict the session."""
    if encoding is Encoding.PCM:
        if len(audio) % SAMPLE_BYTES:
            raise BadAudio(f"The audio has {len(audio)} bytes, an odd number: send whole samples of 16 bits.")
        return len(audio) // SAMPLE_BYTES, sample_rate
    try:
        samples, rate = (_read_flac if encoding is Encoding.FLAC else _read_opus)(io.BytesIO(audio), sample_rate)
    except BadAudio:
        raise
    except Exception:  # noqa: BLE001 - a parser raises any exception for crafted bytes
        raise BadAudio(f"The headers of this {encoding} file cannot be read: send a complete file.") from None
    if samples <= 0:
        raise BadAudio(f"The headers of this {encoding} file state no length: encode it to a file, not to a pipe.")
    return samples, rate


def _read_flac(file: io.BytesIO, sample_rate: int) -> tuple[int, int]:
    file.seek(FLAC_INFO_OFFSET)
    info = StreamInfo(file)
    _check_mono(info.channels)
    if info.bits_per_sample != SAMPLE_BYTES * 8:
        raise BadAudio(f"The samples have {info.bits_per_sample} bits: encode 16 bits.")
    if info.sample_rate != sample_rate:
        raise BadAudio(f"The file has {info.sample_rate} Hz, but the session has {sample_rate}: they must be the same.")
    return info.total_samples, info.sample_rate


def _read_opus(file: io.BytesIO, sample_rate: int) -> tuple[int, int]:
    first = OggPage(file)
    magic, _, channels, dropped, input_rate = OPUS_HEAD.unpack_from(first.packets[0])
    if magic != b"OpusHead":
        raise BadAudio("This Ogg file does not begin with OpusHead: encode Opus.")
    _check_mono(channels)
    if sample_rate not in {OPUS_RATE, input_rate}:
        raise BadAudio(
            f"The session has {sample_rate} Hz, but the file was encoded from {input_rate or 'an unknown rate'}:"
            f" open the session with {OPUS_RATE}, to which Opus always decodes."
        )
    last = OggPage.find_last(file, first.serial, finishing=True)
    return last.position - dropped, OPUS_RATE


def _check_mono(channels: int) -> None:
    if channels != 1:
        raise BadAudio(f"The audio has {channels} channels: mix them to one channel.")
