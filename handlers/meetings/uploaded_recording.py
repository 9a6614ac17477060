"""What the bucket holds of a meeting's recording: `complete.json` and chunks, as they are at this moment.

An event may be late, and a bucket need not keep versions: so it is not asked what an event says, but what is there. S3
answers with what was written last, so whoever reads the meeting's item first, then this, and writes the item only if it
still is as it was, never goes back to something older.

Chunks are listed, a thousand at once, and not asked for one by one. A client decides how much else lies beside them:
after some pages, what was not listed counts as missing.
"""

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.common.aws.unreadable_objects import Sealed, meant
from handlers.common.errors import of_validation
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.websocket.messages import WrongField
from handlers.meetings.complete_file import MAX_CHUNKS, MAX_COMPLETE_FILE_BYTES, ChunkProblem, CompleteFile, WrongChunk
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

PAGE_SIZE: Final = 1_000
MAX_PAGES: Final = 4 * MAX_CHUNKS // PAGE_SIZE
"""A recording that was replaced three times has not more."""
FINGERPRINT_DIGITS: Final = 32


@dataclass(frozen=True)
class UploadedCompleteFile:
    """A `complete.json` as it was read."""

    fingerprint: str
    """Which one: another object has another mark."""
    uploaded_at: datetime
    """When it was put there."""
    file: CompleteFile | None
    """None where it says nothing useful."""
    problem: ChunkProblem = ChunkProblem.UNREADABLE
    cause: str = ""
    """Then, for a log: why."""
    wrong_fields: tuple[WrongField, ...] | None = None
    """Then, for its user: which fields break which rules, where it could be read."""


@dataclass(frozen=True)
class UploadedChunks:
    """A recording's chunks as they were found."""

    wrong: tuple[WrongChunk, ...]
    """Missing, or of another size."""
    fingerprint: str
    """Which ones: where one is another object, this is another mark."""
    last_uploaded_at: datetime | None
    """When the last of them was put there."""


class UploadedRecordings:
    """Reads what was uploaded, with GetObject and ListObjectsV2."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read_complete_file(self, meeting: MeetingId) -> UploadedCompleteFile | None:
        """A meeting's `complete.json`; none where there is none. One that is sealed says nothing useful."""
        try:
            return self._read(meeting)
        except Sealed:
            there = self._list_complete_file(meeting)
        try:
            return self._read(meeting)  # another one may have come before it was listed
        except Sealed:
            return there

    def _read(self, meeting: MeetingId) -> UploadedCompleteFile | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=meeting.upload_key(COMPLETE_FILE_NAME))
        except self._client.exceptions.NoSuchKey:
            return None
        except ClientError as error:
            raise meant(error) from None
        at = answer["LastModified"]
        mark = complete_file_fingerprint(answer["ETag"], at)
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > MAX_COMPLETE_FILE_BYTES:
                return UploadedCompleteFile(mark, at, None, ChunkProblem.SIZE, cause="too_long")
            text = body.read()
        try:
            return UploadedCompleteFile(mark, at, CompleteFile.model_validate_json(text))
        except ValidationError as error:
            wrong = tuple(WrongField(field=problem.field, rule=problem.rule) for problem in of_validation(error))
            cause = f"{wrong[0].field}: {wrong[0].rule}"
            return UploadedCompleteFile(mark, at, None, ChunkProblem.UNREADABLE, cause, wrong)

    def _list_complete_file(self, meeting: MeetingId) -> UploadedCompleteFile | None:
        """What a list says of it: without the client's key, nothing else does."""
        key = meeting.upload_key(COMPLETE_FILE_NAME)
        page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        found = next((item for item in page.get("Contents", ()) if item["Key"] == key), None)
        if found is None:
            return None
        at = found["LastModified"]
        return UploadedCompleteFile(
            complete_file_fingerprint(found["ETag"], at), at, None, ChunkProblem.UNREADABLE, cause="sealed"
        )

    def find_chunks(self, meeting: MeetingId, complete: CompleteFile) -> UploadedChunks:
        """A recording's chunks."""
        there = self._list_chunks(meeting, {chunk.name for chunk in complete.chunks})
        wrong: list[WrongChunk] = []
        for chunk in complete.chunks:
            found = there.get(chunk.name)
            if found is None:
                wrong.append(WrongChunk(name=chunk.name, problem=ChunkProblem.MISSING))
            elif found["Size"] != chunk.bytes:
                wrong.append(WrongChunk(name=chunk.name, problem=ChunkProblem.SIZE))
        last = max((item["LastModified"] for item in there.values()), default=None)
        return UploadedChunks(tuple(wrong), _chunks_fingerprint(complete, there), last)

    def _list_chunks(self, meeting: MeetingId, names: set[str]) -> "dict[str, ObjectTypeDef]":
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=meeting.upload_prefix,
            PaginationConfig={"PageSize": PAGE_SIZE, "MaxItems": MAX_PAGES * PAGE_SIZE},
        )
        begins = len(meeting.upload_prefix)
        found = {item["Key"][begins:]: item for page in pages for item in page.get("Contents", ())}
        return {name: found[name] for name in names & found.keys()}


def complete_file_fingerprint(etag: str, at: datetime) -> str:
    """Which `complete.json` it is, whether it was read or listed: reading it tells whole seconds."""
    return f"{etag}@{timestamp(at.replace(microsecond=0))}"


def _chunks_fingerprint(complete: CompleteFile, there: "dict[str, ObjectTypeDef]") -> str:
    """What tells these objects from others: bytes by their ETags, and by when they came what was mended without them.

    The same bytes have the same ETag, whether they lie in an archive or not.
    """
    objects = [_object_fingerprint(there.get(chunk.name)) for chunk in complete.chunks]
    return hashlib.sha256(json.dumps(objects).encode()).hexdigest()[:FINGERPRINT_DIGITS]


def _object_fingerprint(one: "ObjectTypeDef | None") -> str:
    return "" if one is None else f"{one['ETag']}@{timestamp(one['LastModified'])}"
