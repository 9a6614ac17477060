"""Reader for transcripts in SRT, WebVTT, Amazon Transcribe's JSON or plain text.

The content decides the format, because the client chooses file name and content type, and both may be wrong. For every
input the reader either returns cues or raises BadTranscript.
"""

import codecs
import json
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
from handlers.livestream.transcript.plain_text_reader import is_markup, plain_cues
from handlers.livestream.transcript.subtitle_reader import is_srt, is_webvtt, srt_cues, webvtt_cues
from handlers.livestream.transcript.transcribe_json_reader import transcribe_cues

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TranscriptFormat(StrEnum):
    SRT = "srt"
    WEBVTT = "webvtt"
    TRANSCRIBE = "transcribe"
    PLAIN = "plain"


@dataclass(frozen=True)
class ParsedTranscript:
    """Cues of a transcript, sorted by time."""

    format: TranscriptFormat
    cues: tuple[Cue, ...] = field(repr=False)

    @property
    def timed(self) -> bool:
        """True if the file contains times. The times of plain text are only estimates, too inexact for a clip."""
        return self.format is not TranscriptFormat.PLAIN


def read_transcript(data: bytes) -> ParsedTranscript:
    """Read a transcript file; raise BadTranscript if it is invalid."""
    text = _to_text(data)
    # `splitlines` would also split at other Unicode characters that may occur within a line.
    lines = text.split("\n")
    if is_webvtt(lines):
        return ParsedTranscript(TranscriptFormat.WEBVTT, prepare_cues(webvtt_cues(lines)))
    if _is_json(text):
        return ParsedTranscript(TranscriptFormat.TRANSCRIBE, prepare_cues(transcribe_cues(text)))
    if is_markup(text):
        raise BadTranscript(TranscriptProblem.OTHER_FORMAT)
    if is_srt(lines):
        return ParsedTranscript(TranscriptFormat.SRT, prepare_cues(srt_cues(lines)))
    return ParsedTranscript(TranscriptFormat.PLAIN, prepare_cues(plain_cues(text)))


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


def _is_json(text: str) -> bool:
    """Return True if the text must be read as JSON.

    A text that starts with a brace is read as JSON unless it is RTF, because no other supported format starts with a
    brace. A text that starts with a bracket is read as JSON only if it is valid JSON, because plain text may start with
    a remark such as [Applause].
    """
    start = text.lstrip()[:1]
    if start == "{":
        return not is_markup(text)
    if start != "[":
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
