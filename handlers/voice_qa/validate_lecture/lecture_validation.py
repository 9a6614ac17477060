"""Validation of uploaded lectures: judge an upload, write the verdict to the lecture's item in the table, and report it
to the guest who uploaded the lecture.

An upload is only judged if the item describes no upload yet, or one over which this upload takes precedence
(`compare_uploads`). So repeated, late and reordered events change nothing. If a concurrent invocation changes the item
meanwhile, the upload is compared with the changed item, but not judged again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws import ParallelCalls
from handlers.common.events import BatchFailures, InvalidEvent, parse_new_objects
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.records import MAX_ATTEMPTS, TooManyWriters
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.lecture_table import LectureTable, WrittenVerdict
from handlers.voice_qa.lecture_upload_rules import (
    LectureLimits,
    LectureUpload,
    LectureVerdict,
    RejectedAudio,
    StoredUpload,
    UploadPrecedence,
    compare_uploads,
    parse_upload,
)
from handlers.voice_qa.validate_lecture.lecture_audio import probe
from handlers.voice_qa.validate_lecture.lecture_bucket import LectureBucket, ObjectGone

FOLDER_SUFFIX = "/"
"""End of the key of a folder object that the S3 console creates."""


class ValidationOutcome(StrEnum):
    """Outcome of validating one upload."""

    READY = "ready"
    REJECTED = "rejected"
    SAME = "same"
    """The item already contains the verdict on this upload."""
    NOT_REPLACED = "older"
    """The item was not changed, because the upload does not take precedence over the upload that the item describes."""
    GONE = "gone"
    """The uploaded version no longer exists."""


class LectureValidator:
    """Validator of single uploads, and of the uploads in a batch of S3 notifications."""

    def __init__(
        self,
        bucket: LectureBucket,
        table: LectureTable,
        limits: LectureLimits,
        *,
        parallel: ParallelCalls,
        connections: WebSocketConnections,
        log: EventLog,
        clock: Callable[[], datetime],
    ) -> None:
        """`connections` belong to the WebSocket API."""
        self._bucket = bucket
        self._table = table
        self._limits = limits
        self._connections = connections
        self._parallel = parallel
        self._log = log
        self._clock = clock

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Validate the uploads in a batch of S3 notifications. Return the messages that SQS must deliver again."""
        failed: set[str] = set()
        announced: list[tuple[str, LectureUpload]] = []
        ignored = 0
        for message in messages:
            try:
                for new_object in parse_new_objects(message["body"]):
                    if new_object.bucket != self._bucket.name:
                        raise InvalidEvent("the notification is for another bucket")
                    upload = parse_upload(new_object)
                    if upload is None:
                        if not new_object.key.endswith(FOLDER_SUFFIX):
                            # An alarm counts this event, because the uploader waits for a lecture that will never exist.
                            self._log.warning("lecture_key_ignored", key_hash=hash_for_log(new_object.key))
                        ignored += 1
                    else:
                        announced.append((message["messageId"], upload))
            except ValueError as error:  # of pydantic, or InvalidEvent
                # SQS redelivers the message a few times and then moves it to the dead-letter queue for an operator.
                self._log.failure("message_failed", error)
                failed.add(message["messageId"])
        outcomes = self._parallel.call_each(self.validate, [upload for _, upload in announced])
        for (identifier, _), outcome in zip(announced, outcomes, strict=True):
            if isinstance(outcome, Exception):
                # SQS redelivers only this message of the batch.
                self._log.failure("message_failed", outcome)
                failed.add(identifier)
        count = Counter(outcome for outcome in outcomes if isinstance(outcome, ValidationOutcome))
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
                {"itemIdentifier": message["messageId"]} for message in messages if message["messageId"] in failed
            ]
        }

    def validate(self, upload: LectureUpload) -> ValidationOutcome:
        """Validate one upload, unless the lecture's item describes this upload or one that takes precedence over it."""
        verdict: LectureVerdict | None = None
        for _ in range(MAX_ATTEMPTS):
            stored = self._table.find_upload(upload.lecture_id)
            precedence = self._compare_with_stored(stored, upload)
            if precedence is not UploadPrecedence.HIGHER:
                self._log.info("lecture_unchanged", outcome=precedence, key_hash=hash_for_log(upload.object.key))
                return ValidationOutcome.SAME if precedence is UploadPrecedence.SAME else ValidationOutcome.NOT_REPLACED
            if verdict is None:
                try:
                    verdict = self._judge(upload)
                except ObjectGone:
                    self._log.info("lecture_gone", key_hash=hash_for_log(upload.object.key))
                    return ValidationOutcome.GONE
            if (written := self._table.write_verdict(upload, verdict, stored, self._clock())) is not None:
                if written.connection:
                    self._notify(written)
                return ValidationOutcome(verdict.status)
        raise TooManyWriters

    def _notify(self, written: WrittenVerdict) -> None:
        """Post the verdict to the guest who uploaded the lecture.

        A failure is only logged, because the verdict is already stored and the client can request it.
        """
        try:
            self._connections.post(written.connection, written.report)
        except (ClientError, BotoCoreError) as error:
            self._log.failure("lecture_not_reported", error, level="WARNING")

    def _compare_with_stored(self, stored: StoredUpload | None, upload: LectureUpload) -> UploadPrecedence:
        precedence = compare_uploads(stored, upload)
        if precedence is not UploadPrecedence.ASK_BUCKET:
            return precedence
        return UploadPrecedence.HIGHER if self._bucket.is_current(upload.object) else UploadPrecedence.LOWER

    def _judge(self, upload: LectureUpload) -> LectureVerdict:
        started, file = self._clock(), self._bucket.open(upload.object)
        try:
            self._limits.check_before_reading(upload)
            verdict = self._limits.judge(probe(file))
        except RejectedAudio as error:
            verdict = self._limits.rejection(error.reason)
        self._log.info(
            "lecture_validated",
            outcome=verdict.status,
            code=verdict.problem,
            key_hash=hash_for_log(upload.object.key),
            milliseconds=(self._clock() - started) // timedelta(milliseconds=1),
            bytes_read=file.fetched,
            requests=file.requests,
        )
        return verdict
