"""Sweep, a scheduled run of the lecture validator that validates uploaded lectures whose S3 notification was lost.

The sweep lists the objects below `lectures/` that arrived in the last hours, and validates each object that the table
does not describe yet. It logs as `missing` how many objects the table did not describe, whatever the result of their
validation. Objects whose keys contain no lecture's id count too, because an operator should see that they exist.

Lecture ids are ULIDs, which contain their creation time, so keys sort by that time. The sweep lists recent ids first,
and then older ids, because an old id may have a new object. If the time of a sweep runs out, it logs this, and the next
sweep starts with the recent ids again.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.aws.s3_notifications import NewObject
from handlers.common.logging import EventLog
from handlers.common.sweep_loop import SweepLoop
from handlers.common.time_and_ids.ulid import ulid
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.lecture_upload_rules import parse_upload
from handlers.voice_qa.validate_lecture.lecture_bucket import LectureBucket
from handlers.voice_qa.validate_lecture.lecture_validation import LectureValidator, ValidationOutcome

NOTIFICATION_GRACE_PERIOD = timedelta(minutes=15)
"""The sweep ignores younger objects, because their notification may still arrive."""
IGNORED = "ignored"
"""Outcome of an object whose key contains no lecture's id."""
FOLDER_SUFFIX = "/"
"""End of the key of a folder object that the S3 console creates."""


class LectureSweep:
    """Validator of the recent objects in the bucket for which the table has no verdict yet."""

    def __init__(
        self,
        bucket: LectureBucket,
        validator: LectureValidator,
        *,
        parallel: ParallelCalls,
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
        """Run one sweep. Return the counts by outcome."""
        count = self._loop.run(batches=self._recent_objects(), handle=self._validate, failure_event="upload_failed")
        count["missing"] = sum(
            count[outcome] for outcome in (ValidationOutcome.READY, ValidationOutcome.REJECTED, IGNORED, "failed")
        )
        return self._loop.log_counts(
            "lecture_sweep",
            count,
            outcomes=["missing", ValidationOutcome.READY, ValidationOutcome.REJECTED, IGNORED],
        )

    def _recent_objects(self) -> Iterator[list[NewObject]]:
        now = self._clock()
        recent = s3_prefixes.LECTURES + ulid(now - self._look_back, 0)
        for page in chain(
            self._bucket.pages(s3_prefixes.LECTURES, recent), self._bucket.pages(s3_prefixes.LECTURES, "", recent)
        ):
            yield [
                new_object
                for new_object in page
                if NOTIFICATION_GRACE_PERIOD <= now - new_object.arrived <= self._look_back
                and not new_object.key.endswith(FOLDER_SUFFIX)
            ]

    def _validate(self, new_object: NewObject) -> list[str]:
        upload = parse_upload(new_object)
        return [IGNORED if upload is None else self._validator.validate(upload)]
