"""How many cursors livestream's lists seal and open a second, of the processor's time."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from handlers.common import clock
from handlers.common.errors import HandlerError
from handlers.livestream.cursors import Cursors, Listing

ROUNDS, EACH = 7, 20_000
LISTING = Listing("listEpisodes", "A" * 32)
POSITION = "2026-01-03T12:00:00.123Z#01K8PFVZQ0A1B2C3D4E5F6G7H8"


class Opened(Exception):
    """A forged cursor was taken."""


def rate(what: Callable[[], object]) -> float:
    """So many a second, in one round."""
    begun = time.process_time()
    for _ in range(EACH):
        what()
    return EACH / (time.process_time() - begun)


def main() -> None:
    """Prints three lines."""
    cursors = Cursors(lambda: "x" * 32, seconds=3600, clock=clock.now, nonce=os.urandom)
    cursor = cursors.sealed(POSITION, LISTING)
    forged = cursor[:30] + ("A" if cursor[30] != "A" else "B") + cursor[31:]

    def refused() -> None:
        try:
            cursors.opened(forged, LISTING)
        except HandlerError:
            return
        raise Opened

    kinds: dict[str, Callable[[], object]] = {
        "sealed": lambda: cursors.sealed(POSITION, LISTING),
        "opened": lambda: cursors.opened(cursor, LISTING),
        "forged, refused": refused,
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, what in kinds.items():
            rates[name].append(rate(what))
    print(f"a cursor has {len(cursor)} characters; medians of {ROUNDS} rounds (least-most)")
    for name, found in rates.items():
        print(f"{name:16}{statistics.median(found):10,.0f} a second ({min(found):,.0f}-{max(found):,.0f})")


if __name__ == "__main__":
    main()
