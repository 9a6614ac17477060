"""Presigned S3 forms with which guests upload spoken questions and lectures. Guests can also ask for the state of a
lecture that they upload.

S3 only accepts an upload with the key and content type of its form, up to a maximum size, and during the form's
lifetime. The query worker checks uploaded questions, and the lecture validator checks uploaded lectures.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from handlers.common import ids
from handlers.common.errors import HandlerError
from handlers.common.records import Records
from handlers.voice_qa.environment import LECTURES, QUERIES, SocketEnvironment
from handlers.voice_qa.lectures import LectureTable
from handlers.voice_qa.table_records import DAY_MS, Counter, count_within_limit, counter_key
from handlers.voice_qa.websocket_messages import (
    LectureReport,
    Upload,
    UploadKind,
    UploadReady,
    VoiceQaErrorCode,
    WatchLecture,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class UploadForms:
    """Factory for upload forms, which also reports the state of lectures."""

    def __init__(
        self,
        client: "S3Client",
        lectures: LectureTable,
        counters: Records[Counter],
        environment: SocketEnvironment,
        *,
        clock_ms: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        """`client` has the configuration of `build_presigning_config`, and `new_id` returns ULIDs."""
        self._client = client
        self._lectures = lectures
        self._counters = counters
        self._environment = environment
        self._clock_ms = clock_ms
        self._new_id = new_id

    def create_form(self, guest_id: str, connection: str, message: Upload) -> UploadReady:
        """Return a form for the requested kind of upload. Raises HandlerError if the guest may not upload a lecture.

        `connection` is the id of the guest's connection, to which the verdict on an uploaded lecture is sent.
        """
        match message.kind:
            case UploadKind.QUERY:
                key = f"{QUERIES}{guest_id}/{self._new_id()}"
                return self._sign_form(message, key, self._environment.max_query_bytes)
            case UploadKind.LECTURE:
                return self._create_lecture_form(guest_id, connection, message)

    def watch_lecture(self, guest_id: str, connection: str, message: WatchLecture) -> LectureReport:
        """Return the state of a lecture that the guest uploads. A later verdict is sent to this connection.

        Raises HandlerError if the guest uploads no lecture with this id.
        """
        report = self._lectures.register_listener(message.lecture_id, guest_id, connection)
        if report is None:
            raise HandlerError(VoiceQaErrorCode.LECTURE_UNKNOWN, "You have uploaded no lecture with this id.")
        return report

    def _create_lecture_form(self, guest_id: str, connection: str, message: Upload) -> UploadReady:
        if self._environment.lecture_uploads == "off":
            raise HandlerError(VoiceQaErrorCode.UPLOAD_REFUSED, "This stack does not accept lectures from guests.")
        lecture_id, limit = self._new_id(), self._environment.lectures_per_day
        counter = counter_key(guest_id, "lectures", self._clock_ms() // DAY_MS)
        if not count_within_limit(self._counters, counter, lecture_id, limit):
            raise HandlerError(
                VoiceQaErrorCode.UPLOAD_REFUSED, f"Daily limit of {limit} lectures reached. Try again tomorrow."
            )
        key = f"{LECTURES}{lecture_id}/{self._new_id()}"
        self._lectures.store_owner(lecture_id, guest_id, connection)
        return self._sign_form(message, key, self._environment.max_lecture_bytes, lecture_id)

    def _sign_form(self, message: Upload, key: str, max_bytes: int, lecture_id: str | None = None) -> UploadReady:
        content_type = {"Content-Type": message.content_type}
        post = self._client.generate_presigned_post(
            self._environment.s3_bucket,
            key,
            Fields=dict(content_type),
            Conditions=[content_type, ["content-length-range", 1, max_bytes]],
            ExpiresIn=self._environment.url_seconds,
        )
        return UploadReady(
            kind=message.kind,
            url=post["url"],
            fields=post["fields"],
            key=key,
            lecture_id=lecture_id,
            max_bytes=max_bytes,
            expires_seconds=self._environment.url_seconds,
        )


def is_own_query(guest_id: str, key: str) -> bool:
    """Return True if the key has the form of the keys that this guest gets for spoken questions."""
    return re.fullmatch(rf"{QUERIES}{re.escape(guest_id)}/{ids.ULID_PATTERN}", key) is not None
