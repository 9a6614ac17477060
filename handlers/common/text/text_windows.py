"""Division of a transcript into overlapping windows, each small enough for one model request.

A window consists of a core and an overlap. The cores of all windows together are the transcript, without gaps and
repetitions. The overlap repeats the passages after the core. So a statement that begins at the end of a core is complete
in its window, unless it is longer than the overlap. A statement that begins in the overlap belongs to a later window.
The last window has no overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from handlers.common.text.transcript_passage import Passage

P = TypeVar("P", bound=Passage)


@dataclass(frozen=True)
class WindowSizes:
    """Size limits of windows."""

    characters: int
    """Maximum length of a core. A core that is a single passage may be longer. The core of the last window may be
    longer too, because it includes the passages that would otherwise be its overlap."""
    milliseconds: int
    """Maximum time between the starts of a core's first and last passage. End times are not used, because they may be
    wrong, for example a day too late. Such a passage would then become a separate window."""
    overlap_characters: int
    """Minimum length of an overlap. It ends with the passage that reaches this length."""


@dataclass(frozen=True)
class Window(Generic[P]):
    """Consecutive passages of a transcript: first the core, then the overlap."""

    index: int
    """Number of the window, from 0."""
    first: int
    """Index of the window's first passage in the transcript."""
    core_count: int
    """Number of passages in the core."""
    passages: tuple[P, ...] = field(repr=False)

    @property
    def start_ms(self) -> int:
        """Start of the first passage."""
        return self.passages[0].start_ms

    @property
    def end_ms(self) -> int:
        """Latest end of all passages. An earlier passage may end after the last passage."""
        return max(passage.end_ms for passage in self.passages)

    def owns_start(self, start_ms: int) -> bool:
        """Return True if this time lies before the overlap, so that a statement which begins then belongs to this window.

        The last window has no overlap, so it returns True for every time.
        """
        return self.core_count == len(self.passages) or start_ms < self.passages[self.core_count].start_ms


def split_into_windows(passages: Sequence[P], sizes: WindowSizes) -> tuple[Window[P], ...]:
    """Return the windows of a transcript whose passages are ordered by time.

    There are at most `1 + duration / sizes.milliseconds + 2 * characters / sizes.characters` windows, so the cost of a
    transcript is limited. The factor 2 has this reason: if the number of characters ends a core, the core and the next
    passage together have more than `sizes.characters`. So each passage may count for two cores.
    """
    windows: list[Window[P]] = []
    first = end = 0
    while end < len(passages):
        core_end = _find_core_end(passages, first, sizes)
        end = _find_overlap_end(passages, core_end, sizes.overlap_characters)
        is_last = end == len(passages)
        core_count = (end if is_last else core_end) - first
        windows.append(Window(len(windows), first, core_count, tuple(passages[first:end])))
        first = core_end
    return tuple(windows)


def _find_core_end(passages: Sequence[P], first: int, sizes: WindowSizes) -> int:
    characters = len(passages[first].text)
    for end in range(first + 1, len(passages)):
        characters += len(passages[end].text)
        if characters > sizes.characters or passages[end].start_ms - passages[first].start_ms > sizes.milliseconds:
            return end
    return len(passages)


def _find_overlap_end(passages: Sequence[P], core_end: int, overlap_characters: int) -> int:
    """Return the end of the overlap, which includes the passage that reaches the overlap's minimum length."""
    characters = 0
    for end in range(core_end, len(passages)):
        if characters >= overlap_characters:
            return end
        characters += len(passages[end].text)
    return len(passages)
