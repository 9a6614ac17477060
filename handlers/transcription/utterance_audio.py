"""What one utterance of live transcription may be, and how it is cut for streaming. Pure.

An utterance is one message of a client: mono, 16 bits where its encoding has bits, and a file of its own where its
encoding is a file. It is checked before anything is started for it, because Amazon Transcribe says of bad audio only
that it is bad, after a stream was opened and a place in its quota taken. What clients get wrong most is named: WebM
from a browser's recorder, WAV for samples.

Rates: FLAC has its own in the file, and the session's must be the same. Opus has none: it decodes to 48 kHz whatever
was encoded, so 48000 is always right for it. The rate of what was encoded stands in the file for information; a session
may say that one too, where it is a rate that Opus works at. Opus knows neither 32000 nor 44100.

How files are built is `ogg`'s and `flac`'s affair; decoding, base64 and sessions are not looked at here.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from handlers.transcription.flac_length import MalformedFlac
from handlers.transcription.flac_length import read as read_flac
from handlers.transcription.ogg_length import OPUS_RATE, MalformedOgg
from handlers.transcription.ogg_length import read as read_ogg

CHUNK_MS = 100
"""Amazon Transcribe asks for even chunks of 50 to 200 ms, sent at the pace of speech."""


class Encoding(StrEnum):
    """How audio is written, in Amazon Transcribe's words."""

    PCM = "pcm"
    FLAC = "flac"
    OGG_OPUS = "ogg-opus"


class AudioProblem(StrEnum):
    """What can be wrong with an utterance."""

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
"""In Hz: what a session may say. Each gives whole samples in a chunk."""
MESSAGE_BYTES, JSON_BYTES = 128 * 1024, 2 * 1024
"""API Gateway's limit for one message of a WebSocket, and what of it is left for everything but the audio."""
MAX_BYTES = (MESSAGE_BYTES - JSON_BYTES) // 4 * 3
"""What fits in there as base64, which makes 4 characters of 3 bytes."""
MIN_MS = 100
"""Less than any word needs, and than a stream is worth opening for."""
LIMIT_SECONDS = {Encoding.PCM: 2.5, Encoding.FLAC: 5.0, Encoding.OGG_OPUS: 5.0}
"""An utterance is transcribed at the pace of speech, so its length delays its captions: 5 s at most. Samples at 16 kHz
fill a message after 3 s, and end before that."""
CODER_PADDING_SECONDS = {Encoding.PCM: 0.0, Encoding.FLAC: 0.0, Encoding.OGG_OPUS: 0.25}
"""What may be above the limit: Opus comes in packets of up to 120 ms, filled up at both ends."""

SAMPLE_BYTES = 2
MAGIC = {Encoding.FLAC: b"fLaC", Encoding.OGG_OPUS: b"OggS"}
FOREIGN = {
    re.compile(pattern, re.DOTALL): what
    for pattern, what in {
        rb"\x1a\x45\xdf\xa3": "WebM, as browsers' recorders make it: wrap the Opus packets in Ogg, as ogg-opus",
        rb"RIFF.{4}WAVE": "a WAV file: send its samples without the header, as pcm",
        rb".{4}ftyp": "MP4, as some browsers' recorders make it: send Opus in Ogg, FLAC, or samples",
        rb"ID3[\x02-\x04]": "MP3, or begins with a tag as MP3 files do: send Opus in Ogg, FLAC, or samples",
        rb"OggS.{24}\x01vorbis": "Vorbis in Ogg: encode Opus instead",
        rb"OggS.{24}Speex": "Speex in Ogg: encode Opus instead",
        rb"OggS.{24}\x7fFLAC": "FLAC in Ogg: send the FLAC file without Ogg, as flac, or encode Opus",
    }.items()
}
"""How files begin that are none of the three."""
FOREIGN_FRAME = re.compile(rb"\xff[\xe2-\xff]")
"""How a frame of MP3 or AAC begins; as samples this is nothing unusual."""


class BadAudio(Exception):
    """Why an utterance is refused. The message is for the client and holds nothing of what was said."""

    def __init__(self, code: AudioProblem, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Utterance:
    """Audio that is ready to be streamed."""

    encoding: Encoding
    sample_rate: int
    """What Amazon Transcribe is told."""
    duration_ms: int
    chunks: tuple[bytes, ...] = field(repr=False)
    """One for each CHUNK_MS, the last one for what is left; together they are the audio. None is empty, which would end
    the stream. A chunk of samples begins at its place times CHUNK_MS exactly, any other about there."""


def utterance(audio: bytes, encoding: Encoding, sample_rate: int) -> Utterance:
    """The audio of a message, as its session says it is; raises BadAudio."""
    if not audio:
        raise BadAudio(AudioProblem.EMPTY, "the message holds no audio")
    if len(audio) > MAX_BYTES:
        raise BadAudio(
            AudioProblem.TOO_LARGE,
            f"the audio has {len(audio)} bytes, and {MAX_BYTES} are allowed:"
            " cut it sooner, or send it at a lower rate or as ogg-opus",
        )
    if sample_rate not in SAMPLE_RATES[encoding]:
        allowed = ", ".join(map(str, SAMPLE_RATES[encoding]))
        raise BadAudio(
            AudioProblem.WRONG_SAMPLE_RATE, f"the session says {sample_rate} Hz, and {encoding} takes one of {allowed}"
        )
    _check_beginning(audio, encoding)
    try:
        samples, rate = _length(audio, encoding, sample_rate)
    except MalformedFlac as error:
        raise BadAudio(AudioProblem.MALFORMED, f"this FLAC file {error}") from None
    except MalformedOgg as error:
        raise BadAudio(AudioProblem.MALFORMED, f"this Ogg file {error}") from None
    duration_ms = -(-samples * 1000 // rate)
    if duration_ms < MIN_MS:
        raise BadAudio(AudioProblem.TOO_SHORT, f"the audio has {duration_ms} ms, and {MIN_MS} ms is the least")
    if samples > (LIMIT_SECONDS[encoding] + CODER_PADDING_SECONDS[encoding]) * rate:
        raise BadAudio(
            AudioProblem.TOO_LONG,
            f"the audio has {duration_ms} ms, and {encoding} may have {LIMIT_SECONDS[encoding]:g} s: cut it sooner",
        )
    # Samples are never split: each rate has whole ones in a chunk. Files are taken to be even in time.
    cuts = [len(audio) * begin_ms * rate // (samples * 1000) for begin_ms in range(0, duration_ms, CHUNK_MS)]
    chunks = tuple(audio[begin:end] for begin, end in pairwise([*cuts, len(audio)]))
    return Utterance(encoding, sample_rate, duration_ms, chunks)


def _check_beginning(audio: bytes, encoding: Encoding) -> None:
    """Refuses what begins as another kind of file does."""
    for pattern, what in FOREIGN.items():
        if pattern.match(audio):
            raise BadAudio(AudioProblem.WRONG_ENCODING, f"this is {what}")
    given = next((kind for kind, magic in MAGIC.items() if audio.startswith(magic)), Encoding.PCM)
    if given is encoding:
        return
    if given is not Encoding.PCM:
        what = f"this is {'Ogg' if given is Encoding.OGG_OPUS else 'FLAC'}"
    elif FOREIGN_FRAME.match(audio):
        what = "this looks like MP3 or AAC"
    else:
        what = f"this does not begin as {encoding} does"
    raise BadAudio(
        AudioProblem.WRONG_ENCODING, f"{what}, and the session says {encoding}: send that, or open a session for this"
    )


def _length(audio: bytes, encoding: Encoding, sample_rate: int) -> tuple[int, int]:
    """How many samples, at which rate."""
    match encoding:
        case Encoding.PCM:
            if len(audio) % SAMPLE_BYTES:
                raise BadAudio(
                    AudioProblem.ODD_BYTES,
                    f"the audio has {len(audio)} bytes, an odd number: a sample has 16 bits, and none may be cut",
                )
            return len(audio) // SAMPLE_BYTES, sample_rate
        case Encoding.FLAC:
            flac = read_flac(audio)
            _check_mono(flac.channels)
            if flac.bits != SAMPLE_BYTES * 8:
                raise BadAudio(AudioProblem.NOT_16_BIT, f"the samples have {flac.bits} bits: encode 16")
            if flac.sample_rate != sample_rate:
                raise BadAudio(
                    AudioProblem.WRONG_SAMPLE_RATE,
                    f"the file has {flac.sample_rate} Hz, and the session says {sample_rate}: they must be the same",
                )
            return flac.samples, flac.sample_rate
        case Encoding.OGG_OPUS:
            opus = read_ogg(audio)
            _check_mono(opus.channels)
            if sample_rate not in {OPUS_RATE, opus.input_rate}:
                raise BadAudio(
                    AudioProblem.WRONG_SAMPLE_RATE,
                    f"the session says {sample_rate} Hz, and the file was encoded from {opus.input_rate or 'unknown'}:"
                    f" open the session with {OPUS_RATE}, to which Opus always decodes",
                )
            return opus.samples, OPUS_RATE


def _check_mono(channels: int) -> None:
    if channels != 1:
        raise BadAudio(AudioProblem.NOT_MONO, f"the audio has {channels} channels: mix them to one")
