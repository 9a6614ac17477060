"""Finds uploads that nobody announced: a lost notification must not lose a lecture.

Goes over the objects below `lectures/` that arrived within the last hours, and validates those whose lecture's item
is not about them. Those whose keys name no lecture count as missing too: whoever put them there has to hear of it. Ids
tell when they were made, and keys sort by them: what was made lately comes first, older ids, whose object may be new
all the same, after that. A sweep that runs out of time says so and begins anew the next time; recent ids are then still
seen each time.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from handlers.common.logging import EventLog
from handlers.common.parallel import Parallel
from handlers.common.s3_events import NewObject
from handlers.common.ulid import ulid
from handlers.voice_qa.lecture_bucket import LectureBucket
from handlers.voice_qa.lectures import PREFIX, Upload, upload_of
from handlers.voice_qa.validating import Outcome, Validator

GRACE = timedelta(minutes=15)
"""Objects younger than this may still be announced."""
COUNTS = ("checked", "missing", Outcome.READY.value, Outcome.REJECTED.value, "ignored", "failed", "unfinished")
FOLDER = "/"
"""At its end a key has it that S3's console made for a folder."""


class Sweep:
    """Compares bucket and table."""

    def __init__(
        self,
        bucket: LectureBucket,
        validator: Validator,
        *,
        parallel: Parallel,
        log: EventLog,
        clock: Callable[[], datetime],
        look_back: timedelta,
        budget: timedelta,
    ) -> None:
        self._bucket = bucket
        self._validator = validator
        self._parallel = parallel
        self._log = log
        self._clock = clock
        self._look_back = look_back
        self._budget = budget

    def run(self) -> dict[str, int]:
        """Sweep once and return the counts. What fails is logged and counted, and met again by the next sweep.

        `missing` counts what had no verdict: uploads, and objects whose keys name no lecture. `unfinished` is 1 if the
        time ran out.
        """
        started = self._clock()
        count: Counter[str] = Counter()
        for page in self._pages(started - self._look_back):
            due = [one for one in page if started - self._look_back <= one.arrived <= started - GRACE]
            named = [(one.key, upload_of(one)) for one in due]
            uploads = [upload for _, upload in named if upload is not None]
            count["checked"] += len(uploads)
            count["ignored"] += sum(upload is None and not key.endswith(FOLDER) for key, upload in named)
            count.update(self._validated(uploads))
            if self._clock() - started > self._budget:
                count["unfinished"] = 1
                break
        count["missing"] = count[Outcome.READY] + count[Outcome.REJECTED] + count["failed"] + count["ignored"]
        swept: dict[str, Any] = {name: count[name] for name in COUNTS}
        self._log.info("lecture_sweep", **swept)
        return swept

    def _pages(self, since: datetime) -> Iterator[list[NewObject]]:
        recent = PREFIX + ulid(since, 0)
        yield from self._bucket.pages(PREFIX, recent)
        yield from self._bucket.pages(PREFIX, "", recent)

    def _validated(self, uploads: list[Upload]) -> Iterator[str]:
        for outcome in self._parallel.each(self._validator.validate, uploads):
            if isinstance(outcome, Exception):
                self._log.error("upload_failed", error_type=type(outcome).__name__)
                yield "failed"
            else:
                yield outcome
