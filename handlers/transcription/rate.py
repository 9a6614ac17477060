"""How many partials may leave in a second, and which one does when not all may. Pure; times never go back."""

from collections import deque
from dataclasses import dataclass

from handlers.transcription.waiting import Version, rank

WINDOW_MS = 1000


@dataclass(slots=True)
class _Contender:
    """The best candidate of one result."""

    best: Version
    beaten: int = 0
    """Candidates of the same result that are worse."""


class Rate:
    """At most so many partials in any second. What comes too soon competes for the next free moment."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left: deque[int] = deque(maxlen=most)
        self._contenders: dict[str, _Contender] = {}

    def __len__(self) -> int:
        return len(self._contenders)

    def free(self, now_ms: int) -> bool:
        """Whether a partial may leave now."""
        return len(self._left) < self._most or now_ms - self._left[0] >= WINDOW_MS

    def leave(self, now_ms: int) -> None:
        """A partial leaves."""
        self._left.append(now_ms)

    def compete(self, version: Version) -> None:
        """Lets a candidate wait for the next free moment."""
        contender = self._contenders.get(version.result.result_id)
        if contender is None:
            self._contenders[version.result.result_id] = _Contender(version)
            return
        contender.best = max(contender.best, version, key=rank)
        contender.beaten += 1

    def remove(self, result_id: str) -> None:
        """Lets go of a result's candidates."""
        self._contenders.pop(result_id, None)

    def clear(self) -> None:
        """Lets go of all candidates."""
        self._contenders.clear()

    def decided(self, now_ms: int) -> tuple[list[Version], int]:
        """At a free moment, takes out all that compete for it: the best of each result in order, and a count of the rest."""
        if not self._contenders or not self.free(now_ms):
            return [], 0
        contenders = list(self._contenders.values())
        self._contenders.clear()
        best = sorted((one.best for one in contenders), key=rank, reverse=True)
        return best, sum(one.beaten for one in contenders)

    def next_ms(self) -> int | None:
        """When the moment comes that candidates wait for."""
        return self._left[0] + WINDOW_MS if self._contenders else None
