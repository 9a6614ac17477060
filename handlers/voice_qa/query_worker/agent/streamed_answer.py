"""Asks an agent, waits for the answer's first byte, and reads the answer as it comes.

Before the first byte, what may pass by itself is tried again a few times; after it, nothing is. All attempts and the
pauses between them share one limit. A pause grows with each attempt and has a random length, so that callers that failed
together do not come back together. What the agent asks for by `Retry-After` comes on top, if there is time for it.

After the first byte, there are limits for the silence between two lines and for the whole answer. The silence is the
agent's alone: the time that the caller takes for a piece only counts for the whole. An answer is whole when the agent
says so, never because the connection has ended.
"""

import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from handlers.common.aws.retry import Timing
from handlers.voice_qa.query_worker.agent.agent_protocol import AnswerReader
from handlers.voice_qa.query_worker.agent.agent_types import AgentAnswer, AgentCode, AgentFailed, AgentPiece
from handlers.voice_qa.query_worker.agent.http_connection import (
    HostUnreachable,
    HttpExchange,
    HttpRequest,
    MalformedResponse,
    TruncatedBody,
)

MAX_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
_MAX_DIGITS = 6
"""Of a Retry-After: eleven days."""


@dataclass(frozen=True)
class AnswerLimits:
    """How long one waits."""

    connect_seconds: float = 2.0
    first_byte_seconds: float = 10.0
    """From the question to the answer's first byte, with all attempts and the pauses between them."""
    silence_seconds: float = 20.0
    """From one line to the next."""
    answer_seconds: float = 600.0
    """From the question to the answer's end."""


@dataclass(frozen=True)
class ResponseVerdict:
    """What a response that is no answer means."""

    code: AgentCode
    passes: bool = False
    """Whether it may be different in a moment."""
    after_seconds: int = 0
    """What the agent asks to wait for, at least."""


class StreamedAnswer(AgentAnswer):
    """An answer that has begun."""

    def __init__(
        self,
        body: HttpExchange,
        begun: bytes,
        *,
        reader: AnswerReader,
        limits: AnswerLimits,
        asked_at: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`begun` is what has been read of it already."""
        self._body = body
        self._reader = reader
        self._silence_seconds = limits.silence_seconds
        self._end = asked_at + limits.answer_seconds
        self._now = now
        self._pieces = self._read(begun)

    @property
    def dropped_citations(self) -> int:
        return self._reader.dropped_citations

    def __iter__(self) -> Iterator[AgentPiece]:
        return self._pieces

    def close(self) -> None:
        self._pieces.close()
        self._body.close()

    def _read(self, data: bytes) -> Generator[AgentPiece, None, None]:
        try:
            quiet_until = self._now() + self._silence_seconds
            while not self._reader.done:
                lines = self._reader.lines
                for piece in self._reader.feed(data):
                    yield piece
                    if self._now() >= self._end:
                        raise AgentFailed(AgentCode.TOO_SLOW)
                if self._reader.lines > lines:
                    quiet_until = self._now() + self._silence_seconds
                if not self._reader.done:
                    data = self._more(min(quiet_until, self._end))
        finally:
            self._body.close()

    def _more(self, deadline: float) -> bytes:
        try:
            data = self._body.read(deadline)
        except TimeoutError:
            code = AgentCode.TOO_SLOW
        except MalformedResponse:
            code = AgentCode.MALFORMED
        except (OSError, TruncatedBody):
            code = AgentCode.BROKEN_OFF
        else:
            if data:
                return data
            code = AgentCode.BROKEN_OFF
        raise AgentFailed(code)


def start_answer(
    request: Callable[[], HttpRequest],
    verdicts: Mapping[int, ResponseVerdict],
    duration_ms: int,
    limits: AnswerLimits,
    timing: Timing,
) -> StreamedAnswer:
    """Return an answer whose first byte has come. Raises AgentFailed.

    `request` makes the question for one attempt; `verdicts` says what a status means; `duration_ms` is the lecture's.
    """
    asked_at = timing.now()
    deadline = asked_at + limits.first_byte_seconds
    attempt = 0
    while True:
        outcome = _attempt(request, verdicts, limits, deadline, timing.now)
        if not isinstance(outcome, ResponseVerdict):
            exchange, data = outcome
            reader = AnswerReader(duration_ms)
            return StreamedAnswer(exchange, data, reader=reader, limits=limits, asked_at=asked_at, now=timing.now)
        attempt += 1
        pause = outcome.after_seconds + timing.share() * min(
            LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
        )
        if not outcome.passes or attempt == MAX_ATTEMPTS or timing.now() + pause >= deadline:
            raise AgentFailed(outcome.code, retry_after_ms=outcome.after_seconds * 1000 or None)
        timing.wait(pause)


def _verdict(status: int, known: Mapping[int, ResponseVerdict]) -> ResponseVerdict:
    """Return the meaning of a status other than 200."""
    if status in known:
        return known[status]
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return ResponseVerdict(AgentCode.REFUSED)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ResponseVerdict(AgentCode.REJECTED)
    return ResponseVerdict(AgentCode.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else AgentCode.MALFORMED)


def _attempt(
    request: Callable[[], HttpRequest],
    verdicts: Mapping[int, ResponseVerdict],
    limits: AnswerLimits,
    deadline: float,
    now: Callable[[], float],
) -> tuple[HttpExchange, bytes] | ResponseVerdict:
    exchange: HttpExchange | None = None
    try:
        exchange = HttpExchange.begin(request(), limits.connect_seconds, deadline, now)
        outcome = _first(exchange, verdicts, deadline)
    except TimeoutError:
        outcome = ResponseVerdict(AgentCode.FIRST_BYTE_LATE)
    except ssl.SSLCertVerificationError:
        outcome = ResponseVerdict(AgentCode.REFUSED)
    except MalformedResponse:
        outcome = ResponseVerdict(AgentCode.MALFORMED)
    except (OSError, TruncatedBody, HostUnreachable):
        outcome = ResponseVerdict(AgentCode.UNAVAILABLE, passes=True)
    if exchange is not None and isinstance(outcome, ResponseVerdict):
        exchange.close()
    return outcome


def _first(
    exchange: HttpExchange, verdicts: Mapping[int, ResponseVerdict], deadline: float
) -> tuple[HttpExchange, bytes] | ResponseVerdict:
    if exchange.status != HTTPStatus.OK:
        return replace(_verdict(exchange.status, verdicts), after_seconds=_after(exchange.header("Retry-After")))
    if (exchange.header("Content-Encoding") or "identity").lower() != "identity":
        # We said that we take none: whoever packs an answer anyhow may have packed any amount of it.
        return ResponseVerdict(AgentCode.MALFORMED)
    data = exchange.read(deadline)
    return (exchange, data) if data else ResponseVerdict(AgentCode.UNAVAILABLE, passes=True)


def _after(header: str | None) -> int:
    """Seconds; a date says nothing, because nobody knows whose clock it is by."""
    told = (header or "").strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) <= _MAX_DIGITS else 0
