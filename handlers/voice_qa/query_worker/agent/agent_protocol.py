"""Protocol between the query worker and an agent: one JSON object as the request, JSON lines as the response.

Request, by `POST <endpoint>/answer` or AgentCore's `InvokeAgentRuntime`: `schemaVersion` 1, `queryId`, `sessionId` (of
the conversation), `lecture` {`lectureId`, `url`, `format`, `durationMs`}, `query` {`url`, `format`} or {`text`},
`conversation` [{`question`, `answer`}], `language`.

Response, with status 200: one object per line, each line ended by a line feed:

- `text` {`text`}: the next part of the answer
- `audio` {`audio` (base64), `format`}: the next part of the spoken answer, all of one format
- `citation` {`startMs`, `endMs`, `quote`}: the section of the lecture that supports the answer
- `transcript` {`text`}: the transcript of the question
- `done` {}: the answer is complete; nothing after it is read
- `error` {`code`, `retryable`}: there is no complete answer; `code` is rejected, throttled, unavailable or failed

The field `type` names the type of an object. Other types and fields are ignored, so that agents can send more than this
version reads. The lines may also be server-sent events, with `data:` before the object. An object that has no `type`,
but a text in the field `error`, means that the agent failed. The server of AgentCore Runtime sends such an object if
the agent raised an exception.

This module interprets lines, removes hidden characters from texts, and limits the size of an answer. `agent_call`
enforces the time limits. No exception contains anything that the agent sent.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from handlers.common.text import remove_hidden_characters
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
"""Version of the request, which each request states."""
CONTENT_TYPE = "application/json"
ACCEPTED = "application/jsonl, text/event-stream"

MAX_LINE = 256 * 1024
"""Maximum size of a line in bytes."""
MAX_TEXT = 200 * 1024
"""Maximum size of all text in bytes: answer, transcript and quotes."""
MAX_AUDIO = 16 * 1024 * 1024
"""Maximum size of all audio of an answer in bytes, after base64 is decoded."""
MAX_CITATIONS = 64
"""Maximum number of citations in an answer."""
MAX_BYTES = 32 * 1024 * 1024
"""Maximum size of a response in bytes. It exceeds the sum of the other limits, with the audio in base64."""

AGENT_CODES = frozenset([AgentCode.QUESTION_REJECTED, AgentCode.THROTTLED, AgentCode.UNAVAILABLE, AgentCode.FAILED])
"""Failure codes that an agent can send. The other codes are only set by this package."""
_DATA = b"data:"
"""Prefix of the line of a server-sent event that contains the object."""
_EVENT_FIELDS = (b":", b"event:", b"id:", b"retry:")
"""Prefixes of the other lines of server-sent events, which are ignored."""


def request_body(question: AgentQuestion) -> bytes:
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
    """Parser that converts the bytes of a response to the pieces of an answer."""

    def __init__(self, duration_ms: int) -> None:
        """`duration_ms` is the duration of the lecture."""
        self.lines = 0
        """Number of complete lines so far."""
        self.dropped_citations = 0
        """Number of citations outside the lecture."""
        self.done = False
        """True once the agent has sent `done`."""
        self._duration_ms = duration_ms
        self._partial_line = bytearray()
        self._bytes = self._text_bytes = self._audio_bytes = self._citations = 0
        self._format: AnswerAudioFormat | None = None
        self._parsers: dict[str, Callable[[dict[str, Any]], AgentPiece | None]] = {
            "text": self._text_piece,
            "audio": self._audio_piece,
            "citation": self._citation_piece,
            "transcript": self._transcript_piece,
            "done": self._mark_done,
            "error": self._raise_failure,
        }

    def feed(self, data: bytes) -> Iterator[AgentPiece]:
        """Yield the pieces that these bytes complete. Nothing is yielded after `done`. Raises AgentFailed."""
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise AgentFailed(AgentCode.TOO_MUCH)
        start = 0
        while not self.done and (end := data.find(b"\n", start)) >= 0:
            self._append_to_line(data[start:end])
            line, self._partial_line = bytes(self._partial_line), bytearray()
            self.lines += 1
            start = end + 1
            if (piece := self._parse_line(line)) is not None:
                yield piece
        if not self.done:
            self._append_to_line(data[start:])

    def _append_to_line(self, part: bytes) -> None:
        if len(self._partial_line) + len(part) > MAX_LINE:
            raise AgentFailed(AgentCode.TOO_MUCH)
        self._partial_line += part

    def _parse_line(self, line: bytes) -> AgentPiece | None:
        line = line.strip()
        if not line or line.startswith(_EVENT_FIELDS):
            return None
        message = _parse_json(line.removeprefix(_DATA))
        if not isinstance(message, dict):
            _raise_malformed()
        if "type" not in message and isinstance(message.get("error"), str):
            raise AgentFailed(AgentCode.FAILED)
        kind = message.get("type")
        if not isinstance(kind, str):
            _raise_malformed()
        parser = self._parsers.get(kind)
        return None if parser is None else parser(message)

    def _text_piece(self, message: dict[str, Any]) -> AgentPiece | None:
        text = remove_hidden_characters(self._counted_text(message, "text"))
        return AgentTextPiece(text) if text else None

    def _transcript_piece(self, message: dict[str, Any]) -> AgentPiece | None:
        return AgentTranscriptPiece(remove_hidden_characters(self._counted_text(message, "text")))

    def _audio_piece(self, message: dict[str, Any]) -> AgentPiece | None:
        audio = _decode_base64(message.get("audio"))
        kind = next((audio_format for audio_format in AnswerAudioFormat if audio_format == message.get("format")), None)
        if audio is None or kind is None or self._format not in {None, kind}:
            _raise_malformed()
        self._format = kind
        self._audio_bytes += len(audio)
        if self._audio_bytes > MAX_AUDIO:
            raise AgentFailed(AgentCode.TOO_MUCH)
        return AgentAudioPiece(audio, kind) if audio else None

    def _citation_piece(self, message: dict[str, Any]) -> AgentPiece | None:
        start, end = message.get("startMs"), message.get("endMs")
        # Not isinstance, because Python's True and False are integers too.
        if type(start) is not int or type(end) is not int:
            _raise_malformed()
        quote = remove_hidden_characters(self._counted_text(message, "quote"))
        if not 0 <= start < end <= self._duration_ms:
            self.dropped_citations += 1
            return None
        self._citations += 1
        if self._citations > MAX_CITATIONS:
            raise AgentFailed(AgentCode.TOO_MUCH)
        return AgentCitationPiece(start, end, quote)

    def _mark_done(self, _: dict[str, Any]) -> None:
        self.done = True

    def _raise_failure(self, message: dict[str, Any]) -> NoReturn:
        code = next((agent_code for agent_code in AGENT_CODES if agent_code == message.get("code")), AgentCode.FAILED)
        retryable = message.get("retryable")
        raise AgentFailed(code, retryable=retryable if isinstance(retryable, bool) else None)

    def _counted_text(self, message: dict[str, Any], name: str) -> str:
        text = message.get(name)
        length = _utf8_length(text) if isinstance(text, str) else None
        if not isinstance(text, str) or length is None:
            _raise_malformed()
        self._text_bytes += length
        if self._text_bytes > MAX_TEXT:
            raise AgentFailed(AgentCode.TOO_MUCH)
        return text


def _raise_malformed() -> NoReturn:
    raise AgentFailed(AgentCode.MALFORMED)


def _parse_json(line: bytes) -> object:
    """Return the JSON value of a line, or None if the line is not JSON.

    The decoder's exceptions contain the line, so they are not passed on.
    """
    try:
        # The protocol requires UTF-8. Given bytes, json.loads would accept UTF-16 too.
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _decode_base64(audio: object) -> bytes | None:
    try:
        return base64.b64decode(audio, validate=True) if isinstance(audio, str) else None
    except (ValueError, binascii.Error):
        return None


def _utf8_length(text: str) -> int | None:
    """Return the length in UTF-8, or None for a text with a lone surrogate, which cannot be encoded and sent."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
