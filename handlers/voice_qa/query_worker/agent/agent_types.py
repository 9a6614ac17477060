"""What an agent is asked, what it answers, and how that can fail: the same whoever answers.

It decides the types alone. How a question travels is `agent_lines`' business, and for how long one waits for the answer
is `agent_answer`'s. What is said, and where it can be heard, is in no `repr`: neither a question nor a piece of an
answer gets into a log by accident.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self

SESSION_LENGTH = range(33, 257)
"""Characters: what Bedrock AgentCore takes for a session's id."""
MAX_RETRY_AFTER_MS = 300_000
"""Longer than this is nobody told to wait, whatever the peer says."""


class AgentCode(StrEnum):
    """How an answer fails."""

    REFUSED = "refused"
    """The agent may not be talked to, or we may not talk to it."""
    UNAVAILABLE = "unavailable"
    """Nobody answers there now."""
    THROTTLED = "throttled"
    """It has too much to do."""
    FIRST_BYTE_LATE = "first_byte_late"
    """It did not begin in time."""
    TOO_SLOW = "too_slow"
    """It began, and then said nothing for too long, or did not come to an end."""
    BROKEN_OFF = "broken_off"
    """The answer ended before it was done."""
    MALFORMED = "malformed"
    """It does not speak the protocol."""
    TOO_MUCH = "too_much"
    """It said more than an answer may hold."""
    REJECTED = "rejected"
    """It cannot do anything with this question."""
    FAILED = "failed"
    """It failed."""


LASTING = frozenset([AgentCode.REFUSED, AgentCode.MALFORMED, AgentCode.TOO_MUCH, AgentCode.REJECTED])
"""Asking the same again is of no use, unless the agent itself says so."""


class AgentFailed(Exception):
    """There is no whole answer; pieces that came before it stand."""

    def __init__(self, code: AgentCode, *, retryable: bool | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.retryable = code not in LASTING if retryable is None else retryable
        self.retry_after_ms = None if retry_after_ms is None else min(retry_after_ms, MAX_RETRY_AFTER_MS)


@dataclass(frozen=True)
class Lecture:
    """What the question is about."""

    lecture_id: str
    url: str = field(repr=False)
    """Presigned: whoever has it can fetch the audio."""
    format: str
    duration_ms: int


@dataclass(frozen=True)
class SpokenQuery:
    """A question as audio."""

    url: str = field(repr=False)
    format: str


@dataclass(frozen=True)
class WrittenQuery:
    """A question as text."""

    text: str = field(repr=False)


@dataclass(frozen=True)
class Turn:
    """A question of before, and what was answered."""

    question: str = field(repr=False)
    answer: str = field(repr=False)


@dataclass(frozen=True)
class AgentQuestion:
    """All that an agent is told."""

    query_id: str
    session_id: str
    """Opaque, the same for all of a session's questions, and nobody else's: as `opaque` makes it."""
    lecture: Lecture
    query: SpokenQuery | WrittenQuery
    conversation: tuple[Turn, ...] = ()
    language: str = "en-US"

    def __post_init__(self) -> None:
        """Refuses an id that an agent could not take."""
        if len(self.session_id) not in SESSION_LENGTH:
            raise ValueError("an agent's session has an id of 33 to 256 characters")


def opaque_session_id(session_id: str) -> str:
    """A session's id as agents get it: it says nothing about who asks."""
    return hashlib.sha256(session_id.encode()).hexdigest()


class AnswerAudioFormat(StrEnum):
    """How an answer sounds."""

    OGG_OPUS = "ogg-opus"
    MP3 = "mp3"


@dataclass(frozen=True)
class AgentTextPiece:
    """More of the answer's text; the pieces joined are the text."""

    text: str = field(repr=False)


@dataclass(frozen=True)
class AgentAudioPiece:
    """More of the answer's audio: playable alone, and the pieces joined are playable too."""

    audio: bytes = field(repr=False)
    format: AnswerAudioFormat


@dataclass(frozen=True)
class AgentCitationPiece:
    """Where in the lecture it is said; it lies within."""

    start_ms: int
    end_ms: int
    quote: str = field(repr=False)


@dataclass(frozen=True)
class AgentTranscriptPiece:
    """What was understood of the question; a later one stands for an earlier one."""

    text: str = field(repr=False)


AgentPiece = AgentTextPiece | AgentAudioPiece | AgentCitationPiece | AgentTranscriptPiece


class AgentAnswer(ABC):
    """An answer while it is made. Leaving its block lets go of it, whatever state it is in."""

    @property
    @abstractmethod
    def dropped_citations(self) -> int:
        """How many citations pointed out of the lecture so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def __iter__(self) -> Iterator[AgentPiece]:
        """Yield the pieces as they come. Raises AgentFailed if the answer does not reach its end."""

    @abstractmethod
    def close(self) -> None:
        """End the answer where it stands."""


class Agent(Protocol):
    """Whoever answers."""

    def answer(self, question: AgentQuestion) -> AgentAnswer:
        """Asks, and waits until the answer begins; raises AgentFailed if it does not."""
