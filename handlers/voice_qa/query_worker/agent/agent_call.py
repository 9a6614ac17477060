"""One call to the agent, the external service that answers questions. The call sends a question, and reads the answer
while it arrives.

Until the first byte of the answer has arrived, transient failures are retried up to three times. All tries and the
pauses between them share one time limit. The maximum pause grows with each try. The actual pause is a random share of
it, so that callers which failed together do not retry together. The seconds in the agent's `Retry-After` header are
added to the pause. If the pause would end after the time limit, the call fails at once.

After the first byte, nothing is retried. The agent sends an answer as lines. The time between two lines and the time
for the whole answer are limited. While the caller processes a piece of the answer, only the time for the whole answer
continues. An answer is complete when the agent sends `done`. If the connection ends before, the
answer has failed.
"""

import random
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from handlers.voice_qa.query_worker.agent.agent_protocol import AnswerReader
from handlers.voice_qa.query_worker.agent.agent_types import AgentAnswer, AgentCode, AgentFailed, AgentPiece
from handlers.voice_qa.query_worker.agent.http_connection import (
    HostUnreachable,
    HttpExchange,
    HttpRequest,
    MalformedResponse,
    TruncatedBody,
)

MAX_TRIES = 4
"""Maximum number of tries in one call: the first one and three retries."""
FIRST_PAUSE_SECONDS = 0.2
"""Maximum pause after the first try. It doubles with each try. The seconds of `Retry-After` are added to a pause."""
_MAX_RETRY_AFTER_DIGITS = 6
"""Maximum number of digits in a `Retry-After` header. A longer number is ignored."""


@dataclass(frozen=True)
class RetryTiming:
    """Clock, sleep function and source of random numbers."""

    now: Callable[[], float] = time.monotonic
    """Return the time in seconds."""
    wait: Callable[[float], None] = time.sleep
    """Sleep for a number of seconds."""
    share: Callable[[], float] = random.random
    """Return a random number from 0 to 1, by which the random part of a pause is multiplied."""


@dataclass(frozen=True)
class AnswerLimits:
    connect_seconds: float = 2.0
    """Time for connecting to the agent, for each try."""
    first_byte_seconds: float = 10.0
    """Time from the question to the first byte of the answer, including all tries and the pauses between them."""
    silence_seconds: float = 20.0
    """Time between two lines of the answer."""
    answer_seconds: float = 600.0
    """Time from the question to the end of the answer."""


@dataclass(frozen=True)
class ResponseVerdict:
    """Meaning of a failure, or of a response that is not an answer."""

    code: AgentCode
    retryable: bool = False
    """True if a retry may succeed."""
    retry_after_seconds: int = 0
    """Time to wait before a retry, as the agent's `Retry-After` header states it, or 0."""


class StreamedAnswer(AgentAnswer):
    """An answer whose first byte has arrived."""

    def __init__(
        self,
        exchange: HttpExchange,
        first_bytes: bytes,
        *,
        reader: AnswerReader,
        limits: AnswerLimits,
        asked_at: float,
        now: Callable[[], float],
    ) -> None:
        """`first_bytes` are the bytes of the body that were already read. `asked_at` is a time on the clock `now`."""
        self._exchange = exchange
        self._reader = reader
        self._silence_seconds = limits.silence_seconds
        self._ends_at = asked_at + limits.answer_seconds
        self._now = now
        self._pieces = self._read(first_bytes)

    @property
    def dropped_citations(self) -> int:
        return self._reader.dropped_citations

    def __iter__(self) -> Iterator[AgentPiece]:
        return self._pieces

    def close(self) -> None:
        self._pieces.close()
        self._exchange.close()

    def _read(self, data: bytes) -> Generator[AgentPiece, None, None]:
        try:
            quiet_until = self._now() + self._silence_seconds
            while not self._reader.done:
                lines = self._reader.lines
                for piece in self._reader.feed(data):
                    yield piece
                    if self._now() >= self._ends_at:
                        raise AgentFailed(AgentCode.TOO_SLOW)
                if self._reader.lines > lines:
                    quiet_until = self._now() + self._silence_seconds
                if not self._reader.done:
                    data = self._read_more(min(quiet_until, self._ends_at))
        finally:
            self._exchange.close()

    def _read_more(self, deadline: float) -> bytes:
        try:
            data = self._exchange.read(deadline)
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
    create_request: Callable[[], HttpRequest],
    verdicts: Mapping[int, ResponseVerdict],
    duration_ms: int,
    limits: AnswerLimits,
    timing: RetryTiming,
) -> StreamedAnswer:
    """Return an answer whose first byte has arrived. Raises AgentFailed.

    `create_request` is called for each try, so that each request can have a new signature. `verdicts` contains the
    meanings of HTTP statuses. The meaning of any other status depends only on its first digit. `duration_ms` is the
    duration of the lecture.
    """
    asked_at = timing.now()
    deadline = asked_at + limits.first_byte_seconds
    tries = 0
    while True:
        outcome = _try_request(create_request, verdicts, limits, deadline, timing.now)
        if not isinstance(outcome, ResponseVerdict):
            exchange, data = outcome
            reader = AnswerReader(duration_ms)
            return StreamedAnswer(exchange, data, reader=reader, limits=limits, asked_at=asked_at, now=timing.now)
        tries += 1
        pause = outcome.retry_after_seconds + timing.share() * FIRST_PAUSE_SECONDS * 2 ** (tries - 1)
        if not outcome.retryable or tries == MAX_TRIES or timing.now() + pause >= deadline:
            raise AgentFailed(outcome.code)
        timing.wait(pause)


def _judge_status(status: int, verdicts: Mapping[int, ResponseVerdict]) -> ResponseVerdict:
    """Return the meaning of a status other than 200."""
    if status in verdicts:
        return verdicts[status]
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return ResponseVerdict(AgentCode.NO_ACCESS)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ResponseVerdict(AgentCode.QUESTION_REJECTED)
    return ResponseVerdict(AgentCode.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else AgentCode.MALFORMED)


def _try_request(
    create_request: Callable[[], HttpRequest],
    verdicts: Mapping[int, ResponseVerdict],
    limits: AnswerLimits,
    deadline: float,
    now: Callable[[], float],
) -> tuple[HttpExchange, bytes] | ResponseVerdict:
    """Send one request. Return the exchange with the first bytes of the answer, or the meaning of the failure."""
    exchange: HttpExchange | None = None
    try:
        exchange = HttpExchange.start(create_request(), limits.connect_seconds, deadline, now)
        outcome = _read_first_bytes(exchange, verdicts, deadline)
    except TimeoutError:
        outcome = ResponseVerdict(AgentCode.FIRST_BYTE_LATE)
    except ssl.SSLCertVerificationError:
        outcome = ResponseVerdict(AgentCode.NO_ACCESS)
    except MalformedResponse:
        outcome = ResponseVerdict(AgentCode.MALFORMED)
    except (OSError, TruncatedBody, HostUnreachable):
        outcome = ResponseVerdict(AgentCode.UNAVAILABLE, retryable=True)
    if exchange is not None and isinstance(outcome, ResponseVerdict):
        exchange.close()
    return outcome


def _read_first_bytes(
    exchange: HttpExchange, verdicts: Mapping[int, ResponseVerdict], deadline: float
) -> tuple[HttpExchange, bytes] | ResponseVerdict:
    if exchange.status != HTTPStatus.OK:
        return replace(
            _judge_status(exchange.status, verdicts),
            retry_after_seconds=_retry_after_seconds(exchange.header("Retry-After")),
        )
    if (exchange.header("Content-Encoding") or "identity").lower() != "identity":
        # The request accepts no encoding. A body that is compressed anyway could have any size when it is decompressed.
        return ResponseVerdict(AgentCode.MALFORMED)
    data = exchange.read(deadline)
    return (exchange, data) if data else ResponseVerdict(AgentCode.UNAVAILABLE, retryable=True)


def _retry_after_seconds(header: str | None) -> int:
    """Return the seconds of a `Retry-After` header. A date counts as 0, because the clocks may differ."""
    value = (header or "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_AFTER_DIGITS else 0
