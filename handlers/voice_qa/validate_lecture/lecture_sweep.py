"""Finds uploads that nobody announced: a lost notification must not lose a lecture.

Goes over the objects below `lectures/` that arrived within the last hours, and validates those whose lecture's item
is not about them. Those whose keys name no lecture count as missing too: whoever put them there has to hear of it. Ids
tell when they were made, and keys sort by them: what was made lately comes first, older ids, whose object may be new
all the same, after that. A sweep that runs out of time says so and begins anew the next time; recent ids are then still
seen each time.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from handlers.common.aws.parallel_calls import Parallel
from handlers.common.aws.s3_notifications import NewObject
from handlers.common.logging import EventLog
from handlers.common.sweep import SweepLoop
from handlers.common.time_and_ids.ulid import ulid
from handlers.voice_qa.lectures import PREFIX, parse_upload
from handlers.voice_qa.validate_lecture.lecture_bucket import LectureBucket
from handlers.voice_qa.validate_lecture.lecture_validation import LectureValidator, ValidationOutcome

GRACE = timedelta(minutes=15)
"""Objects younger than this may still be announced."""
IGNORED = "ignored"
"""The outcome of an object whose key names no lecture."""
FOLDER = "/"
"""At its end a key has it that S3's console made for a folder."""


class LectureSweep:
    """Compares bucket and table."""

    def __init__(
        self,
        bucket: LectureBucket,
        validator: LectureValidator,
        *,
        parallel: Parallel,
        log: EventLog,
        clock: Callable[[], datetime],
        look_back: timedelta,
        budget: timedelta,
    ) -> None:
        self._bucket = bucket
        self._validator = validator
        self._clock = clock
        self._look_back = look_back
        self._loop = SweepLoop(log, clock, budget, parallel=parallel)

    def run(self) -> dict[str, int]:
        """Sweep once; return what was found, by number."""
        count = self._loop.run(self._due(), self._validated, failure_event="upload_failed")
        count["missing"] = sum(
            count[one] for one in (ValidationOutcome.READY, ValidationOutcome.REJECTED, IGNORED, "failed")
        )
        return self._loop.report(
            "lecture_sweep", count, "missing", ValidationOutcome.READY, ValidationOutcome.REJECTED, IGNORED
        )

    def _due(self) -> Iterator[list[NewObject]]:
        now = self._clock()
        recent = PREFIX + ulid(now - self._look_back, 0)
        for page in chain(self._bucket.pages(PREFIX, recent), self._bucket.pages(PREFIX, "", recent)):
            yield [
                one for one in page if GRACE <= now - one.arrived <= self._look_back and not one.key.endswith(FOLDER)
            ]

    def _validated(self, one: NewObject) -> list[str]:
        upload = parse_upload(one)
        return [IGNORED if upload is None else self._validator.validate(upload)]
