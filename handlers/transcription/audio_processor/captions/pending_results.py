"""Collections of results whose captions are not shown yet, for the module `caption_decisions`.

A result is a piece of recognised speech. Amazon Transcribe sends it in several versions: first partials, then a final.
`OpenResults` has the results whose final has not come, with their partials that may be shown later. `PartialRate`
limits the partials that are shown in a second. `FinalsInOrder` has finals that wait because a result that started
earlier is still open.

A result whose final does not come in time becomes an orphan: its last partial is shown as its final. A result is
closed when its final has come, or when it has become an orphan. The caller passes the current time, which must never go
back.
"""

from bisect import bisect_right, insort
from collections import deque
from dataclasses import dataclass

from handlers.transcription.audio_processor.results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds

MAX_OPEN = 32
"""Maximum number of results without a final. If another one comes, the result that has had no new version for the
longest time becomes an orphan. Usually there are one or two."""
MAX_CLOSED = 1024
"""Maximum number of closed results whose ids are remembered. A stream has far fewer results, because it transcribes one
utterance of a few seconds."""
MAX_PENDING_FINALS = 32
"""Maximum number of finals that wait. If there are more, those that start first are shown without waiting."""
RATE_WINDOW_MS = 1000


@dataclass(frozen=True, slots=True)
class ResultVersion:
    result: Result
    received_ms: int
    number: int
    """Number of versions that arrived before, of any result. It orders versions within one millisecond."""


def rank(version: ResultVersion) -> tuple[float, int]:
    """Return a sort key for partials. The best one is the newest of those with the highest stability."""
    stability = version.result.stability
    return (-1.0 if stability is None else stability, version.number)


@dataclass(slots=True)
class OpenResult:
    """A result without a final, with its partials that may be shown later."""

    version: ResultVersion
    known_since_ms: int
    """Time at which the first version arrived."""
    changed_ms: int
    """Time at which the text last changed."""
    deferred: ResultVersion | None = None
    """Version that is shown later, because it was not stable enough when it arrived. A newer version replaces it or, if
    that is stable enough, removes it."""
    deferred_since_ms: int = 0
    """Time from which the threshold `max_buffer_ms` is counted. It stays the same when a newer version is deferred,
    because otherwise a text that keeps changing would never be shown."""
    due_ms: int = 0
    """Time at which the deferred version may be shown although it is not stable enough."""
    candidate: ResultVersion | None = None
    """The best version that waits until the rate limit allows a partial."""
    beaten_count: int = 0
    """Number of other versions that waited for the rate limit, but were worse than `candidate`."""


class OpenResults:
    """Results without a final, and the ids of closed results."""

    def __init__(self, thresholds: CaptionThresholds) -> None:
        self._thresholds = thresholds
        # An updated result moves to the end, so the first result has had no new version for the longest time.
        self._open: dict[str, OpenResult] = {}
        self._closed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def is_closed(self, result_id: str) -> bool:
        """Return True if the result is closed, so its further versions are ignored."""
        return result_id in self._closed

    def is_full_for(self, result_id: str) -> bool:
        """Return True if the result is new and there is no room for it."""
        return len(self._open) >= MAX_OPEN and result_id not in self._open

    def update(self, version: ResultVersion) -> OpenResult:
        result, now_ms = version.result, version.received_ms
        open_result = self._open.pop(result.result_id, None)
        if open_result is None:
            open_result = OpenResult(version, known_since_ms=now_ms, changed_ms=now_ms)
        elif open_result.version.result.text != result.text:
            open_result.changed_ms = now_ms
        open_result.version = version
        self._open[result.result_id] = open_result
        return open_result

    def close(self, result_id: str) -> None:
        if len(self._closed) >= MAX_CLOSED:
            del self._closed[next(iter(self._closed))]
        self._closed[result_id] = None
        self._open.pop(result_id, None)

    def defer(self, open_result: OpenResult) -> None:
        """Defer the newest version until a pause of `pause_ms` is over, but for no longer than `max_buffer_ms`.

        The pause begins when the text last changed. For a version without stability, it begins when the first version
        of the result arrived, even if the text has changed since.
        """
        if open_result.deferred is None:
            open_result.deferred_since_ms = open_result.version.received_ms
        open_result.deferred = open_result.version
        has_stability = open_result.version.result.stability is not None
        pause_begins_ms = open_result.changed_ms if has_stability else open_result.known_since_ms
        limits = self._thresholds
        open_result.due_ms = min(
            pause_begins_ms + limits.pause_ms, open_result.deferred_since_ms + limits.max_buffer_ms
        )

    def take_deferred(self, now_ms: int) -> list[ResultVersion]:
        """Remove and return the deferred versions that have waited long enough, the best first (see `rank`)."""
        due_versions = []
        for open_result in self._open.values():
            if open_result.deferred is not None and open_result.due_ms <= now_ms:
                due_versions.append(open_result.deferred)
                open_result.deferred = None
        return sorted(due_versions, key=rank, reverse=True)

    def add_candidate(self, version: ResultVersion) -> None:
        """Let a version wait for the rate limit. Of the versions of a result that wait, only the best one is kept."""
        open_result = self._open[version.result.result_id]
        open_result.beaten_count += open_result.candidate is not None
        open_result.candidate = max(open_result.candidate or version, version, key=rank)

    def take_candidates(self) -> tuple[list[ResultVersion], int]:
        """Remove all candidates. Return the best one of each result, the best first, and the number of the others."""
        best, beaten_count = [], 0
        for open_result in self._open.values():
            if open_result.candidate is not None:
                best.append(open_result.candidate)
                beaten_count += open_result.beaten_count
                open_result.candidate, open_result.beaten_count = None, 0
        return sorted(best, key=rank, reverse=True), beaten_count

    def discard_partials(self) -> None:
        for open_result in self._open.values():
            open_result.deferred, open_result.candidate, open_result.beaten_count = None, None, 0

    def next_orphan(self) -> ResultVersion | None:
        """Return the last version of the open result that becomes an orphan first, or None if no result is open.

        It is the result that has had no new version for the longest time.
        """
        return next((result.version for result in self._open.values()), None)

    def next_orphan_ms(self) -> int | None:
        version = self.next_orphan()
        return version.received_ms + self._thresholds.orphan_ms if version else None

    def next_deferred_ms(self) -> int | None:
        return min((result.due_ms for result in self._open.values() if result.deferred is not None), default=None)

    def has_candidates(self) -> bool:
        """Return True if any version waits for the rate limit."""
        return any(result.candidate is not None for result in self._open.values())

    def earliest_start_ms(self) -> int | None:
        return min((result.version.result.start_ms for result in self._open.values()), default=None)


class PartialRate:
    """Rate limit: a maximum number of partials in any second."""

    def __init__(self, max_count: int) -> None:
        self._max_count = max_count
        self._shown_ms: deque[int] = deque(maxlen=max_count)

    def is_free(self, now_ms: int) -> bool:
        return len(self._shown_ms) < self._max_count or now_ms >= self.next_free_ms()

    def add_partial(self, now_ms: int) -> None:
        self._shown_ms.append(now_ms)

    def next_free_ms(self) -> int:
        """Return the time at which the next partial may be shown. It must be called only if the limit was reached."""
        return self._shown_ms[0] + RATE_WINDOW_MS


@dataclass(frozen=True, slots=True)
class PendingFinal:
    """The last version of a result, which waits to be shown as a final."""

    version: ResultVersion
    orphan: bool
    """True if the version is a partial, because the final did not come."""


class FinalsInOrder:
    """Finals that wait for results that started earlier, because they are shown in the order of speech."""

    def __init__(self, max_wait_ms: int) -> None:
        self._max_wait_ms = max_wait_ms
        self._pending: list[PendingFinal] = []

    def add(self, final: PendingFinal) -> None:
        """Add a final at its place in the order of speech."""
        insort(self._pending, final, key=lambda final: (final.version.result.start_ms, final.version.number))

    def take_ready(self, now_ms: int, first_open_ms: int | None) -> list[PendingFinal]:
        """Remove and return the finals that are ready. `first_open_ms` is the earliest start of an open result, or None.

        A final is ready if no open result starts before it. It is also ready if it has waited too long, or if too many
        finals wait. Then the finals that start before it are ready too, because otherwise they would be shown after it.
        """
        if first_open_ms is None:
            count = len(self._pending)
        else:
            free = bisect_right(self._pending, first_open_ms, key=lambda final: final.version.result.start_ms)
            late = [number for number, final in enumerate(self._pending, 1) if self._latest_ms(final) <= now_ms]
            count = max([len(self._pending) - MAX_PENDING_FINALS, free, *late])
        leaving, self._pending = self._pending[:count], self._pending[count:]
        return leaving

    def next_overdue_ms(self) -> int | None:
        return min((self._latest_ms(final) for final in self._pending), default=None)

    def _latest_ms(self, final: PendingFinal) -> int:
        return final.version.received_ms + self._max_wait_ms
