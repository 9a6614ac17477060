"""User of the meetings backend in flows and end-to-end tests, who uploads recordings and reads the results.

The user has AWS credentials of the token exchange, as the console has. A recording consists of files, its chunks.
`complete.json`, the list of the chunks, completes an upload.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from handlers.common.ids import new_id, timestamp
from handlers.common.records import deserialize_item
from handlers.meetings.auth_exchange.api import ExchangeResponse
from handlers.meetings.bedrock_summarize.models import Summary, Transcript
from handlers.meetings.record import INDEX, PARTITION, SORT, MeetingRecord, MeetingStatus
from handlers.meetings.recording_files import Chunk, CompleteFile
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId
from local.flows import Connect, eventually

FINAL_STATUSES = (MeetingStatus.READY, MeetingStatus.FAILED)
_ALLOWED_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}", re.ASCII)


@dataclass(frozen=True)
class NewMeeting:
    """A meeting to upload. A second upload with the same id replaces the recording, or restarts a failed meeting."""

    title: str = "A meeting"
    participants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    meeting_id: str = field(default_factory=new_id)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def describe_upload(self, chunks: Sequence[Path]) -> CompleteFile:
        """Return the content of `complete.json` for these chunks."""
        listed_chunks = [
            Chunk(name=name, bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for name, path in zip(chunk_names(chunks), chunks, strict=True)
        ]
        return CompleteFile(
            schema_version=1,
            title=self.title,
            started_at=timestamp(self.started_at),
            participants=self.participants,
            tags=self.tags,
            chunks=tuple(listed_chunks),
        )


def chunk_names(chunks: Sequence[Path]) -> list[str]:
    """Return the object names of the chunks: their numbers and, if the backend accepts it in a name, their suffixes."""
    return [
        f"{number:05d}{path.suffix if _ALLOWED_SUFFIX.fullmatch(path.suffix) else ''}"
        for number, path in enumerate(chunks)
    ]


class MeetingsUser:
    """User with boto3 clients that use the user's credentials. Threads may share it."""

    def __init__(self, access: ExchangeResponse, connect: Connect) -> None:
        client = connect((access.access_key_id, access.secret_access_key, access.session_token))
        self.user = access.user
        """Id of the user, as object and table keys contain it."""
        self.bucket, self.table = access.bucket_name, access.table_name
        self.s3 = client("s3")
        self.dynamodb = client("dynamodb")

    def upload(self, meeting: NewMeeting, chunks: Sequence[Path]) -> str:
        """Upload the chunks and then `complete.json`. Return the hash that identifies the recording."""
        for name, path in zip(chunk_names(chunks), chunks, strict=True):
            self.put(meeting.meeting_id, name, path.read_bytes())
        return self.complete(meeting, chunks)

    def complete(self, meeting: NewMeeting, chunks: Sequence[Path]) -> str:
        """Upload `complete.json` without the chunks. Return the hash that identifies the recording."""
        complete_file = meeting.describe_upload(chunks)
        self.put(meeting.meeting_id, COMPLETE_FILE_NAME, complete_file.model_dump_json(by_alias=True).encode())
        return complete_file.content

    def put(self, meeting_id: str, name: str, content: bytes) -> None:
        """Upload an object of a meeting. S3 refuses it if its SHA-256 hash differs."""
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        key = MeetingId(self.user, meeting_id).upload_key(name)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, ChecksumSHA256=checksum)

    def list_uploads(self, meeting_id: str) -> list[str]:
        """Return the names of a meeting's uploaded objects. A client uses them to continue an interrupted upload."""
        prefix = MeetingId(self.user, meeting_id).upload_prefix
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", ())]

    def find(self, meeting_id: str) -> MeetingRecord | None:
        """Return the meeting's record. None if the backend has received none of its uploads yet."""
        key = {PARTITION: {"S": self.user}, SORT: {"S": meeting_id}}
        item = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else MeetingRecord.model_validate(deserialize_item(item))

    def list_newest_first(self) -> list[MeetingRecord]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=INDEX,
            KeyConditionExpression="#user = :user",
            ExpressionAttributeNames={"#user": PARTITION},
            ExpressionAttributeValues={":user": {"S": self.user}},
            ScanIndexForward=False,
        )
        return [MeetingRecord.model_validate(deserialize_item(item)) for page in pages for item in page["Items"]]

    def wait_for_status(
        self, meeting_id: str, *statuses: MeetingStatus, content: str | None = None, seconds: float = 60
    ) -> MeetingRecord:
        """Wait until the meeting has one of these statuses, by default ready or failed.

        With `content`, the hash that identifies a recording, a status of another recording of the meeting does not count.
        """

        def read_with_status() -> MeetingRecord | None:
            record = self.find(meeting_id)
            if record is None or record.status not in (statuses or FINAL_STATUSES):
                return None
            return record if content in {None, record.content} else None

        return eventually(read_with_status, "the final status of the meeting", seconds)

    def read_transcript(self, record: MeetingRecord) -> Transcript:
        return Transcript.model_validate_json(self._read(record.transcript_key))

    def read_summary(self, record: MeetingRecord) -> Summary:
        return Summary.model_validate_json(self._read(record.summary_key))

    def _read(self, key: str | None) -> bytes:
        assert key is not None, "the meeting has no such result"
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
