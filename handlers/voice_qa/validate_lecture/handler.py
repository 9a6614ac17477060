"""Lambda function that validates uploaded lectures, the recordings about which guests ask questions.

A queue of S3 notifications invokes it with new uploads, and delivers a notification again if its validation fails. The
verdict is written to the lecture's item. S3 may deliver notifications twice and in any order. So an upload is only
judged if the item describes no upload yet or an older one.

An upload may be replaced or deleted before it is read. So each read names the version and the ETag of the notification. In
a bucket without versioning, only the ETag shows that the object was replaced. Such an object is not judged: a
replacement has its own notification, and a deleted object needs no verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from handlers.common.aws import CONFIG
from handlers.common.events import (
    BatchFailures,
    InvalidEvent,
    NotifiedObject,
    parse_new_objects,
    process_batch,
)
from handlers.common.logging import EventLog, hash_for_log
from handlers.voice_qa.environment import (
    LECTURE_MAX_SECONDS,
    LECTURE_MIN_SECONDS,
    AudioFormat,
    ValidatorEnvironment,
)
from handlers.voice_qa.messages import LectureState, RejectionReason
from handlers.voice_qa.records import Lecture, LectureTable, parse_lecture_id
from handlers.voice_qa.validate_lecture.lecture_audio import AudioFile, RangedFile, RejectedAudio, probe

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

GONE_CODES = {"NoSuchKey", "NoSuchVersion", "PreconditionFailed"}
"""Error codes of GetObject if the object or the version does not exist, or has another ETag."""
REJECTIONS = {
    RejectionReason.EMPTY: "The file is empty.",
    RejectionReason.TOO_LARGE: "The file is too large: the maximum is {max_bytes} bytes.",
    RejectionReason.UNKNOWN_FORMAT: f"The format of the file is unknown. Allowed formats: {', '.join(AudioFormat)}.",
    RejectionReason.UNREADABLE: "The file looks like a recording but cannot be read. Export it again.",
    RejectionReason.NO_AUDIO: "The file has no sound.",
    RejectionReason.NO_DURATION: "The file does not state its duration. Export it again.",
    RejectionReason.TOO_SHORT: f"The recording is too short: the minimum is {LECTURE_MIN_SECONDS} seconds.",
    RejectionReason.TOO_LONG: f"The recording is too long: the maximum is {LECTURE_MAX_SECONDS} seconds.",
}
"""Reasons for a rejection as sentences for the guest. They contain nothing from the upload."""


@dataclass
class LectureValidator:
    """Validator of the uploads that S3 notifications announce."""

    environment: ValidatorEnvironment
    s3: "S3Client"
    lectures: LectureTable
    log: EventLog

    def handle_notification(self, body: str) -> None:
        """Validate the uploads that an SQS message announces. Raises InvalidEvent or another ValueError for other messages."""
        for new_object in parse_new_objects(body):
            if new_object.bucket != self.environment.s3_bucket:
                raise InvalidEvent("the notification is for another bucket")
            lecture_id = parse_lecture_id(new_object.key)
            if lecture_id is not None:
                if self.lectures.find(lecture_id).is_older_than(new_object.key, new_object.sequencer):
                    self._validate(lecture_id, new_object)
            else:  # the file name or the id is not valid
                self.log.warning("lecture_key_ignored", key_hash=hash_for_log(new_object.key))

    def _validate(self, lecture_id: str, new_object: NotifiedObject) -> None:
        """Write the verdict on an uploaded version, unless it no longer exists."""
        upload = Lecture(key=new_object.key, version_id=new_object.version_id, sequencer=new_object.sequencer)
        try:
            audio = self._measure(new_object)
            verdict = {"status": LectureState.READY, "format": audio.format.value, "duration_ms": audio.duration_ms}
        except RejectedAudio as error:
            message = REJECTIONS[error.reason].format(max_bytes=self.environment.max_lecture_bytes)
            verdict = {"status": LectureState.REJECTED, "code": error.reason, "message": message}
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE_CODES:
                raise
            self.log.info("lecture_gone", key_hash=hash_for_log(new_object.key))
            return
        self.lectures.apply_verdict(lecture_id, upload.model_copy(update=verdict))

    def _measure(self, new_object: NotifiedObject) -> AudioFile:
        """Return format and duration of a lecture. Raises RejectedAudio or ClientError."""
        if new_object.size == 0:
            raise RejectedAudio(RejectionReason.EMPTY)
        if new_object.size > self.environment.max_lecture_bytes:
            raise RejectedAudio(RejectionReason.TOO_LARGE)
        audio = probe(self._open(new_object))
        if audio.duration_ms < LECTURE_MIN_SECONDS * 1000:
            raise RejectedAudio(RejectionReason.TOO_SHORT)
        if audio.duration_ms > LECTURE_MAX_SECONDS * 1000:
            raise RejectedAudio(RejectionReason.TOO_LONG)
        return audio

    def _open(self, new_object: NotifiedObject) -> RangedFile:
        """Return an object as a file that fetches the parts which its caller reads. Nothing is fetched yet."""

        def fetch(start: int, length: int) -> bytes:
            answer = self.s3.get_object(
                Bucket=new_object.bucket,
                Key=new_object.key,
                Range=f"bytes={start}-{start + length - 1}",
                IfMatch=f'"{new_object.etag}"',
                VersionId=new_object.version_id,
            )
            with answer["Body"] as body:
                return body.read()

        return RangedFile(fetch, new_object.size)


@cache
def _validator() -> LectureValidator:
    environment = ValidatorEnvironment.read()
    return LectureValidator(
        environment,
        boto3.client("s3", config=CONFIG),
        LectureTable(boto3.client("dynamodb", config=CONFIG), environment.dynamodb_table),
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    validator = _validator()
    return process_batch(event["Records"], validator.handle_notification, validator.log, event_kind="lecture")
