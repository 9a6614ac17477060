"""Reads a transcript: SRT, WebVTT, Amazon Transcribe's JSON, or plain text. Pure.

It decides by content what a file is, because names and content types are whatever a client says. What it cannot read it
refuses with a reason; nothing else comes out of it, whatever bytes go in.
"""

import codecs
import json
from dataclasses import dataclass, field
from enum import StrEnum

from handlers.livestream.transcript.cues import MAX_BYTES, BadTranscript, Cue, TranscriptProblem, ordered
from handlers.livestream.transcript.plain_text import is_markup, plain_cues
from handlers.livestream.transcript.subtitles import is_srt, is_webvtt, srt_cues, webvtt_cues
from handlers.livestream.transcript.transcribe_json import transcribe_cues

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Format(StrEnum):
    """What a transcript is written in."""

    SRT = "srt"
    WEBVTT = "webvtt"
    TRANSCRIBE = "transcribe"
    PLAIN = "plain"


@dataclass(frozen=True)
class Transcript:
    """What is said in a broadcast, in its order."""

    format: Format
    cues: tuple[Cue, ...] = field(repr=False)

    @property
    def timed(self) -> bool:
        """Whether the times were measured; those of plain text are estimates, which nothing should be cut by."""
        return self.format is not Format.PLAIN


def read(data: bytes) -> Transcript:
    """The transcript in a file; raises BadTranscript."""
    text = _text(data)
    # Not `splitlines`: to it, characters within a line end one.
    lines = text.split("\n")
    if is_webvtt(lines):
        return Transcript(Format.WEBVTT, ordered(webvtt_cues(lines)))
    if _is_json(text):
        return Transcript(Format.TRANSCRIBE, ordered(transcribe_cues(text)))
    if is_markup(text):
        raise BadTranscript(TranscriptProblem.OTHER_FORMAT)
    if is_srt(lines):
        return Transcript(Format.SRT, ordered(srt_cues(lines)))
    return Transcript(Format.PLAIN, ordered(plain_cues(text)))


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise BadTranscript(TranscriptProblem.TOO_LARGE)
    if data.startswith(_UTF16):
        raise BadTranscript(TranscriptProblem.UTF16)
    text = _decoded(data.removeprefix(codecs.BOM_UTF8))
    if text is None:
        raise BadTranscript(TranscriptProblem.NOT_UTF8)
    if "\0" in text:
        raise BadTranscript(TranscriptProblem.NOT_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str | None:
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
