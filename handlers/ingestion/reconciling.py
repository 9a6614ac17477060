"""Compares the landing bucket with the file table, so that a lost notification loses no file.

Walks over the bucket's versions of the last days, and tracks those that have no record.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from handlers.common.logging import EventLog
from handlers.common.parallel import Parallel
from handlers.ingestion.admission import Admission
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.files import ArrivedFile
from handlers.ingestion.landing import Landing
from handlers.ingestion.records import RecordId
from handlers.ingestion.walks import Walk, Walks

GRACE = timedelta(hours=1)
"""Versions younger than this may still be announced. From half of it on, a builder looks around before it tracks."""
LATE = GRACE / 2


@dataclass(frozen=True)
class Reconciled:
    """What one invocation compared."""

    checked: int = 0
    missing: int = 0


class Reconciler:
    """Finds files that nobody announced."""

    def __init__(
        self,
        table: FileTable,
        landing: Landing,
        walks: Walks,
        admission: Admission,
        *,
        parallel: Parallel,
        log: EventLog,
        clock: Callable[[], datetime],
        look_back: timedelta,
        budget: timedelta,
    ) -> None:
        self._table = table
        self._landing = landing
        self._walks = walks
        self._admission = admission
        self._parallel = parallel
        self._log = log
        self._clock = clock
        self._look_back = look_back
        self._budget = budget

    def start(self) -> Reconciled:
        """Begins a walk, unless one is under way: then that one goes on."""
        last = self._walks.get()
        if last is None or last.done:
            now = self._clock()
            # Days without a walk are made up for.
            since = min(now, last.started if last else now) - self._look_back
            self._walks.put(Walk(started=now, since=since, pages=0, marker=None, done=False), last)
        return self.go_on()

    def go_on(self) -> Reconciled:
        """Goes on with the walk that is under way, if there is one, for as long as one invocation may."""
        total, until = Reconciled(), self._clock() + self._budget
        walk = self._walks.get()
        if walk is None or walk.done:
            return total
        while self._clock() < until and not walk.done:
            page = self._landing.page(walk.marker)
            found = self._compare(walk, page.files)
            total = Reconciled(total.checked + found.checked, total.missing + found.missing)
            ahead = replace(walk, pages=walk.pages + 1, marker=page.following, done=page.following is None)
            if not self._walks.put(ahead, walk):
                break  # somebody else has gone on
            walk = ahead
        self._log.info("reconciled", checked=total.checked, missing=total.missing)
        return total

    def _compare(self, walk: Walk, files: list[ArrivedFile]) -> Reconciled:
        due = [one for one in files if walk.since <= one.arrived <= walk.started - GRACE]
        known = self._table.known(_id(one) for one in due)
        # What is not under its own day may be under the next: tracking looks there, in the same breath.
        tracked = self._parallel.all(
            lambda one: self._table.track(one, self._admission.refusal(one), look_around=True),
            [one for one in due if _id(one) not in known],
        )
        return Reconciled(len(due), sum(tracked))


def _id(one: ArrivedFile) -> RecordId:
    return RecordId(one.date_prefix, one.file_key)
