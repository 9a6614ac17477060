"""A transcript cut into windows, each small enough for a model to read at once. Pure.

The windows' cores divide the transcript; each window also has the cues that follow its core, up to an overlap. So
whatever begins in a core, and is no longer than the overlap, stands whole in that core's window, and is that window's
alone. The last window is the first one that reaches the end: all of it is core.

What goes through the queue names a window and says nothing of it: whoever works on it reads the transcript again.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from handlers.common.messages import Message
from handlers.livestream.cues import Cue
from handlers.livestream.models import EpisodeId
from handlers.livestream.prefixes import TRANSCRIPTS

MAX_WINDOWS = 50_000
Owner = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]


class WindowMessage(Message):
    """One window that is to be worked on, as it goes through the queue."""

    schema_version: Literal[1] = 1
    owner: Owner
    episode_id: EpisodeId
    transcript_key: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    transcript_version: Annotated[str, Field(min_length=1, max_length=1024)]
    index: Annotated[int, Field(ge=0, lt=MAX_WINDOWS)]
    count: Annotated[int, Field(ge=1, le=MAX_WINDOWS)]

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.index >= self.count:
            raise ValueError("the index is one of the count")
        if not self.transcript_key.startswith(f"{TRANSCRIPTS}{self.owner}/{self.episode_id}/"):
            raise ValueError("the transcript is the episode's own")
        return self

    @property
    def window_id(self) -> str:
        """The window's name: the same transcript's same window has the same, whenever it is cut."""
        natural = "\n".join([self.transcript_key, self.transcript_version, str(self.index)])
        return hashlib.sha256(natural.encode()).hexdigest()[:32]

    @property
    def upload_id(self) -> str:
        """The upload that the transcript came with: its object is named after it."""
        return self.transcript_key.rpartition("/")[2].partition(".")[0]


@dataclass(frozen=True)
class Sizes:
    """How large windows are."""

    characters: int
    """Of a core, at most, unless one cue alone has more."""
    milliseconds: int
    """Of a core, at most, unless one cue alone is longer."""
    overlap_characters: int


@dataclass(frozen=True)
class Window:
    """Some of a transcript's cues, in their order."""

    index: int
    first: int
    """The number of its first cue in the transcript."""
    core: int
    """How many of its cues no other window has in its core; they come first."""
    cues: tuple[Cue, ...] = field(repr=False)

    @property
    def start_ms(self) -> int:
        """When its first cue begins."""
        return self.cues[0].start_ms

    @property
    def end_ms(self) -> int:
        """When the last one of its cues ends, whichever that is."""
        return max(cue.end_ms for cue in self.cues)

    def own(self, start_ms: int) -> bool:
        """Whether what begins then begins in its core."""
        return self.core == len(self.cues) or start_ms < self.cues[self.core].start_ms


def windows(cues: Sequence[Cue], sizes: Sizes) -> tuple[Window, ...]:
    """All windows of a transcript; a transcript has at least one cue."""
    return tuple(_cut(cues, sizes))


def messages(
    owner: str, episode_id: str, transcript_key: str, transcript_version: str, count: int
) -> tuple[WindowMessage, ...]:
    """What the queue gets for a transcript of so many windows."""
    return tuple(
        WindowMessage(
            owner=owner,
            episode_id=episode_id,
            transcript_key=transcript_key,
            transcript_version=transcript_version,
            index=index,
            count=count,
        )
        for index in range(count)
    )


def _cut(cues: Sequence[Cue], sizes: Sizes) -> Iterator[Window]:
    first = index = 0
    while first < len(cues):
        core = _core_end(cues, first, sizes)
        end = _overlap_end(cues, core, sizes.overlap_characters)
        last = end == len(cues)
        yield Window(index, first, (end if last else core) - first, tuple(cues[first:end]))
        if last:
            return
        first, index = core, index + 1


def _core_end(cues: Sequence[Cue], first: int, sizes: Sizes) -> int:
    characters = len(cues[first].text)
    at = first + 1
    while at < len(cues):
        characters += len(cues[at].text)
        if characters > sizes.characters or cues[at].end_ms - cues[first].start_ms > sizes.milliseconds:
            break
        at += 1
    return at


def _overlap_end(cues: Sequence[Cue], core: int, overlap: int) -> int:
    """Where the cues end that follow a core: the one that crosses the overlap's length is among them."""
    characters = 0
    at = core
    while at < len(cues) and characters < overlap:
        characters += len(cues[at].text)
        at += 1
    return at
