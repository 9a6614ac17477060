"""Asks until the answer's first byte is there, a few times if need be, and never again after it.

It decides what may pass by itself, how long one waits in between, and when it is too late. All attempts and all pauses
share one limit. A pause grows with each attempt and has a random length, so that those who failed together do not come
back together; what the agent asks for by `Retry-After` comes on top, if there is time for it.
"""

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from handlers.voice_qa.agent import AgentCode, AgentFailed
from handlers.voice_qa.agent_answer import Limits, StreamedAnswer
from handlers.voice_qa.agent_connection import Cut, Exchange, Malformed, Request, Unreachable
from handlers.voice_qa.agent_lines import Reader

MAX_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
_MAX_DIGITS = 6
"""Of a Retry-After: eleven days."""


@dataclass(frozen=True)
class Verdict:
    """What a response that is no answer means."""

    code: AgentCode
    passes: bool = False
    """Whether it may be different in a moment."""


@dataclass(frozen=True)
class Timing:
    """The clock, what waits, and what is random from 0 to 1."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    share: Callable[[], float] = random.random


class Caller(Protocol):
    """Knows how to ask one agent."""

    def request(self) -> Request:
        """The question, for one attempt."""

    def verdict(self, status: int) -> Verdict:
        """What this status means; it is not 200."""


@dataclass(frozen=True)
class _Failure:
    verdict: Verdict
    after_seconds: int = 0
    """What the agent asks to wait for, at least."""

    def error(self) -> AgentFailed:
        return AgentFailed(self.verdict.code, retry_after_ms=self.after_seconds * 1000 or None)


def begun(caller: Caller, duration_ms: int, limits: Limits, timing: Timing) -> StreamedAnswer:
    """An answer whose first byte has come; `duration_ms` is the lecture's. Raises AgentFailed."""
    asked_at = timing.now()
    deadline = asked_at + limits.first_byte_seconds
    attempt = 0
    while True:
        outcome = _attempt(caller, limits, deadline, timing.now)
        if not isinstance(outcome, _Failure):
            exchange, data = outcome
            reader = Reader(duration_ms)
            return StreamedAnswer(exchange, data, reader=reader, limits=limits, asked_at=asked_at, now=timing.now)
        attempt += 1
        pause = outcome.after_seconds + timing.share() * min(
            LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
        )
        if not outcome.verdict.passes or attempt == MAX_ATTEMPTS or timing.now() + pause >= deadline:
            raise outcome.error()
        timing.wait(pause)


def verdict_of(status: int, known: Mapping[int, Verdict]) -> Verdict:
    """What a status means, if it is not among the known."""
    if status in known:
        return known[status]
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Verdict(AgentCode.REFUSED)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict(AgentCode.REJECTED)
    return Verdict(AgentCode.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else AgentCode.MALFORMED)


def _attempt(
    caller: Caller, limits: Limits, deadline: float, now: Callable[[], float]
) -> tuple[Exchange, bytes] | _Failure:
    exchange: Exchange | None = None
    try:
        exchange = Exchange.begin(caller.request(), limits.connect_seconds, deadline, now)
        outcome = _first(exchange, caller, deadline)
    except TimeoutError:
        outcome = _Failure(Verdict(AgentCode.FIRST_BYTE_LATE))
    except ssl.SSLCertVerificationError:
        outcome = _Failure(Verdict(AgentCode.REFUSED))
    except Malformed:
        outcome = _Failure(Verdict(AgentCode.MALFORMED))
    except (OSError, Cut, Unreachable):
        outcome = _Failure(Verdict(AgentCode.UNAVAILABLE, passes=True))
    if exchange is not None and isinstance(outcome, _Failure):
        exchange.close()
    return outcome


def _first(exchange: Exchange, caller: Caller, deadline: float) -> tuple[Exchange, bytes] | _Failure:
    if exchange.status != HTTPStatus.OK:
        return _Failure(caller.verdict(exchange.status), _after(exchange.header("Retry-After")))
    if (exchange.header("Content-Encoding") or "identity").lower() != "identity":
        # We said that we take none: whoever packs an answer anyhow may have packed any amount of it.
        return _Failure(Verdict(AgentCode.MALFORMED))
    data = exchange.read(deadline)
    return (exchange, data) if data else _Failure(Verdict(AgentCode.UNAVAILABLE, passes=True))


def _after(header: str | None) -> int:
    """Seconds; a date says nothing, because nobody knows whose clock it is by."""
    told = (header or "").strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) <= _MAX_DIGITS else 0
