"""Types that the clients of all kinds of agents share: the question, the pieces of an answer, and the codes of failures.

The agent is the external service that answers questions: an HTTP service or Bedrock AgentCore Runtime. Texts, audio and
URLs are excluded from every `repr`, so that no question and no piece of an answer gets into a log by accident.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self


class AgentCode(StrEnum):
    """Reasons why there is no complete answer. They are logged."""

    NO_ACCESS = "refused"
    """The agent answers none of our questions: it denies access, does not exist, redirects us, or has an invalid
    certificate."""
    UNAVAILABLE = "unavailable"
    """The agent could not be reached, ended the connection before its answer began, or reports that it is unavailable."""
    THROTTLED = "throttled"
    """The agent is overloaded."""
    FIRST_BYTE_LATE = "first_byte_late"
    """The answer did not start in time."""
    TOO_SLOW = "too_slow"
    """The answer started, but paused too long or did not end in time."""
    BROKEN_OFF = "broken_off"
    """The connection ended before the answer was complete."""
    MALFORMED = "malformed"
    """The response violates the protocol."""
    TOO_MUCH = "too_much"
    """The answer exceeds a size limit."""
    QUESTION_REJECTED = "rejected"
    """The agent does not accept this question, but may accept others."""
    FAILED = "failed"
    """The agent could not answer because of an error of its own."""


LASTING_FAILURES = frozenset(
    [AgentCode.NO_ACCESS, AgentCode.MALFORMED, AgentCode.TOO_MUCH, AgentCode.QUESTION_REJECTED]
)
"""Failures after which asking again does not help, unless the agent states that it helps."""


class AgentFailed(Exception):
    """The answer is not complete. Pieces that were received remain valid."""

    def __init__(self, code: AgentCode, *, retryable: bool | None = None) -> None:
        """`retryable` states if asking again may help. If it is None, the code decides."""
        super().__init__(code.value)
        self.code = code
        self.retryable = code not in LASTING_FAILURES if retryable is None else retryable


@dataclass(frozen=True)
class Lecture:
    lecture_id: str
    url: str = field(repr=False)
    """Presigned URL with which anyone can fetch the audio."""
    format: str
    """Name of the audio format, such as mp3."""
    duration_ms: int


@dataclass(frozen=True)
class SpokenQuery:
    url: str = field(repr=False)
    """Presigned URL with which anyone can fetch the audio."""
    format: str
    """Name of the audio format, such as webm."""


@dataclass(frozen=True)
class WrittenQuery:
    text: str = field(repr=False)


@dataclass(frozen=True)
class Turn:
    """A turn of the conversation: an earlier question and its answer."""

    question: str = field(repr=False)
    answer: str = field(repr=False)


@dataclass(frozen=True)
class AgentQuestion:
    """A question with its context, as an agent gets it."""

    query_id: str
    session_id: str
    """Id of the conversation for the agent. `opaque_session_id` creates it."""
    lecture: Lecture
    query: SpokenQuery | WrittenQuery
    conversation: tuple[Turn, ...] = ()
    language: str = "en-US"


def opaque_session_id(session_id: str) -> str:
    """Return the hash that agents get instead of a conversation's id.

    The conversation's id contains the id of the guest (the user who asks), which agents must not know. The hash has 64
    characters. Bedrock AgentCore accepts session ids of 33 to 256 characters.
    """
    return hashlib.sha256(session_id.encode()).hexdigest()


class AnswerAudioFormat(StrEnum):
    """Format of a spoken answer."""

    OGG_OPUS = "ogg-opus"
    MP3 = "mp3"


@dataclass(frozen=True)
class AgentTextPiece:
    """The next part of the answer's text. The joined pieces are the text."""

    text: str = field(repr=False)


@dataclass(frozen=True)
class AgentAudioPiece:
    """The next part of the spoken answer. Each piece can be played alone, and the joined pieces can be played too."""

    audio: bytes = field(repr=False)
    format: AnswerAudioFormat


@dataclass(frozen=True)
class AgentCitationPiece:
    """The section of the lecture that supports the answer. Citations outside the lecture were dropped."""

    start_ms: int
    end_ms: int
    quote: str = field(repr=False)


@dataclass(frozen=True)
class AgentTranscriptPiece:
    """The agent's transcript of the question. It replaces an earlier one."""

    text: str = field(repr=False)


AgentPiece = AgentTextPiece | AgentAudioPiece | AgentCitationPiece | AgentTranscriptPiece


class AgentAnswer(ABC):
    """An answer that is still arriving. It is a context manager, which closes the answer at the end of its block."""

    @property
    @abstractmethod
    def dropped_citations(self) -> int:
        """Number of citations so far that lie outside the lecture."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def __iter__(self) -> Iterator[AgentPiece]:
        """Yield the pieces as they arrive. Raises AgentFailed if the answer is not complete."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection to the agent, also if the answer is not complete."""


class Agent(Protocol):
    """A service that answers questions."""

    def answer(self, question: AgentQuestion) -> AgentAnswer:
        """Send the question. Return the answer after it has started. Raises AgentFailed."""
