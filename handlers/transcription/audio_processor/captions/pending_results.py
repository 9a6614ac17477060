"""What waits: results for their finals, partials until they may be shown, finals until it is their turn.

Pure; times never go back.
"""

from bisect import bisect_right, insort
from collections import deque
from dataclasses import dataclass

from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds

MAX_OPEN = 32
"""Results without a final. Transcribe has one or two open at a time; beyond this, the most silent one is given up."""
MAX_CLOSED = 1024
"""Ids of results that are over: far more than the results of any utterance."""
MAX_HELD = 32
"""Finals that wait for results that started earlier; beyond this, the first of them goes without waiting."""
WINDOW_MS = 1000


@dataclass(frozen=True, slots=True)
class ResultVersion:
    """A result as it came."""

    result: Result
    received_ms: int
    number: int
    """How many came before it: tells what is newer within one millisecond."""


def rank(version: ResultVersion) -> tuple[float, int]:
    """The surer goes first, then the newer."""
    stability = version.result.stability
    return (-1.0 if stability is None else stability, version.number)


@dataclass(slots=True)
class OpenResult:
    """A result that has no final yet, with its partials that may be shown later."""

    version: ResultVersion
    known_since_ms: int
    changed_ms: int
    """When its words last changed."""
    unsure: ResultVersion | None = None
    """The newest version, if it is not sure enough to be shown."""
    unsure_since_ms: int = 0
    due_ms: int = 0
    """When the unsure version may be shown all the same."""
    candidate: ResultVersion | None = None
    """The best version that competes for the next moment that the rate leaves free."""
    beaten: int = 0
    """Candidates that are worse."""


class OpenResults:
    """Results without a final, and the ids of those that are over."""

    def __init__(self, thresholds: CaptionThresholds) -> None:
        self._thresholds = thresholds
        # Whatever is heard of moves to the end, so the one that has been silent the longest stands first.
        self._open: dict[str, OpenResult] = {}
        self._closed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def is_closed(self, result_id: str) -> bool:
        """Whether its last version has come."""
        return result_id in self._closed

    def is_full_for(self, result_id: str) -> bool:
        """Whether there is no room for it."""
        return len(self._open) >= MAX_OPEN and result_id not in self._open

    def update(self, version: ResultVersion) -> OpenResult:
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
        """Ends a result, and lets go of its partials."""
        if len(self._closed) >= MAX_CLOSED:
            del self._closed[next(iter(self._closed))]
        self._closed[result_id] = None
        self._open.pop(result_id, None)

    def defer(self, known: OpenResult) -> None:
        """Lets the newest version wait in place of an older one, whose time it takes over."""
        if known.unsure is None:
            known.unsure_since_ms = known.version.received_ms
        known.unsure = known.version
        # Without a stability, age is all that there is to judge by.
        quiet_since_ms = known.known_since_ms if known.version.result.stability is None else known.changed_ms
        limits = self._thresholds
        known.due_ms = min(quiet_since_ms + limits.pause_ms, known.unsure_since_ms + limits.max_buffer_ms)

    def take_deferred(self, now_ms: int) -> list[ResultVersion]:
        """Takes out unsure versions that have waited long enough, the surest and then the newest first."""
        ripe = []
        for known in self._open.values():
            if known.unsure is not None and known.due_ms <= now_ms:
                ripe.append(known.unsure)
                known.unsure = None
        return sorted(ripe, key=rank, reverse=True)

    def add_candidate(self, version: ResultVersion) -> None:
        """Lets a version wait for the next free moment."""
        known = self._open[version.result.result_id]
        known.beaten += known.candidate is not None
        known.candidate = max(known.candidate or version, version, key=rank)

    def take_candidates(self) -> tuple[list[ResultVersion], int]:
        """Takes out all versions that compete: the best of each result in order, and a count of the rest."""
        best, beaten = [], 0
        for known in self._open.values():
            if known.candidate is not None:
                best.append(known.candidate)
                beaten += known.beaten
                known.candidate, known.beaten = None, 0
        return sorted(best, key=rank, reverse=True), beaten

    def discard_partials(self) -> None:
        """Lets go of everything that waits to be shown."""
        for known in self._open.values():
            known.unsure, known.candidate, known.beaten = None, None, 0

    def oldest_version(self) -> ResultVersion | None:
        """The last version of the one that has not been heard of for the longest time."""
        return next((one.version for one in self._open.values()), None)

    def next_orphan_ms(self) -> int | None:
        """When the most silent one is an orphan."""
        silent = self.oldest_version()
        return silent.received_ms + self._thresholds.orphan_ms if silent else None

    def next_deferred_ms(self) -> int | None:
        """When an unsure version will have waited long enough."""
        return min((one.due_ms for one in self._open.values() if one.unsure is not None), default=None)

    def has_candidates(self) -> bool:
        """Whether any version waits for a free moment."""
        return any(one.candidate is not None for one in self._open.values())

    def earliest_start_ms(self) -> int | None:
        """Where the earliest starts."""
        return min((one.version.result.start_ms for one in self._open.values()), default=None)


class PartialRate:
    """At most so many partials in any second."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left: deque[int] = deque(maxlen=most)

    def is_free(self, now_ms: int) -> bool:
        """Whether a partial may leave now."""
        return len(self._left) < self._most or now_ms >= self.next_free_ms()

    def add_partial(self, now_ms: int) -> None:
        """A partial leaves."""
        self._left.append(now_ms)

    def next_free_ms(self) -> int:
        """When the next one may leave, once so many have left."""
        return self._left[0] + WINDOW_MS


@dataclass(frozen=True, slots=True)
class PendingFinal:
    """The last version of a result."""

    version: ResultVersion
    orphan: bool
    """Whether Transcribe never said that it is the last."""


class FinalsInOrder:
    """Finals that wait for results which started earlier."""

    def __init__(self, most_ms: int) -> None:
        self._most_ms = most_ms
        self._held: list[PendingFinal] = []

    def __len__(self) -> int:
        return len(self._held)

    def add(self, final: PendingFinal) -> None:
        """Puts a final where it belongs."""
        insort(self._held, final, key=lambda one: (one.version.result.start_ms, one.version.number))

    def take_ready(self, now_ms: int, first_open_ms: int | None) -> list[PendingFinal]:
        """Takes out whose turn it is; `first_open_ms` is where the earliest result starts that is still open.

        Whoever has waited too long goes, and takes along those that start before it: they would come after it
        otherwise.
        """
        if first_open_ms is None:
            count = len(self._held)
        else:
            free = bisect_right(self._held, first_open_ms, key=lambda one: one.version.result.start_ms)
            late = [number for number, one in enumerate(self._held, 1) if self._latest_ms(one) <= now_ms]
            count = max([len(self._held) - MAX_HELD, free, *late])
        leaving, self._held = self._held[:count], self._held[count:]
        return leaving

    def next_overdue_ms(self) -> int | None:
        """When one will have waited too long."""
        return min((self._latest_ms(one) for one in self._held), default=None)

    def _latest_ms(self, final: PendingFinal) -> int:
        return final.version.received_ms + self._most_ms
