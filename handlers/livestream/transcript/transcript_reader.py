"""Reads a transcript: SRT, WebVTT, Amazon Transcribe's JSON, or plain text. Pure.

It decides by content what a file is, because names and content types are whatever a client says. What it cannot read it
refuses with a reason; nothing else comes out of it, whatever bytes go in.
"""

import codecs
import json
from dataclasses import dataclass, field
from enum import StrEnum

from handlers.livestream.transcript.cues import (
    MAX_TRANSCRIPT_BYTES,
    BadTranscript,
    Cue,
    TranscriptProblem,
    prepare_cues,
)
from handlers.livestream.transcript.plain_text import is_markup, plain_cues
from handlers.livestream.transcript.subtitles import is_srt, is_webvtt, srt_cues, webvtt_cues
from handlers.livestream.transcript.transcribe_json import transcribe_cues

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TranscriptFormat(StrEnum):
    """What a transcript is written in."""

    SRT = "srt"
    WEBVTT = "webvtt"
    TRANSCRIBE = "transcribe"
    PLAIN = "plain"


@dataclass(frozen=True)
class ParsedTranscript:
    """What is said in a broadcast, in its order."""

    format: TranscriptFormat
    cues: tuple[Cue, ...] = field(repr=False)

    @property
    def timed(self) -> bool:
        """Whether the times were measured; those of plain text are estimates, which nothing should be cut by."""
        return self.format is not TranscriptFormat.PLAIN


def read_transcript(data: bytes) -> ParsedTranscript:
    """The transcript in a file; raises BadTranscript."""
    text = _text(data)
    # Not `splitlines`: to it, characters within a line end one.
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


def _text(data: bytes) -> str:
    if len(data) > MAX_TRANSCRIPT_BYTES:
        raise BadTranscript(TranscriptProblem.TOO_LARGE)
    if data.startswith(_UTF16):
        raise BadTranscript(TranscriptProblem.UTF16)
    text = _decode_utf8(data.removeprefix(codecs.BOM_UTF8))
    if text is None:
        raise BadTranscript(TranscriptProblem.NOT_UTF8)
    if "\0" in text:
        raise BadTranscript(TranscriptProblem.NOT_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode_utf8(data: bytes) -> str | None:
    """None where it is no UTF-8: the decoder's exception holds the data, so it must not get out."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_json(text: str) -> bool:
    """A brace begins nothing else that is read here, but a bracket also a remark like [Applause]."""
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
