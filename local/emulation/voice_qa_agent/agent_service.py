"""Local agent of voice Q&A: the HTTP service that answers questions about a lecture.

Lectures and spoken questions are recordings with tones in place of words. The agent recognises the words, and answers
with a quote of the lecture, as a stream of JSON lines (docs/voice-qa.md). It shares no code with the handlers, so that
mistakes of the handlers in this protocol are noticed. For tests, some words of a question make the agent fail.
"""

import base64
import json
import re
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.emulation.speech.audio_encoding_and_recognition import DEMUXERS, recognise_file
from local.emulation.speech.tone_words import Pause, SpokenWord
from local.emulation.voice_qa_agent.word_overlap_answers import (
    PIECE_WORDS,
    AgentReply,
    find_passages,
    group_words,
    make_reply,
    speak,
    split_words,
)
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpRequest, HttpResponse, serve_json

RETRY_AFTER_SECONDS = 1
LINE_SECONDS = 0.02
"""Time between two lines of an answer."""
HOSTS = frozenset(["127.0.0.1", "localhost"])
"""Hosts from which the agent downloads audio."""
DOWNLOAD_SECONDS = 10
"""Time limit of each network operation while an audio file is downloaded."""
_TEXT_PIECE = re.compile(r"\S+\s*")
"""Content of one text line: a word with the space after it."""
_INVALID_LINE = b'{"type": "text", "text": '


class AnswerFault(StrEnum):
    """Words of a question that make the agent fail."""

    THROTTLED = "throttled"
    """The first request with a query id gets status 429 and the header Retry-After."""
    DROPPED = "dropped"
    """The connection is closed in the middle of the answer."""
    MALFORMED = "malformed"
    """A line that is not valid JSON is added in the middle of the answer."""


class RequestRefused(Exception):
    """Refusal of a request with an HTTP error status, before the answer begins."""

    def __init__(self, status: HTTPStatus, **headers: str) -> None:
        super().__init__(status.phrase)
        self.status, self.headers = status, headers


def serve(line_seconds: float = LINE_SECONDS) -> AbstractContextManager[int]:
    """Serve while the block runs, and yield the port."""
    agent = _Agent(line_seconds)

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
    def __init__(self, line_seconds: float) -> None:
        self._line_seconds = line_seconds
        self._throttled: set[str] = set()
        """Ids of the queries that were refused once."""

    def answer(self, question: Mapping[str, Any]) -> Iterator[bytes]:
        """Return the lines of the answer. Raise RequestRefused if the question is throttled or cannot be recognised."""
        query, conversation = question["query"], question["conversation"]
        text = query["text"] if "text" in query else _transcribe(query)
        words = split_words(text)
        fault = next((AnswerFault(word) for word in words if word in set(AnswerFault)), None)
        if fault is AnswerFault.THROTTLED and question["queryId"] not in self._throttled:
            self._throttled.add(question["queryId"])
            raise RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, **{"Retry-After": str(RETRY_AFTER_SECONDS)})
        previous_words = split_words(conversation[-1]["question"]) if conversation else ()
        question_words = [word for word in words if word not in set(AnswerFault)]
        return self._answer_lines(text, question["lecture"], question_words, previous_words, fault)

    def _answer_lines(
        self,
        text: str,
        lecture: Mapping[str, Any],
        question_words: list[str],
        previous_words: tuple[str, ...],
        fault: AnswerFault | None,
    ) -> Iterator[bytes]:
        yield _encode({"type": "transcript", "text": text})
        try:
            reply = make_reply(find_passages(_recognise(lecture)), question_words, previous_words)
        except UnreadableMedia:
            yield _encode({"type": "error", "code": "rejected", "retryable": False})
            return
        lines = _make_lines(reply, lecture["durationMs"])
        for index, line in enumerate(lines):
            if index == len(lines) // 2 and fault is AnswerFault.DROPPED:
                raise ConnectionAbortedError
            if index == len(lines) // 2 and fault is AnswerFault.MALFORMED:
                yield _INVALID_LINE
            yield _encode(line)
            time.sleep(self._line_seconds)


def _transcribe(query: Mapping[str, Any]) -> str:
    try:
        return " ".join(item.text for item in _recognise(query) if isinstance(item, SpokenWord))
    except UnreadableMedia:
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY) from None


def _recognise(audio: Mapping[str, Any]) -> Iterable[SpokenWord | Pause]:
    """Download audio from a presigned URL. Return its words and pauses, or raise UnreadableMedia."""
    if audio["format"] not in DEMUXERS or urlsplit(audio["url"]).hostname not in HOSTS:
        raise UnreadableMedia
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(audio["url"], timeout=DOWNLOAD_SECONDS) as response:
            return _recognise_audio(response.read(), audio["format"])
    except OSError:
        raise UnreadableMedia from None


@lru_cache(maxsize=16)
def _recognise_audio(audio: bytes, audio_format: str) -> tuple[SpokenWord | Pause, ...]:
    """Return the words and pauses of audio. They are cached, because many questions are about the same lecture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "audio")
        path.write_bytes(audio)
        return tuple(recognise_file(path, [audio_format]))


def _make_lines(reply: AgentReply, duration_ms: int) -> list[dict[str, Any]]:
    """Return the lines of the answer: text lines with audio lines in between, then the citations and the last line."""
    texts = [{"type": "text", "text": word} for word in _TEXT_PIECE.findall(reply.text)]
    sounds = [
        {"type": "audio", "audio": base64.b64encode(speak(words)).decode(), "format": "ogg-opus"}
        for words in group_words(reply.text)
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
    groups = [texts[start : start + PIECE_WORDS] for start in range(0, len(texts), PIECE_WORDS)]
    mixed = [
        line
        # One audio line follows each group of text lines while there are audio lines. There are never more audio lines
        # than groups, because words outside the vocabulary have no audio.
        for index, group in enumerate(groups)
        for line in (*group, *sounds[index : index + 1])
    ]
    return [*mixed, *cited, {"type": "done"}]


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode()
