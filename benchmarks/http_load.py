"""Requests over HTTP, one after the other on connections that stay open, so many of them at once: how fast they are answered."""

import http.client
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from benchmarks.figures import at_share

TIMEOUT_SECONDS = 60


SERVER_ERROR = 500


class NotAnswered(Exception):
    """An answer is not what it should be."""


@dataclass(frozen=True)
class Request:
    """One kind of request, and what its answer must be."""

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    says: bytes = b""
    times: int = 1
    """How often it says so."""

    def sent(self, connection: http.client.HTTPConnection) -> float | None:
        """Milliseconds until the whole answer is there; none where the server failed, as it may for want of processors."""
        begun = time.perf_counter()
        connection.request(self.method, self.path, self.body, dict(self.headers))
        answer = connection.getresponse()
        data = answer.read()
        took = time.perf_counter() - begun
        if answer.status >= SERVER_ERROR:
            return None
        if answer.status != self.status or (self.says and data.count(self.says) != self.times):
            raise NotAnswered(f"{self.name}: {answer.status}, {data[:300]!r}")
        return 1000 * took


@dataclass(frozen=True)
class Round:
    """What one round of one kind took."""

    rate: float
    p50: float
    p95: float
    failed: int
    """Requests that the server failed to answer; no other figure has them."""


Rounds = dict[tuple[str, int], list[Round]]
"""By kind, and how many were under way at once."""


def measured(request: Request, at_once: int, address: str, count: int) -> Round:
    """One round; each of those at once has a connection of its own."""
    numbers = iter(range(count))

    def one(_: int) -> list[float | None]:
        with closing(http.client.HTTPConnection(address, timeout=TIMEOUT_SECONDS)) as connection:
            return [request.sent(connection) for _ in numbers]

    begun = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        took = [one for found in pool.map(one, range(at_once)) for one in found if one is not None]
    rate = len(took) / (time.perf_counter() - begun)
    return Round(rate, at_share(took, 0.5), at_share(took, 0.95), count - len(took))


def rounds(requests: Sequence[Request], address: str, counts: Mapping[int, int], times: int) -> Rounds:
    """All rounds, kinds by turns; before them, what is made once is made. `counts`: by how many are under way at once."""
    for at_once in counts:
        for request in requests:
            measured(request, at_once, address, 2 * at_once)
    found: Rounds = {(request.name, at_once): [] for request in requests for at_once in counts}
    for _ in range(times):
        for at_once, count in counts.items():
            for request in requests:
                found[request.name, at_once].append(measured(request, at_once, address, count))
    return found
