"""An answer on its way: reads it as it comes, and says when it is over, however that happens.

It decides how long one waits for the next line and for the end. The silence between two lines is the agent's alone: the
time that the caller takes for a piece does not count as such, but it does count for the whole. An answer is whole when
the agent says so, never because the connection has ended.
"""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from handlers.voice_qa.agent import AgentCode, AgentFailed, Piece
from handlers.voice_qa.agent_connection import Cut, Malformed
from handlers.voice_qa.agent_lines import Reader


@dataclass(frozen=True)
class Limits:
    """How long one waits."""

    connect_seconds: float = 2.0
    first_byte_seconds: float = 10.0
    """From the question to the answer's first byte, with all attempts and the pauses between them."""
    silence_seconds: float = 20.0
    """From one line to the next."""
    answer_seconds: float = 600.0
    """From the question to the answer's end."""


class Body(Protocol):
    """Where an answer's bytes come from: an `Exchange`."""

    def read(self, deadline: float) -> bytes:
        """What has come, at least a byte; none at the end. Raises OSError, Malformed or Cut."""

    def close(self) -> None:
        """Lets go of it."""


class StreamedAnswer:
    """An answer that has begun."""

    def __init__(
        self,
        body: Body,
        begun: bytes,
        *,
        reader: Reader,
        limits: Limits,
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
        """How many citations pointed out of the lecture so far."""
        return self._reader.dropped_citations

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Piece]:
        return self._pieces

    def close(self) -> None:
        """Ends it where it stands, if it still does."""
        self._pieces.close()
        self._body.close()

    def _read(self, data: bytes) -> Generator[Piece, None, None]:
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
        except Malformed:
            code = AgentCode.MALFORMED
        except (OSError, Cut):
            code = AgentCode.BROKEN_OFF
        else:
            if data:
                return data
            code = AgentCode.BROKEN_OFF
        raise AgentFailed(code)
