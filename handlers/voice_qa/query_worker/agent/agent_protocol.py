"""The protocol between us and an agent: one JSON object there, JSON lines back.

There, by `POST <endpoint>/answer`: `schemaVersion` 1, `queryId`, `sessionId` (opaque), `lecture` {`lectureId`, `url`,
`format`, `durationMs`}, `query` {`url`, `format`} or {`text`}, `conversation` [{`question`, `answer`}], `language`.

Back, with status 200, one object a line, each line ended by a line feed:

- `text` {`text`}: more of the answer
- `audio` {`audio` (base64), `format`}: more of its sound, all of one format
- `citation` {`startMs`, `endMs`, `quote`}: where the lecture says so
- `transcript` {`text`}: what was understood of the question
- `done` {}: the answer is whole; nothing after it is read
- `error` {`code`, `retryable`}: there will be none; `code` is rejected, throttled, unavailable or failed

Other types and other fields are passed over, so that agents may say more than we know. Lines of server-sent events are
accepted too: `data: ` before the object, and everything else that those may hold between them. So is `error` as a text
in an object without a type: the runtime's own server ends an answer with it whose agent raised.

It decides what a line means and how much an answer may hold. When lines come, and when no more do, is left to
`agent_answer`. Nothing that the peer sent is in an exception.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentAudioPiece,
    AgentCitationPiece,
    AgentCode,
    AgentFailed,
    AgentPiece,
    AgentQuestion,
    AgentTextPiece,
    AgentTranscriptPiece,
    AnswerAudioFormat,
    WrittenQuery,
)

SCHEMA_VERSION = 1
CONTENT_TYPE = "application/json"
ACCEPTED = "application/jsonl, text/event-stream"

MAX_LINE = 256 * 1024
MAX_TEXT = 200 * 1024
"""Bytes of all that is to be read: text, transcript and quotes."""
MAX_AUDIO = 16 * 1024 * 1024
MAX_CITATIONS = 64
MAX_BYTES = 32 * 1024 * 1024
"""Of everything, whatever it is: more than the rest takes as base64."""

THEIR_CODES = frozenset([AgentCode.REJECTED, AgentCode.THROTTLED, AgentCode.UNAVAILABLE, AgentCode.FAILED])
"""What an agent can know; the other codes are what we see of it."""
_DATA = b"data:"
_EVENT_FIELDS = (b":", b"event:", b"id:", b"retry:")


def request_body(question: AgentQuestion) -> bytes:
    """A question on its way."""
    query = question.query
    return json.dumps(
        {
            "schemaVersion": SCHEMA_VERSION,
            "queryId": question.query_id,
            "sessionId": question.session_id,
            "lecture": {
                "lectureId": question.lecture.lecture_id,
                "url": question.lecture.url,
                "format": question.lecture.format,
                "durationMs": question.lecture.duration_ms,
            },
            "query": {"text": query.text}
            if isinstance(query, WrittenQuery)
            else {"url": query.url, "format": query.format},
            "conversation": [{"question": turn.question, "answer": turn.answer} for turn in question.conversation],
            "language": question.language,
        }
    ).encode()


class AnswerReader:
    """Makes pieces of an answer's bytes, however these are cut."""

    def __init__(self, duration_ms: int) -> None:
        """`duration_ms` is the lecture's."""
        self.lines = 0
        """How many lines were whole so far."""
        self.dropped_citations = 0
        self.done = False
        self._duration_ms = duration_ms
        self._rest = bytearray()
        self._bytes = self._text = self._audio = self._citations = 0
        self._format: AnswerAudioFormat | None = None
        self._kinds: dict[str, Callable[[dict[str, Any]], AgentPiece | None]] = {
            "text": self._said,
            "audio": self._sounded,
            "citation": self._cited,
            "transcript": self._understood,
            "done": self._ended,
            "error": self._failed,
        }

    def feed(self, data: bytes) -> Iterator[AgentPiece]:
        """The pieces that these bytes complete; none after the end."""
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise AgentFailed(AgentCode.TOO_MUCH)
        start = 0
        while not self.done and (end := data.find(b"\n", start)) >= 0:
            self._keep(data[start:end])
            line, self._rest = bytes(self._rest), bytearray()
            self.lines += 1
            start = end + 1
            if (piece := self._piece(line)) is not None:
                yield piece
        if not self.done:
            self._keep(data[start:])

    def _keep(self, part: bytes) -> None:
        if len(self._rest) + len(part) > MAX_LINE:
            raise AgentFailed(AgentCode.TOO_MUCH)
        self._rest += part

    def _piece(self, line: bytes) -> AgentPiece | None:
        line = line.strip()
        if not line or line.startswith(_EVENT_FIELDS):
            return None
        message = _json(line.removeprefix(_DATA))
        if not isinstance(message, dict):
            _malformed()
        if "type" not in message and isinstance(message.get("error"), str):
            raise AgentFailed(AgentCode.FAILED)
        kind = message.get("type")
        if not isinstance(kind, str):
            _malformed()
        read = self._kinds.get(kind)
        return None if read is None else read(message)

    def _said(self, message: dict[str, Any]) -> AgentPiece | None:
        text = self._readable(message, "text")
        return AgentTextPiece(text) if text else None

    def _understood(self, message: dict[str, Any]) -> AgentPiece | None:
        return AgentTranscriptPiece(self._readable(message, "text"))

    def _sounded(self, message: dict[str, Any]) -> AgentPiece | None:
        audio = _decoded(message.get("audio"))
        kind = next((one for one in AnswerAudioFormat if one == message.get("format")), None)
        if audio is None or kind is None or self._format not in {None, kind}:
            _malformed()
        self._format = kind
        self._audio += len(audio)
        if self._audio > MAX_AUDIO:
            raise AgentFailed(AgentCode.TOO_MUCH)
        return AgentAudioPiece(audio, kind) if audio else None

    def _cited(self, message: dict[str, Any]) -> AgentPiece | None:
        start, end = message.get("startMs"), message.get("endMs")
        # `type`, because true and false are integers too.
        if type(start) is not int or type(end) is not int:
            _malformed()
        quote = self._readable(message, "quote")
        if not 0 <= start < end <= self._duration_ms:
            self.dropped_citations += 1
            return None
        self._citations += 1
        if self._citations > MAX_CITATIONS:
            raise AgentFailed(AgentCode.TOO_MUCH)
        return AgentCitationPiece(start, end, quote)

    def _ended(self, _: dict[str, Any]) -> None:
        self.done = True

    def _failed(self, message: dict[str, Any]) -> NoReturn:
        code = next((one for one in THEIR_CODES if one == message.get("code")), AgentCode.FAILED)
        retryable = message.get("retryable")
        raise AgentFailed(code, retryable=retryable if isinstance(retryable, bool) else None)

    def _readable(self, message: dict[str, Any], name: str) -> str:
        text = message.get(name)
        length = _length(text) if isinstance(text, str) else None
        if not isinstance(text, str) or length is None:
            _malformed()
        self._text += length
        if self._text > MAX_TEXT:
            raise AgentFailed(AgentCode.TOO_MUCH)
        return text


def _malformed() -> NoReturn:
    raise AgentFailed(AgentCode.MALFORMED)


def _json(line: bytes) -> object:
    """What the line holds; nothing if it is no JSON. Exceptions of the decoder hold the line: none must get out."""
    try:
        # Decoded here, because json would take UTF-16 too.
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _decoded(audio: object) -> bytes | None:
    try:
        return base64.b64decode(audio, validate=True) if isinstance(audio, str) else None
    except (ValueError, binascii.Error):
        return None


def _length(text: str) -> int | None:
    """In UTF-8; nothing for half a surrogate pair, which no peer of ours could be sent."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
