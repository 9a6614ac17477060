"""Local agent of voice Q&A: the HTTP service that answers questions about a lecture.

The agent recognises the speech of the lecture and of spoken questions. It answers with a quote of the lecture, as a
stream of JSON lines (docs/voice-qa.md). It has no voice of its own: the spoken answer is the quoted part of the
lecture's audio, and an answer without a quote is silent. It shares no code with the handlers, so that mistakes of the
handlers in this protocol are noticed.

The lecture is divided into passages, which are the recognised lines. The answer quotes the passage that shares the most
content words with the question. A content word is a word that says something about the subject, unlike `what` or `the`.
A word that occurs in few passages counts more. The same lecture and question always give the same answer.
"""

import base64
import json
import math
import re
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
MAX_CITED = 3
NO_MATCH_ANSWER = "The lecture does not say anything about this."
MIN_SHARED_SHARE = 0.5
"""Minimum share of the question's content words that a passage must contain to be an answer."""
_WORD = re.compile(r"[a-z0-9']+")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a about again all also am an and any are as at be because been but by can could did do does for from had has "
        "have he her here him his how i if in into is it it's its just let me more most my no not now of on one or our "
        "out please say says she should so some tell than thank that the their them then there these they this those "
        "to today too us very was we were what what's when where which who why will with would you your"
    )
)
"""Words that say nothing about the subject of a question."""


@dataclass(frozen=True)
class LecturePassage:
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class AgentReply:
    """Answer with the passages that it cites, the best passage first."""

    text: str
    passages: tuple[LecturePassage, ...] = ()


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


def find_content_words(text: str) -> set[str]:
    """Return the content words of a text. The plural counts as the singular."""
    return {word.removesuffix("s") for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS}


def find_best_passages(lecture: Sequence[LecturePassage], wanted: Iterable[str]) -> list[LecturePassage]:
    """Return up to MAX_CITED passages that contain enough of the wanted words, the best passage first.

    Of two equally good passages, the earlier one comes first.
    """
    wanted = set(wanted)
    found = [(passage, find_content_words(passage.text)) for passage in lecture]
    passage_counts = Counter(word for _, words in found for word in words)

    def weight(words: set[str]) -> float:
        return sum(math.log(1 + len(lecture) / passage_counts[word]) for word in wanted & words)

    matching = [
        (passage, words)
        for passage, words in found
        if wanted & words and len(wanted & words) >= MIN_SHARED_SHARE * len(wanted)
    ]
    best = sorted(matching, key=lambda match: (-weight(match[1]), match[0].start_ms))
    return [passage for passage, _ in best[:MAX_CITED]]


def make_reply(lecture: Sequence[LecturePassage], question: str, previous_question: str = "") -> AgentReply:
    """Return the answer to a question.

    A question without content words, such as "Tell me more", is about the subject of the previous question.
    """
    wanted = find_content_words(question) or find_content_words(previous_question)
    passages = find_best_passages(lecture, wanted)
    if not passages:
        return AgentReply(NO_MATCH_ANSWER)
    minutes, seconds = divmod(passages[0].start_ms // 1000, 60)
    return AgentReply(f"At {minutes}:{seconds:02} you hear: {passages[0].text}", tuple(passages))
