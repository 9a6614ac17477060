"""Reader for transcripts in SRT, WebVTT or Amazon Transcribe's JSON.

The content decides the format, because the client chooses file name and content type, and both may be wrong. For every
input the reader either returns cues or raises BadTranscript.
"""

import codecs
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from handlers.livestream.transcript.cues import (
    MAX_TRANSCRIPT_BYTES,
    BadTranscript,
    Cue,
    TranscriptProblem,
    prepare_cues,
)
from handlers.livestream.transcript.subtitle_reader import is_srt, is_webvtt, srt_cues, webvtt_cues
from handlers.livestream.transcript.transcribe_json_reader import transcribe_cues

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TranscriptFormat(StrEnum):
    SRT = "srt"
    WEBVTT = "webvtt"
    TRANSCRIBE = "transcribe"


@dataclass(frozen=True)
class ParsedTranscript:
    """Cues of a transcript, sorted by time."""

    format: TranscriptFormat
    cues: tuple[Cue, ...] = field(repr=False)


def read_transcript(data: bytes) -> ParsedTranscript:
    """Read a transcript file; raise BadTranscript if it is invalid."""
    text = _to_text(data)
    # `splitlines` would also split at other Unicode characters that may occur within a line.
    lines = text.split("\n")
    if is_webvtt(lines):
        return ParsedTranscript(TranscriptFormat.WEBVTT, prepare_cues(webvtt_cues(lines)))
    if text.lstrip().startswith("{"):
        return ParsedTranscript(TranscriptFormat.TRANSCRIBE, prepare_cues(transcribe_cues(text)))
    if is_srt(lines):
        return ParsedTranscript(TranscriptFormat.SRT, prepare_cues(srt_cues(lines)))
    raise BadTranscript(TranscriptProblem.OTHER_FORMAT if text.strip() else TranscriptProblem.EMPTY)


def _to_text(data: bytes) -> str:
    if len(data) > MAX_TRANSCRIPT_BYTES:
        raise BadTranscript(TranscriptProblem.TOO_LARGE)
    if data.startswith(_UTF16):
        raise BadTranscript(TranscriptProblem.UTF16)
    text: str | None = None
    # The decoder's exception contains the data. It is suppressed, so that it is not attached to the new exception.
    with suppress(UnicodeDecodeError):
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    if text is None:
        raise BadTranscript(TranscriptProblem.NOT_UTF8)
    if "\0" in text:
        raise BadTranscript(TranscriptProblem.NOT_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n")
