"""Validation of one utterance's audio, and its division into chunks for streaming.

An utterance is a few seconds of speech in one message of a client. The client's session states the encoding and the
sample rate. The audio has one channel. PCM and FLAC have 16-bit samples, and FLAC and Ogg Opus are complete files.

Audio is validated before a stream is opened. If Amazon Transcribe gets bad audio, it uses up a stream of the quota and
reports no reason. Error messages name frequent mistakes: WebM from a browser's recorder, or WAV instead of samples.

The sample rate of a FLAC file must be that of the session. For Opus, a session can always use 48000 Hz, because Opus
always decodes to this rate. It can also use the rate from which the file was encoded, unless Opus does not support that
rate (32000 and 44100).

`ogg_length` and `flac_length` read the files. Nothing is decoded.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from handlers.transcription.flac_length import MalformedFlac, read_flac
from handlers.transcription.ogg_length import OPUS_RATE, MalformedOgg, read_ogg

CHUNK_MS = 100
"""Duration of a chunk. Amazon Transcribe expects chunks of equal length, 50 to 200 ms, sent at the pace of speech."""


class Encoding(StrEnum):
    """Audio encoding, with the names that Amazon Transcribe uses."""

    PCM = "pcm"
    FLAC = "flac"
    OGG_OPUS = "ogg-opus"


class AudioProblem(StrEnum):
    """Problem of an utterance's audio. Clients receive only the message of `BadAudio`, which states the broken rule."""

    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    ODD_BYTES = "ODD_BYTES"
    NOT_MONO = "NOT_MONO"
    NOT_16_BIT = "NOT_16_BIT"
    WRONG_SAMPLE_RATE = "WRONG_SAMPLE_RATE"
    WRONG_ENCODING = "WRONG_ENCODING"
    MALFORMED = "MALFORMED"


SAMPLE_RATES = {
    Encoding.PCM: (8000, 16000, 24000, 32000, 44100, 48000),
    Encoding.FLAC: (8000, 16000, 24000, 32000, 44100, 48000),
    Encoding.OGG_OPUS: (8000, 16000, 24000, 48000),
}
"""Sample rates in Hz that a session can use. Each gives a whole number of samples per chunk."""
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
MAGIC = {Encoding.FLAC: b"fLaC", Encoding.OGG_OPUS: b"OggS"}
"""First bytes of the encodings that are file formats."""
FOREIGN_FORMATS = {
    re.compile(pattern, re.DOTALL): advice
    for pattern, advice in {
        rb"\x1a\x45\xdf\xa3": "WebM, as browsers' recorders make it: wrap the Opus packets in Ogg, as ogg-opus",
        rb"RIFF.{4}WAVE": "a WAV file: send its samples without the header, as pcm",
        rb".{4}ftyp": "MP4, as some browsers' recorders make it: send Opus in Ogg, FLAC, or samples",
        rb"ID3[\x02-\x04]": "MP3, or begins with a tag as MP3 files do: send Opus in Ogg, FLAC, or samples",
        rb"OggS.{24}\x01vorbis": "Vorbis in Ogg: encode Opus instead",
        rb"OggS.{24}Speex": "Speex in Ogg: encode Opus instead",
        rb"OggS.{24}\x7fFLAC": "FLAC in Ogg: send the FLAC file without Ogg, as flac, or encode Opus",
    }.items()
}
"""First bytes of formats that are not supported. Each text completes an error message that begins with "this is"."""
FOREIGN_FRAME = re.compile(rb"\xff[\xe2-\xff]")
"""First bytes of an MP3 or AAC frame. PCM samples can begin with the same bytes, so these are not always wrong."""


class BadAudio(Exception):
    """The audio of an utterance is invalid. The message is for the client and contains nothing of the audio."""

    def __init__(self, code: AudioProblem, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Utterance:
    """Valid audio, ready to be streamed."""

    encoding: Encoding
    sample_rate: int
    """Sample rate for Amazon Transcribe, as the session states it."""
    duration_ms: int
    chunks: tuple[bytes, ...] = field(repr=False)
    """The audio in chunks of CHUNK_MS, the last of which may be shorter. No chunk is empty, because an empty one would
    end the stream. A chunk of PCM samples begins exactly at its index times CHUNK_MS, a chunk of a file approximately."""


def check_utterance(audio: bytes, encoding: Encoding, sample_rate: int) -> Utterance:
    """Validate the audio of a message against its session, and divide it into chunks. Raises BadAudio."""
    if not audio:
        raise BadAudio(AudioProblem.EMPTY, "the message holds no audio")
    if len(audio) > MAX_BYTES:
        raise BadAudio(
            AudioProblem.TOO_LARGE,
            f"the audio has {len(audio)} bytes, but at most {MAX_BYTES} are allowed:"
            " send shorter utterances, a lower sample rate, or ogg-opus",
        )
    if sample_rate not in SAMPLE_RATES[encoding]:
        allowed = ", ".join(map(str, SAMPLE_RATES[encoding]))
        raise BadAudio(
            AudioProblem.WRONG_SAMPLE_RATE, f"the session has {sample_rate} Hz, but {encoding} needs one of {allowed}"
        )
    _check_first_bytes(audio, encoding)
    try:
        samples, rate = _count_samples(audio, encoding, sample_rate)
    except MalformedFlac as error:
        raise BadAudio(AudioProblem.MALFORMED, f"this FLAC file {error}") from None
    except MalformedOgg as error:
        raise BadAudio(AudioProblem.MALFORMED, f"this Ogg file {error}") from None
    duration_ms = -(-samples * 1000 // rate)
    if duration_ms < MIN_MS:
        raise BadAudio(AudioProblem.TOO_SHORT, f"the audio has {duration_ms} ms, but the minimum is {MIN_MS} ms")
    if samples > (MAX_SECONDS[encoding] + CODER_PADDING_SECONDS[encoding]) * rate:
        raise BadAudio(
            AudioProblem.TOO_LONG,
            f"the audio has {duration_ms} ms, but the maximum for {encoding} is {MAX_SECONDS[encoding]:g} s: send shorter utterances",
        )
    # A chunk never splits a PCM sample, because each rate gives whole samples per chunk. The bytes of a file are divided
    # as if each had the same duration.
    cuts = [len(audio) * begin_ms * rate // (samples * 1000) for begin_ms in range(0, duration_ms, CHUNK_MS)]
    chunks = tuple(audio[begin:end] for begin, end in pairwise([*cuts, len(audio)]))
    return Utterance(encoding, sample_rate, duration_ms, chunks)


def _check_first_bytes(audio: bytes, encoding: Encoding) -> None:
    """Raise BadAudio if the first bytes show that the audio does not have this encoding."""
    for pattern, advice in FOREIGN_FORMATS.items():
        if pattern.match(audio):
            raise BadAudio(AudioProblem.WRONG_ENCODING, f"this is {advice}")
    actual = next((kind for kind, magic in MAGIC.items() if audio.startswith(magic)), Encoding.PCM)
    if actual is encoding:
        return
    if actual is not Encoding.PCM:
        description = f"this is {'Ogg' if actual is Encoding.OGG_OPUS else 'FLAC'}"
    elif FOREIGN_FRAME.match(audio):
        description = "this looks like MP3 or AAC"
    else:
        description = f"this does not begin like {encoding}"
    raise BadAudio(
        AudioProblem.WRONG_ENCODING,
        f"{description}, but the session has the encoding {encoding}: send that, or open another session",
    )


def _count_samples(audio: bytes, encoding: Encoding, sample_rate: int) -> tuple[int, int]:
    """Return the number of samples and their rate. Raise BadAudio if the audio contradicts the session or a rule."""
    match encoding:
        case Encoding.PCM:
            if len(audio) % SAMPLE_BYTES:
                raise BadAudio(
                    AudioProblem.ODD_BYTES,
                    f"the audio has {len(audio)} bytes, an odd number: send whole samples of 16 bits",
                )
            return len(audio) // SAMPLE_BYTES, sample_rate
        case Encoding.FLAC:
            flac = read_flac(audio)
            _check_mono(flac.channels)
            if flac.bits != SAMPLE_BYTES * 8:
                raise BadAudio(AudioProblem.NOT_16_BIT, f"the samples have {flac.bits} bits: encode 16 bits")
            if flac.sample_rate != sample_rate:
                raise BadAudio(
                    AudioProblem.WRONG_SAMPLE_RATE,
                    f"the file has {flac.sample_rate} Hz, but the session has {sample_rate}: they must be the same",
                )
            return flac.samples, flac.sample_rate
        case Encoding.OGG_OPUS:
            opus = read_ogg(audio)
            _check_mono(opus.channels)
            if sample_rate not in {OPUS_RATE, opus.input_rate}:
                raise BadAudio(
                    AudioProblem.WRONG_SAMPLE_RATE,
                    f"the session has {sample_rate} Hz, but the file was encoded from {opus.input_rate or 'an unknown rate'}:"
                    f" open the session with {OPUS_RATE}, to which Opus always decodes",
                )
            return opus.samples, OPUS_RATE


def _check_mono(channels: int) -> None:
    if channels != 1:
        raise BadAudio(AudioProblem.NOT_MONO, f"the audio has {channels} channels: mix them to one channel")
