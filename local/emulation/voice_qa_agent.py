"""Local agent of voice Q&A: the HTTP service that answers questions about a lecture. The query worker calls it.

The agent recognises the speech of the lecture and of spoken questions. It answers with a quote of the lecture, as a
stream of JSON messages, one per line (docs/voice-qa.md). It has no voice of its own: the spoken answer is the quoted
part of the lecture's audio, and an answer without a quote is silent. It shares no code with the handlers, so that
mistakes of the handlers in this protocol are noticed.

The speech recognition divides the lecture into passages, which are about as long as a sentence. The answer quotes the
passage that shares the most content words with the question. A content word is a word that says something about the
subject, unlike `what` or `the`. A word that occurs in few passages counts more. The same lecture and question always
give the same answer.
"""

import base64
import json
import math
import re
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.audio_formats import RATE, SAMPLE_BYTES, decode_file, encode_audio
from local.emulation.faults import Fault, Faults
from local.emulation.speech.recognition import SpokenLine, recognise
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpRequest, HttpResponse, serve_json

MESSAGE_SECONDS = 0.02
"""Time between two messages of an answer."""
DOWNLOAD_SECONDS = 10
"""Time limit of each network operation while an audio file is downloaded."""
AUDIO_MESSAGE_SECONDS = 1.0
"""Maximum length of the audio in one message."""
WORDS_PER_AUDIO_MESSAGE = 4
"""Number of text messages, of one word each, between two audio messages."""
_WORD_AND_SPACE = re.compile(r"\S+\s*")
MAX_CITED = 3
"""Maximum number of passages that an answer cites."""
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
class _Recording:
    """Speech of a lecture or a question."""

    samples: bytes
    passages: tuple[SpokenLine, ...]

    @property
    def text(self) -> str:
        return " ".join(passage.text for passage in self.passages)

    def cut(self, passage: SpokenLine) -> Iterator[bytes]:
        """Yield the audio of a passage as Ogg Opus files of up to AUDIO_MESSAGE_SECONDS."""
        start, end = (SAMPLE_BYTES * round(seconds * RATE) for seconds in (passage.start, passage.end))
        size = round(SAMPLE_BYTES * RATE * AUDIO_MESSAGE_SECONDS)
        for first in range(start, end, size):
            yield encode_audio(self.samples[first : min(first + size, end)], "ogg-opus")


def serve(faults: Faults, message_seconds: float = MESSAGE_SECONDS) -> AbstractContextManager[int]:
    """Serve while the `with` block runs, and yield the port."""

    def respond(request: HttpRequest) -> HttpResponse:
        if (request.method, request.path) != ("POST", "/answer"):
            return HttpResponse({}, HTTPStatus.NOT_FOUND)
        if faults.take(Fault.ANSWER_THROTTLED):
            return HttpResponse({}, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": "1"})
        content = json.loads(request.body)
        query, conversation = content["query"], content["conversation"]
        try:
            text = query["text"] if "text" in query else _recognise(query).text
        except UnreadableMedia:
            return HttpResponse({}, HTTPStatus.UNPROCESSABLE_ENTITY)
        previous_question = conversation[-1]["question"] if conversation else ""
        return HttpResponse(_answer(text, content["lecture"], previous_question, message_seconds))

    return serve_json(respond)


def _answer(text: str, lecture: Mapping[str, Any], previous_question: str, message_seconds: float) -> Iterator[bytes]:
    """Yield the messages of the answer to a question with this text."""
    yield _encode({"type": "transcript", "text": text})
    try:
        messages = _make_messages(_recognise(lecture), text, previous_question, lecture["durationMs"])
    except UnreadableMedia:
        yield _encode({"type": "error", "code": "rejected", "retryable": False})
        return
    for message in messages:
        yield _encode(message)
        time.sleep(message_seconds)


def _recognise(audio: Mapping[str, Any]) -> _Recording:
    """Download audio from a presigned URL. Return its speech, or raise UnreadableMedia."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy can reach the emulator's S3
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


def _make_messages(
    lecture: _Recording, question: str, previous_question: str, duration_ms: int
) -> list[dict[str, Any]]:
    """Return the messages of the answer: texts with audio in between, then the citations and the end.

    `duration_ms` is the length of the lecture that the handlers know, so no citation may end later.
    """
    passages = find_passages(lecture.passages, question, previous_question)
    texts = [{"type": "text", "text": word} for word in _WORD_AND_SPACE.findall(make_answer(passages))]
    sounds = [
        {"type": "audio", "audio": base64.b64encode(audio).decode(), "format": "ogg-opus"}
        for passage in passages[:1]
        for audio in lecture.cut(passage)
    ]
    cited = [
        {
            "type": "citation",
            "startMs": round(passage.start * 1000),
            "endMs": min(round(passage.end * 1000), duration_ms),
            "quote": passage.text,
        }
        for passage in passages
    ]
    mixed = []
    while texts or sounds:
        mixed += [*texts[:WORDS_PER_AUDIO_MESSAGE], *sounds[:1]]
        texts, sounds = texts[WORDS_PER_AUDIO_MESSAGE:], sounds[1:]
    return [*mixed, *cited, {"type": "done"}]


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode()


def find_passages(lecture: Sequence[SpokenLine], question: str, previous_question: str = "") -> list[SpokenLine]:
    """Return up to MAX_CITED passages of the lecture that answer a question, the best one first.

    Of two equally good passages, the earlier one comes first. A question without content words, such as "Tell me more",
    is about the subject of the previous question.
    """
    wanted = _find_content_words(question) or _find_content_words(previous_question)
    found = [(passage, _find_content_words(passage.text)) for passage in lecture]
    passage_counts = Counter(word for _, words in found for word in words)

    def weight(words: set[str]) -> float:
        return sum(math.log(1 + len(lecture) / passage_counts[word]) for word in wanted & words)

    matching = [
        (passage, words)
        for passage, words in found
        if wanted & words and len(wanted & words) >= MIN_SHARED_SHARE * len(wanted)
    ]
    best = sorted(matching, key=lambda match: (-weight(match[1]), match[0].start))
    return [passage for passage, _ in best[:MAX_CITED]]


def make_answer(passages: Sequence[SpokenLine]) -> str:
    """Return the text of the answer, which quotes the best passage."""
    if not passages:
        return NO_MATCH_ANSWER
    minutes, seconds = divmod(int(passages[0].start), 60)
    return f"At {minutes}:{seconds:02} you hear: {passages[0].text}"


def _find_content_words(text: str) -> set[str]:
    """Return the content words of a text without a final `s`, so that a plural equals its singular."""
    return {word.removesuffix("s") for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS}
