"""What the agent's worker rests on, as it sees it: each is a thin gateway in the cloud and a stand-in in its tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from handlers.common.converse import Model
from handlers.livestream.checking import Checked
from handlers.livestream.prompting import MemoryEvent
from handlers.livestream.windows import WindowMessage


class WindowFailure(StrEnum):
    """Why nothing was found in a window."""

    TRANSCRIPT_GONE = "transcript_gone"
    TRANSCRIPT_UNREADABLE = "transcript_unreadable"
    UNUSABLE_ANSWER = "unusable_answer"
    GUARDRAIL = "guardrail"
    """The guardrail stopped it."""
    FILTERED = "filtered"
    """The model's provider stopped it."""
    TOO_LARGE = "too_large"
    """The window is more than the model can read."""


class Transcripts(Protocol):
    """Where transcripts are."""

    def read(self, key: str, version: str) -> bytes | None:
        """One version of a transcript's object; none where it is not there."""
        ...


class Memory(Protocol):
    """What the agent remembers."""

    def recall(self, actor: str, session: str) -> Sequence[MemoryEvent]:
        """The latest events of a session, the oldest of them first; raises ServiceFailed."""
        ...

    def record(self, actor: str, session: str, window_id: str, asked: str, answered: str) -> None:
        """Records the exchange of a window, once however often it is told; raises ServiceFailed."""
        ...


class Findings(Protocol):
    """Where findings are kept. What is there already stays as it is.

    Of an episode that is gone, or waits for another upload by now, nothing is kept.
    """

    def done(self, window: WindowMessage) -> bool:
        """Whether it is recorded what became of this window, or nothing would be kept of it."""
        ...

    def found(self, window: WindowMessage, found: Checked) -> None:
        """Keeps what was found and that the window is done, both or neither; raises ServiceFailed."""
        ...

    def failed(self, window: WindowMessage, failure: WindowFailure) -> None:
        """Keeps that the window is done, and that nothing came of it; raises ServiceFailed."""
        ...


@dataclass(frozen=True)
class Services:
    """All of them."""

    transcripts: Transcripts
    memory: Memory
    model: Model
    findings: Findings
