"""Local agent of voice Q&A: the HTTP service that answers questions about a lecture.

The agent recognises the speech of the lecture and of spoken questions. It answers with a quote of the lecture, as a
stream of JSON lines (docs/voice-qa.md). It has no voice of its own: the spoken answer is the quoted part of the
lecture's audio, and an answer without a quote is silent. It shares no code with the handlers, so that mistakes of the
handlers in this protocol are noticed.
"""

import base64
import json
import re
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.audio_formats import DEMUXERS, RATE, SAMPLE_BYTES, decode_file, encode_audio
from local.emulation.faults import Fault, Faults
from local.emulation.speech.recognition import SpokenLine, recognise
from local.emulation.voice_qa_agent.lecture_answers import LecturePassage, make_reply
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpRequest, HttpResponse, serve_json

RETRY_AFTER_SECONDS = 1
LINE_SECONDS = 0.02
"""Time between two lines of an answer."""
HOSTS = frozenset(["127.0.0.1", "localhost"])
"""Hosts from which the agent downloads audio."""
DOWNLOAD_SECONDS = 10
"""Time limit of each network operation while an audio file is downloaded."""
AUDIO_PIECE_SECONDS = 1.0
"""Maximum length of one audio message of an answer."""
WORDS_PER_AUDIO_PIECE = 4
"""Number of text lines between two audio lines."""
_TEXT_PIECE = re.compile(r"\S+\s*")
"""Content of one text line: a word with the space after it."""
_INVALID_LINE = b'{"type": "text", "text": '


@dataclass(frozen=True)
class _Recording:
    """Speech of a lecture or a question."""

    samples: bytes
    lines: tuple[SpokenLine, ...]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def passages(self) -> list[LecturePassage]:
        return [LecturePassage(line.text, round(line.start * 1000), round(line.end * 1000)) for line in self.lines]

    def cut(self, passage: LecturePassage) -> Iterator[bytes]:
        """Yield the audio of a passage as Ogg Opus files of up to AUDIO_PIECE_SECONDS."""
        start, end = (SAMPLE_BYTES * (ms * RATE // 1000) for ms in (passage.start_ms, passage.end_ms))
        size = round(SAMPLE_BYTES * RATE * AUDIO_PIECE_SECONDS)
        for first in range(start, end, size):
            yield encode_audio(self.samples[first : min(first + size, end)], "ogg-opus")


class RequestRefused(Exception):
    """Refusal of a request with an HTTP error status, before the answer begins."""

    def __init__(self, status: HTTPStatus, **headers: str) -> None:
        super().__init__(status.phrase)
        self.status, self.headers = status, headers


def serve(faults: Faults | None = None, line_seconds: float = LINE_SECONDS) -> AbstractContextManager[int]:
    """Serve while the block runs, and yield the port."""
    agent = _Agent(faults or Faults(), line_seconds)

    def respond(request: HttpRequest) -> HttpResponse:
        try:
            match request.method, request.path:
                case "POST", "/answer":
                    return HttpResponse(agent.answer(json.loads(request.body)))
                case _:
                    return HttpResponse({}, HTTPStatus.NOT_FOUND)
        except RequestRefused as refused:
            return HttpResponse({"status": str(refused)}, refused.status, refused.headers)

    return serve_json(respond)


class _Agent:
    def __init__(self, faults: Faults, line_seconds: float) -> None:
        self._faults = faults
        self._line_seconds = line_seconds

    def answer(self, question: Mapping[str, Any]) -> Iterator[bytes]:
        """Return the lines of the answer. Raise RequestRefused if the question is throttled or cannot be recognised."""
        if self._faults.take(Fault.ANSWER_THROTTLED):
            raise RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, **{"Retry-After": str(RETRY_AFTER_SECONDS)})
        query, conversation = question["query"], question["conversation"]
        text = query["text"] if "text" in query else _transcribe(query)
        previous_question = conversation[-1]["question"] if conversation else ""
        return self._answer_lines(text, question["lecture"], previous_question)

    def _answer_lines(self, text: str, lecture: Mapping[str, Any], previous_question: str) -> Iterator[bytes]:
        yield _encode({"type": "transcript", "text": text})
        try:
            lines = _make_lines(_recognise(lecture), text, previous_question, lecture["durationMs"])
        except UnreadableMedia:
            yield _encode({"type": "error", "code": "rejected", "retryable": False})
            return
        is_dropped, is_malformed = (
            self._faults.take(fault) for fault in (Fault.ANSWER_DROPPED, Fault.ANSWER_MALFORMED)
        )
        for index, line in enumerate(lines):
            if index == len(lines) // 2 and is_dropped:
                raise ConnectionAbortedError
            if index == len(lines) // 2 and is_malformed:
                yield _INVALID_LINE
            yield _encode(line)
            time.sleep(self._line_seconds)


def _transcribe(query: Mapping[str, Any]) -> str:
    try:
        return _recognise(query).text
    except UnreadableMedia:
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY) from None


def _recognise(audio: Mapping[str, Any]) -> _Recording:
    """Download audio from a presigned URL. Return its speech, or raise UnreadableMedia."""
    if audio["format"] not in DEMUXERS or urlsplit(audio["url"]).hostname not in HOSTS:
        raise UnreadableMedia
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(audio["url"], timeout=DOWNLOAD_SECONDS) as response:
            return _recognise_audio(response.read(), audio["format"])
    except OSError:
        raise UnreadableMedia from None


@lru_cache(maxsize=16)
def _recognise_audio(audio: bytes, audio_format: str) -> _Recording:
    """Return the speech in audio. It is cached, because many questions are about the same lecture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "audio")
        path.write_bytes(audio)
        samples = decode_file(path, [audio_format])
    return _Recording(samples, tuple(recognise(samples)))


def _make_lines(lecture: _Recording, question: str, previous_question: str, duration_ms: int) -> list[dict[str, Any]]:
    """Return the lines of the answer: text lines with audio lines in between, then the citations and the last line."""
    reply = make_reply(lecture.passages, question, previous_question)
    texts = [{"type": "text", "text": word} for word in _TEXT_PIECE.findall(reply.text)]
    sounds = [
        {"type": "audio", "audio": base64.b64encode(audio).decode(), "format": "ogg-opus"}
        for passage in reply.passages[:1]
        for audio in lecture.cut(passage)
    ]
    cited = [
        {
            "type": "citation",
            "startMs": passage.start_ms,
            "endMs": min(passage.end_ms, duration_ms),
            "quote": passage.text,
        }
        for passage in reply.passages
    ]
    mixed = []
    while texts or sounds:
        mixed += [*texts[:WORDS_PER_AUDIO_PIECE], *sounds[:1]]
        texts, sounds = texts[WORDS_PER_AUDIO_PIECE:], sounds[1:]
    return [*mixed, *cited, {"type": "done"}]


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode()
