"""What waits: results for their finals, partials until they are worth showing, finals until it is their turn.

Pure; times never go back.
"""

from bisect import bisect_right, insort
from dataclasses import dataclass

from handlers.transcription.results import Result
from handlers.transcription.thresholds import Thresholds

MAX_OPEN = 32
"""Results without a final. Transcribe has one or two open at a time; beyond this, the most silent one is given up."""
MAX_CLOSED = 1024
"""Ids of results that are over: far more than the results of any utterance."""
MAX_HELD = 32
"""Finals that wait for results that started earlier; beyond this, the first of them goes without waiting."""


@dataclass(frozen=True, slots=True)
class Version:
    """A result as it came."""

    result: Result
    received_ms: int
    number: int
    """How many came before it: tells what is newer within one millisecond."""


@dataclass(slots=True)
class OpenResult:
    """A result that has no final yet."""

    version: Version
    known_since_ms: int
    changed_ms: int
    """When its words last changed."""


class OpenResults:
    """Results without a final, and the ids of those that are over."""

    def __init__(self, orphan_ms: int) -> None:
        self._orphan_ms = orphan_ms
        # Whatever is heard of moves to the end, so the one that has been silent the longest stands first.
        self._open: dict[str, OpenResult] = {}
        self._closed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def over(self, result_id: str) -> bool:
        """Whether its last version has come."""
        return result_id in self._closed

    def crowded_by(self, result_id: str) -> bool:
        """Whether there is no room for it."""
        return len(self._open) >= MAX_OPEN and result_id not in self._open

    def hear(self, version: Version) -> OpenResult:
        """Takes the next version of a result."""
        result, now_ms = version.result, version.received_ms
        known = self._open.pop(result.result_id, None)
        if known is None:
            known = OpenResult(version, known_since_ms=now_ms, changed_ms=now_ms)
        elif known.version.result.text != result.text:
            known.changed_ms = now_ms
        known.version = version
        self._open[result.result_id] = known
        return known

    def close(self, result_id: str) -> None:
        """Ends a result."""
        if len(self._closed) >= MAX_CLOSED:
            del self._closed[next(iter(self._closed))]
        self._closed[result_id] = None
        self._open.pop(result_id, None)

    def most_silent(self) -> Version | None:
        """The last version of the one that has not been heard of for the longest time."""
        return next((one.version for one in self._open.values()), None)

    def next_ms(self) -> int | None:
        """When the most silent one is an orphan."""
        silent = self.most_silent()
        return silent.received_ms + self._orphan_ms if silent else None

    def first_start_ms(self) -> int | None:
        """Where the earliest starts."""
        return min((one.version.result.start_ms for one in self._open.values()), default=None)


@dataclass(frozen=True, slots=True)
class _Waiting:
    version: Version
    since_ms: int
    due_ms: int


class WaitingRoom:
    """Partials that are not sure enough, the newest of each result."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._pause_ms = thresholds.pause_ms
        self._most_ms = thresholds.max_buffer_ms
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, version: Version, *, known_since_ms: int, changed_ms: int) -> None:
        """Lets a version wait in place of an older one, whose time it takes over."""
        older = self._waiting.get(version.result.result_id)
        since_ms = older.since_ms if older else version.received_ms
        # Without a stability, age is all that there is to judge by.
        quiet_since_ms = known_since_ms if version.result.stability is None else changed_ms
        due_ms = min(quiet_since_ms + self._pause_ms, since_ms + self._most_ms)
        self._waiting[version.result.result_id] = _Waiting(version, since_ms, due_ms)

    def remove(self, result_id: str) -> None:
        """Lets go of what waits of a result."""
        self._waiting.pop(result_id, None)

    def clear(self) -> None:
        """Lets go of everything that waits."""
        self._waiting.clear()

    def ripe(self, now_ms: int) -> list[Version]:
        """Takes out what has waited long enough, the surest and then the newest first."""
        versions = [one.version for one in self._waiting.values() if one.due_ms <= now_ms]
        for version in versions:
            del self._waiting[version.result.result_id]
        return sorted(versions, key=rank, reverse=True)

    def next_ms(self) -> int | None:
        """When something will have waited long enough."""
        return min((one.due_ms for one in self._waiting.values()), default=None)

    def longest_ms(self, now_ms: int) -> int:
        """How long the one that waits the longest has waited."""
        return max((now_ms - one.since_ms for one in self._waiting.values()), default=0)


def rank(version: Version) -> tuple[float, int]:
    """The surer goes first, then the newer."""
    stability = version.result.stability
    return (-1.0 if stability is None else stability, version.number)


@dataclass(frozen=True, slots=True)
class Final:
    """The last version of a result."""

    version: Version
    orphan: bool
    """Whether Transcribe never said that it is the last."""


class FinalsInOrder:
    """Finals that wait for results which started earlier."""

    def __init__(self, most_ms: int) -> None:
        self._most_ms = most_ms
        self._held: list[Final] = []

    def __len__(self) -> int:
        return len(self._held)

    def add(self, final: Final) -> None:
        """Puts a final where it belongs."""
        insort(self._held, final, key=_place)

    def leaving(self, now_ms: int, first_open_ms: int | None) -> list[Final]:
        """Takes out whose turn it is; `first_open_ms` is where the earliest result starts that is still open.

        Whoever has waited too long goes, and takes along those that start before it: they would come after it
        otherwise.
        """
        if not self._held:
            return []
        count = len(self._held) - MAX_HELD
        if first_open_ms is None:
            count = len(self._held)
        else:
            count = max(count, bisect_right(self._held, first_open_ms, key=lambda one: one.version.result.start_ms))
        late = [number for number, one in enumerate(self._held, 1) if self._latest_ms(one) <= now_ms]
        count = max([count, *late])
        leaving, self._held = self._held[:count], self._held[count:]
        return leaving

    def next_ms(self) -> int | None:
        """When one will have waited too long."""
        return min((self._latest_ms(one) for one in self._held), default=None)

    def _latest_ms(self, final: Final) -> int:
        return final.version.received_ms + self._most_ms


def _place(final: Final) -> tuple[int, int]:
    return final.version.result.start_ms, final.version.number
