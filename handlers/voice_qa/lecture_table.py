"""DynamoDB gateway for the lecture items in voice Q&A's table. It uses only GetItem and UpdateItem.

A lecture is a recording. Guests, browser users with unauthenticated Cognito credentials, ask questions about it. The
lecture validator writes its verdict on an uploaded lecture to the lecture's item: ready, or rejected with a reason. The
WebSocket handler and the query worker read from the item whether guests can ask about the lecture.

A verdict is written on condition that the item still describes the upload that it described when the validation began.
The write does not change other attributes, such as the owner. Items of lectures do not expire.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handlers.common.ids import timestamp
from handlers.common.records import serialize_item, serialize_value
from handlers.voice_qa.lecture_upload_rules import LectureStatus, LectureUpload, LectureVerdict, StoredUpload
from handlers.voice_qa.table_records import lecture_key
from handlers.voice_qa.websocket_messages import (
    LectureReport,
    LectureState,
    RejectionReason,
    UnanswerableQuestion,
    VoiceQaErrorCode,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

SCHEMA_VERSION = 1
"""Version of the items' format. No code reads it yet."""
MAX_REASON_CHARS = 300
"""Maximum length of a rejection's reason in a message to a client."""
NO_REASON = "The recording cannot be used."
"""Reason for the rejection, if the lecture's item states none."""
DURATION_PATTERN = re.compile(r"[0-9]{1,12}")
"""Duration as the validator writes it: whole milliseconds. A lecture without such a duration counts as not ready."""


@dataclass(frozen=True)
class ReadyLecture:
    """A lecture that guests can ask about: the validated version of its audio."""

    key: str
    """Key of the object in the audio bucket."""
    version_id: str
    format: str
    """Name of an `AudioFormat`."""
    duration_ms: int


@dataclass(frozen=True)
class WrittenVerdict:
    """A verdict that was written, as a report for the guest who uploaded the lecture."""

    connection: str
    """Id of the connection to which the report is sent. Empty if no guest requested the upload."""
    report: LectureReport


class LectureTable:
    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def find_upload(self, lecture_id: str) -> StoredUpload | None:
        """Return the upload that a lecture's item describes, or None before the first verdict."""
        item = self._read_item(lecture_id)
        if item is None or "object_key" not in item:
            return None
        return StoredUpload(
            object_key=item["object_key"]["S"],
            version_id=item["version_id"]["S"],
            etag=item["etag"]["S"],
            uploaded_at=item["uploaded_at"]["S"],
            misplaced=item.get("reason_code", {}).get("S") == RejectionReason.MISPLACED,
        )

    def write_verdict(
        self, upload: LectureUpload, verdict: LectureVerdict, stored: StoredUpload | None, now: datetime
    ) -> WrittenVerdict | None:
        """Write the verdict on an upload. `stored` is the upload that `find_upload` returned before.

        Return None if the item no longer describes `stored`, because a concurrent invocation wrote another verdict.
        """
        values = _verdict_attributes(upload, verdict, now)
        sets = [f"#{name} = :{name}" for name, value in values.items() if value is not None]
        removed = [f"#{name}" for name, value in values.items() if value is None]
        condition, known_values = "attribute_not_exists(#object_key)", {}
        if stored is not None:
            condition = "#object_key = :known_key AND #version_id = :known_version AND #etag = :known_etag"
            known_values = {
                ":known_key": stored.object_key,
                ":known_version": stored.version_id,
                ":known_etag": stored.etag,
            }
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=serialize_item(lecture_key(upload.lecture_id)),
                UpdateExpression=f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(removed)}" if removed else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues={
                    **{f":{name}": serialize_value(value) for name, value in values.items() if value is not None},
                    **{name: serialize_value(value) for name, value in known_values.items()},
                },
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        item = answer["Attributes"]
        return WrittenVerdict(item.get("listener", {}).get("S", ""), _to_report(upload.lecture_id, item))

    def find_ready(self, lecture_id: str) -> ReadyLecture:
        """Return a lecture that guests can ask about. Raises UnanswerableQuestion for any other lecture."""
        item = self._read_item(lecture_id)
        if item is None:
            raise UnanswerableQuestion(VoiceQaErrorCode.LECTURE_UNKNOWN, "There is no lecture with this id.")
        report = _to_report(lecture_id, item)
        if report.state is LectureState.REJECTED:
            raise UnanswerableQuestion(VoiceQaErrorCode.LECTURE_REJECTED, report.message or NO_REASON)
        if report.state is not LectureState.READY or report.duration_ms is None:
            raise UnanswerableQuestion(
                VoiceQaErrorCode.LECTURE_NOT_READY, "The lecture is not ready yet. Ask again later.", retryable=True
            )
        return ReadyLecture(item["object_key"]["S"], item["version_id"]["S"], item["format"]["S"], report.duration_ms)

    def store_owner(self, lecture_id: str, owner: str, listener: str) -> None:
        """Store the guest who will upload the lecture, and the connection to which the lecture's report is sent.

        Values that the item already has are kept.
        """
        self._client.update_item(
            TableName=self._name,
            Key=serialize_item(lecture_key(lecture_id)),
            UpdateExpression=(
                "SET #owner = if_not_exists(#owner, :owner), schema_version = if_not_exists(schema_version, :schema), "
                "#listener = if_not_exists(#listener, :listener)"
            ),
            ExpressionAttributeNames={"#owner": "owner", "#listener": "listener"},
            ExpressionAttributeValues={
                ":owner": {"S": owner},
                ":schema": {"N": str(SCHEMA_VERSION)},
                ":listener": {"S": listener},
            },
        )

    def register_listener(self, lecture_id: str, owner: str, listener: str) -> LectureReport | None:
        """Register a connection of the owner for the lecture's next report, and return the current report.

        One update stores the connection and reads the state. So the report contains every verdict that was written
        before this update, and later verdicts are sent to this connection. Return None if the lecture has another owner
        or does not exist.
        """
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=serialize_item(lecture_key(lecture_id)),
                UpdateExpression="SET #listener = :listener",
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner", "#listener": "listener"},
                ExpressionAttributeValues={":owner": {"S": owner}, ":listener": {"S": listener}},
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return _to_report(lecture_id, answer["Attributes"])

    def _read_item(self, lecture_id: str) -> Mapping[str, Any] | None:
        key = serialize_item(lecture_key(lecture_id))
        return self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")


def _to_report(lecture_id: str, item: Mapping[str, Any]) -> LectureReport:
    """Return the report of a lecture's item."""
    status, duration = item.get("status", {}).get("S"), item.get("duration_ms", {}).get("N", "")
    if status == LectureStatus.REJECTED:
        code = item.get("reason_code", {}).get("S")
        reason = item.get("reason", {}).get("S") or NO_REASON
        return LectureReport(
            lecture_id=lecture_id,
            state=LectureState.REJECTED,
            code=RejectionReason(code) if code in set(RejectionReason) else None,
            message=reason[:MAX_REASON_CHARS],
        )
    if status != LectureStatus.READY or not DURATION_PATTERN.fullmatch(duration):
        return LectureReport(lecture_id=lecture_id, state=LectureState.PENDING)
    return LectureReport(lecture_id=lecture_id, state=LectureState.READY, duration_ms=int(duration))


def _verdict_attributes(upload: LectureUpload, verdict: LectureVerdict, now: datetime) -> dict[str, str | int | None]:
    """Return the attributes to write. None removes the value of an earlier verdict."""
    audio = verdict.audio
    return {
        "status": verdict.status,
        "reason_code": verdict.problem,
        "reason": verdict.sentence,
        "format": audio.format if audio else None,
        "duration_ms": audio.duration_ms if audio else None,
        "size": upload.object.size,
        "object_key": upload.object.key,
        "version_id": upload.object.version_id,
        "etag": upload.object.etag,
        "uploaded_at": upload.uploaded_at,
        "validated_at": timestamp(now),
        "schema_version": SCHEMA_VERSION,
    }
