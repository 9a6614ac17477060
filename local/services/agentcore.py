"""An agent for this machine: it listens to the lecture and to the question, and answers out of what it has heard.

It speaks the protocol that `handlers/voice_qa/agent_lines.py` describes, with none of its code: whoever talks to it is
checked against somebody else's. It decides who may ask how often, and carries out the faults that a question's words
ask for. It knows nothing that is not in the lecture. It runs in any event loop; where there is no room for more, it
says so.
"""

import asyncio
import base64
import json
import math
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from local.services import bare_http as wire
from local.services.agentcore_answers import Reply, passages, reply, spoken, voice, words_of
from local.services.agentcore_faults import Fault, fault_of
from local.services.agentcore_hearing import Ears, Heard, Unheard
from local.services.tones import Word

PER_MINUTE = 60
"""Questions of one session."""
WINDOW_SECONDS = 60.0
REMEMBERED = 10_000
RETRY_AFTER = 1
WORD_SECONDS = 0.02
"""Between two pieces of an answer."""
SIGN_OF_LIFE_SECONDS = 0.1
_WORDS = re.compile(r"\S+\s*")
_NO_JSON = b'{"type": "text", "text": '


def serve(
    *,
    per_minute: int = PER_MINUTE,
    word_seconds: float = WORD_SECONDS,
    now: Callable[[], float] = time.monotonic,
) -> AbstractAsyncContextManager[int]:
    """Serves while the block lasts, and gives the port."""
    service = _Service(_Rate(per_minute, now), word_seconds)
    return wire.served(service.answer)


@dataclass(frozen=True)
class _Rate:
    """How often each session may ask."""

    per_minute: int
    now: Callable[[], float]
    asked: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def wait(self, session: str) -> int | None:
        """The seconds until it may ask again; none if it may now, and then this counts."""
        at = self.now()
        times = self.asked.setdefault(session, deque())
        self.asked.move_to_end(session)
        if len(self.asked) > REMEMBERED:
            self.asked.popitem(last=False)
        while times and times[0] <= at - WINDOW_SECONDS:
            times.popleft()
        if len(times) >= self.per_minute:
            return max(1, math.ceil(times[0] + WINDOW_SECONDS - at))
        times.append(at)
        return None


@dataclass(frozen=True)
class _Asked:
    """A question, as it came."""

    query_id: str
    session: str
    lecture_url: str
    lecture_format: str
    duration_ms: int
    query: dict[str, Any]
    before: str
    """The question before this one."""


@dataclass(frozen=True)
class _Service:
    rate: _Rate
    word_seconds: float
    ears: Ears = field(default_factory=Ears)
    throttled: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Queries that have been told to come back."""

    async def answer(self, request: wire.Request, writer: asyncio.StreamWriter) -> None:
        match request.method, request.path:
            case "GET", "/ping":
                await wire.respond(writer, HTTPStatus.OK)
            case "POST", "/answer":
                await self._answer(_asked(request.body), writer)
            case _, "/ping" | "/answer":
                raise wire.Refused(HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                raise wire.Refused(HTTPStatus.NOT_FOUND)

    async def _answer(self, asked: _Asked, writer: asyncio.StreamWriter) -> None:
        if (seconds := self.rate.wait(asked.session)) is not None:
            raise wire.Refused(HTTPStatus.TOO_MANY_REQUESTS, seconds)
        try:
            text = await self._understood(asked.query)
        except Unheard:
            raise wire.Refused(HTTPStatus.UNPROCESSABLE_ENTITY) from None
        words = words_of(text)
        fault = fault_of(words)
        if fault is Fault.BROKEN:
            raise wire.Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        if fault is Fault.THROTTLED and self._first_time(asked.query_id):
            raise wire.Refused(HTTPStatus.TOO_MANY_REQUESTS, RETRY_AFTER)
        await wire.begin(writer)
        await _say(writer, {"type": "transcript", "text": text})
        try:
            lecture = passages(await self._hear(asked.lecture_url, asked.lecture_format))
        except Unheard:
            await _say(writer, {"type": "error", "code": "rejected", "retryable": False})
        else:
            lines = await asyncio.to_thread(_lines, reply(lecture, words, words_of(asked.before)), asked.duration_ms)
            await self._stream(writer, lines, fault)
        await wire.end(writer)

    async def _stream(self, writer: asyncio.StreamWriter, lines: list[dict[str, Any]], fault: Fault | None) -> None:
        for at, line in enumerate(lines):
            if at == len(lines) // 2:
                if fault is Fault.DROPPED:
                    writer.transport.abort()
                    return
                if fault is Fault.MALFORMED:
                    await wire.send(writer, _NO_JSON)
                while fault is Fault.ENDLESS:
                    await _say(writer, {"type": "waiting"})
                    await asyncio.sleep(SIGN_OF_LIFE_SECONDS)
            await _say(writer, line)
            await asyncio.sleep(self.word_seconds)

    async def _understood(self, query: dict[str, Any]) -> str:
        if "text" in query:
            return str(query["text"])
        heard = await self._hear(str(query["url"]), str(query["format"]))
        return " ".join(one.text for one in heard if isinstance(one, Word))

    async def _hear(self, url: str, audio_format: str) -> Heard:
        return await asyncio.to_thread(self.ears.hear, url, audio_format)

    def _first_time(self, query_id: str) -> bool:
        if query_id in self.throttled:
            return False
        self.throttled[query_id] = None
        if len(self.throttled) > REMEMBERED:
            self.throttled.popitem(last=False)
        return True


def _asked(body: bytes) -> _Asked:
    """The question in a request; what is missing or of another kind is refused."""
    try:
        message = json.loads(body)
        if message["schemaVersion"] != 1:
            raise wire.Refused(HTTPStatus.BAD_REQUEST)
        lecture, query = message["lecture"], dict(message["query"])
        if not ("text" in query or {"url", "format"} <= query.keys()):
            raise wire.Refused(HTTPStatus.BAD_REQUEST)
        return _Asked(
            query_id=str(message["queryId"]),
            session=str(message["sessionId"]),
            lecture_url=str(lecture["url"]),
            lecture_format=str(lecture["format"]),
            duration_ms=int(lecture["durationMs"]),
            query=query,
            before=str(message["conversation"][-1]["question"]) if message["conversation"] else "",
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        raise wire.Refused(HTTPStatus.BAD_REQUEST) from None


def _lines(found: Reply, duration_ms: int) -> list[dict[str, Any]]:
    """An answer's lines: its words, its sound in between, and what it rests on."""
    pieces = [{"type": "text", "text": word} for word in _WORDS.findall(found.text)]
    sounds = [
        {"type": "audio", "audio": base64.b64encode(voice(words)).decode(), "format": "ogg-opus"}
        for words in spoken(found.text)
    ]
    cited = [
        {"type": "citation", "startMs": one.start_ms, "endMs": min(one.end_ms, duration_ms), "quote": one.text}
        for one in found.passages
    ]
    step = math.ceil(len(pieces) / max(1, len(sounds)))
    mixed = [
        line
        for at, start in enumerate(range(0, len(pieces), step))
        for line in (*pieces[start : start + step], *sounds[at : at + 1])
    ]
    return [*mixed, *sounds[math.ceil(len(pieces) / step) :], *cited, {"type": "done"}]


async def _say(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    await wire.send(writer, json.dumps(message).encode())
