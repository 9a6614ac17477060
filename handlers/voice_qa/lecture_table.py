"""Lectures in the subsystem's table: read and written here alone, with GetItem and UpdateItem.

A lecture's item has `lecture#<lectureId>` as its partition, which no identity can match, and no time to live. What it
says beyond validation, such as who owns the lecture, is not touched. An update holds only where the item still is
about the upload that its writer found there: whoever comes second reads again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handlers.common.audio.audio_file import RejectionReason
from handlers.common.aws.dynamodb_values import stored, typed
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.voice_qa.client_messages import UnanswerableQuestion, VoiceQaErrorCode
from handlers.voice_qa.lectures import KnownUpload, LectureStatus, LectureUpload, LectureVerdict
from handlers.voice_qa.table_records import lecture_key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

SCHEMA_VERSION = 1
MAX_REASON_CHARS = 300
NO_REASON = "The recording cannot be used."
LENGTH = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class ReadyLecture:
    """A lecture that may be asked about: the version of its audio that was validated."""

    key: str
    version_id: str
    format: str
    duration_ms: int


class LectureTable:
    """Items of lectures, one each."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def known(self, lecture_id: str) -> KnownUpload | None:
        """Which upload a lecture's item is about; none where it is about none yet."""
        answer = self._client.get_item(TableName=self._name, Key=stored(lecture_key(lecture_id)), ConsistentRead=True)
        item: Mapping[str, Any] = answer.get("Item", {})
        if "object_key" not in item:
            return None
        return KnownUpload(
            object_key=item["object_key"]["S"],
            version_id=item["version_id"]["S"],
            etag=item["etag"]["S"],
            uploaded_at=item["uploaded_at"]["S"],
            misplaced=item.get("reason_code", {}).get("S") == RejectionReason.MISPLACED,
        )

    def record(self, upload: LectureUpload, verdict: LectureVerdict, known: KnownUpload | None, now: datetime) -> bool:
        """Writes what became of an upload; false where the item is no longer about what was known."""
        values = _values(upload, verdict, now)
        sets = [f"#{name} = :{name}" for name, value in values.items() if value is not None]
        gone = [f"#{name}" for name, value in values.items() if value is None]
        condition, about = "attribute_not_exists(#object_key)", {}
        if known is not None:
            condition = "#object_key = :known_key AND #version_id = :known_version AND #etag = :known_etag"
            about = {":known_key": known.object_key, ":known_version": known.version_id, ":known_etag": known.etag}
        try:
            self._client.update_item(
                TableName=self._name,
                Key=stored(lecture_key(upload.lecture_id)),
                UpdateExpression=f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(gone)}" if gone else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues={
                    **{f":{name}": typed(value) for name, value in values.items() if value is not None},
                    **{name: typed(value) for name, value in about.items()},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def ready(self, lecture_id: str) -> ReadyLecture:
        """A lecture that may be asked about; raises Unanswerable."""
        answer = self._client.get_item(TableName=self._name, Key=stored(lecture_key(lecture_id)), ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        if item is None:
            raise UnanswerableQuestion(VoiceQaErrorCode.LECTURE_UNKNOWN, "There is no such lecture.")
        status, duration = item.get("status", {}).get("S"), item.get("duration_ms", {}).get("N", "")
        if status == LectureStatus.REJECTED:
            reason = item.get("reason", {}).get("S") or NO_REASON
            raise UnanswerableQuestion(VoiceQaErrorCode.LECTURE_REJECTED, reason[:MAX_REASON_CHARS])
        if status != LectureStatus.READY or not LENGTH.fullmatch(duration):
            raise UnanswerableQuestion(
                VoiceQaErrorCode.LECTURE_NOT_READY, "The lecture is not ready yet. Ask again later.", retryable=True
            )
        return ReadyLecture(item["object_key"]["S"], item["version_id"]["S"], item["format"]["S"], int(duration))

    def reserve(self, lecture_id: str, owner: str) -> None:
        """Says whose a lecture is, before anything is uploaded; who has it already keeps it."""
        self._client.update_item(
            TableName=self._name,
            Key=stored(lecture_key(lecture_id)),
            UpdateExpression=(
                "SET #owner = if_not_exists(#owner, :owner), schema_version = if_not_exists(schema_version, :schema)"
            ),
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}, ":schema": {"N": str(SCHEMA_VERSION)}},
        )


def _values(upload: LectureUpload, verdict: LectureVerdict, now: datetime) -> dict[str, str | int | None]:
    """What is written; none where an earlier verdict's value must not stay."""
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
