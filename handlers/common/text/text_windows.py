"""A transcript cut into windows, each small enough for a model to read at once. Pure.

The windows' cores divide the transcript; each window also has the passages that follow its core, up to an overlap. So
whatever begins in a core, and is no longer than the overlap, stands whole in that core's window, and is that window's
alone. The last window is the first one that reaches the end: all of it is core.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from handlers.common.text.passages import Passage

P = TypeVar("P", bound=Passage)


@dataclass(frozen=True)
class Sizes:
    """How large windows are."""

    characters: int
    """Of a core, at most, unless one passage alone has more."""
    milliseconds: int
    """From where a core begins to where its last passage begins, at most. How long passages last says nothing: those
    that all last a day would be a window each."""
    overlap_characters: int


@dataclass(frozen=True)
class Window(Generic[P]):
    """Some of a transcript's passages, in their order."""

    index: int
    first: int
    """The number of its first passage in the transcript."""
    core: int
    """How many of its passages no other window has in its core; they come first."""
    passages: tuple[P, ...] = field(repr=False)

    @property
    def start_ms(self) -> int:
        """When its first passage begins."""
        return self.passages[0].start_ms

    @property
    def end_ms(self) -> int:
        """When the last one of its passages ends, whichever that is."""
        return max(one.end_ms for one in self.passages)

    def own(self, start_ms: int) -> bool:
        """Whether what begins then begins in its core."""
        return self.core == len(self.passages) or start_ms < self.passages[self.core].start_ms


def windows(passages: Sequence[P], sizes: Sizes) -> tuple[Window[P], ...]:
    """All windows of a transcript, which has at least one passage, and whose passages are in order.

    Beyond the first there are no more than its length has times the milliseconds, and twice its characters theirs.
    """
    return tuple(_cut(passages, sizes))


def _cut(passages: Sequence[P], sizes: Sizes) -> Iterator[Window[P]]:
    first = index = 0
    while first < len(passages):
        core = _core_end(passages, first, sizes)
        end = _overlap_end(passages, core, sizes.overlap_characters)
        last = end == len(passages)
        yield Window(index, first, (end if last else core) - first, tuple(passages[first:end]))
        if last:
            return
        first, index = core, index + 1


def _core_end(passages: Sequence[P], first: int, sizes: Sizes) -> int:
    characters = len(passages[first].text)
    at = first + 1
    while at < len(passages):
        characters += len(passages[at].text)
        if characters > sizes.characters or passages[at].start_ms - passages[first].start_ms > sizes.milliseconds:
            break
        at += 1
    return at


def _overlap_end(passages: Sequence[P], core: int, overlap: int) -> int:
    """Where the passages end that follow a core: the one that crosses the overlap's length is among them."""
    characters = 0
    at = core
    while at < len(passages) and characters < overlap:
        characters += len(passages[at].text)
        at += 1
    return at
