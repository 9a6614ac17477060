"""Validates uploads: each version of a lecture's object once, until its lecture's item says what became of it.

An upload is read only where it is the newest that is known; its item is written only where nobody else wrote it in
between, and then everything is looked at again. So a repeated or late event changes nothing, whatever the order.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from handlers.common.audio.audio_file import RejectedAudio
from handlers.common.audio.probe import probe
from handlers.common.aws.parallel_calls import Parallel
from handlers.common.aws.s3_notifications import NotAnEvent, new_objects
from handlers.common.aws.sqs_batches import BatchFailures
from handlers.common.aws.versioned_items import ATTEMPTS, TooManyWriters
from handlers.common.logging import EventLog, hashed
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.lectures import (
    KnownUpload,
    LectureLimits,
    LectureUpload,
    LectureVerdict,
    UploadOrder,
    compare_uploads,
    parse_upload,
)
from handlers.voice_qa.validate_lecture.lecture_bucket import LectureBucket, ObjectGone


class ValidationOutcome(StrEnum):
    """What validating one upload came to."""

    READY = "ready"
    REJECTED = "rejected"
    SAME = "same"
    """Its verdict was there already."""
    OLDER = "older"
    """The lecture is about a newer upload."""
    GONE = "gone"


class LectureValidator:
    """Validates uploads, one by one or as queue messages announce them."""

    def __init__(
        self,
        bucket: LectureBucket,
        table: LectureTable,
        limits: LectureLimits,
        *,
        parallel: Parallel,
        log: EventLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._table = table
        self._limits = limits
        self._parallel = parallel
        self._log = log
        self._clock = clock

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        failed: set[str] = set()
        announced: list[tuple[str, LectureUpload]] = []
        ignored = 0
        for message in messages:
            try:
                for one in new_objects(message["body"]):
                    if one.bucket != self._bucket.name:
                        raise NotAnEvent("the notification is another bucket's")  # noqa: TRY301 - refused like others
                    upload = parse_upload(one)
                    if upload is None:
                        self._log.warning("lecture_key_ignored", key_hash=hashed(one.key))
                        ignored += 1
                    else:
                        announced.append((message["messageId"], upload))
            except NotAnEvent:
                # Delivered again a few times, then parked in the dead-letter queue, where a person can look at it.
                self._log.warning("message_refused", code="NOT_AN_S3_EVENT")
                failed.add(message["messageId"])
        outcomes = self._parallel.each(self.validate, [upload for _, upload in announced])
        for (identifier, _), outcome in zip(announced, outcomes, strict=True):
            if isinstance(outcome, Exception):
                # Its message alone goes back; the batch's others must not repeat.
                self._log.error("message_failed", error_type=type(outcome).__name__)
                failed.add(identifier)
        count = Counter(one for one in outcomes if isinstance(one, ValidationOutcome))
        self._log.info(
            "lecture_batch",
            records=len(messages),
            files=len(announced),
            ready=count[ValidationOutcome.READY],
            rejected=count[ValidationOutcome.REJECTED],
            ignored=ignored,
            failed=len(failed),
        )
        return {
            "batchItemFailures": [
                {"itemIdentifier": one["messageId"]} for one in messages if one["messageId"] in failed
            ]
        }

    def validate(self, upload: LectureUpload) -> ValidationOutcome:
        """Validates one upload, unless its lecture is about it already, or about a newer one."""
        verdict: LectureVerdict | None = None
        for _ in range(ATTEMPTS):
            known = self._table.known(upload.lecture_id)
            stands = self._standing(known, upload)
            if stands is not UploadOrder.NEWER:
                self._log.info("lecture_unchanged", outcome=stands, key_hash=hashed(upload.object.key))
                return ValidationOutcome.SAME if stands is UploadOrder.SAME else ValidationOutcome.OLDER
            if verdict is None:
                try:
                    verdict = self._verdict(upload)
                except ObjectGone:
                    self._log.info("lecture_gone", key_hash=hashed(upload.object.key))
                    return ValidationOutcome.GONE
            if self._table.record(upload, verdict, known, self._clock()):
                return ValidationOutcome(verdict.status)
        raise TooManyWriters

    def _standing(self, known: KnownUpload | None, upload: LectureUpload) -> UploadOrder:
        stands = compare_uploads(known, upload)
        if stands is not UploadOrder.BUCKET_KNOWS:
            return stands
        return UploadOrder.NEWER if self._bucket.is_current(upload.object) else UploadOrder.OLDER

    def _verdict(self, upload: LectureUpload) -> LectureVerdict:
        started, file = self._clock(), self._bucket.open(upload.object)
        try:
            self._limits.check_unread(upload)
            verdict = self._limits.judge(probe(file))
        except RejectedAudio as error:
            verdict = self._limits.rejection(error.reason)
        self._log.info(
            "lecture_validated",
            outcome=verdict.status,
            code=verdict.problem or "",
            key_hash=hashed(upload.object.key),
            milliseconds=(self._clock() - started) // timedelta(milliseconds=1),
            bytes_read=file.fetched,
            requests=file.requests,
        )
        return verdict
