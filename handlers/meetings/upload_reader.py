"""Reads the objects that a client uploaded for a meeting from S3: `complete.json`, and a listing of the chunks.

A recording consists of files, which are called chunks, and `complete.json` lists them.

S3 events may arrive late, so this module reads the current objects. Callers must do three steps: read the
meeting's record, read the objects, and write the record only if its version is unchanged. If another invocation has
written a record from newer objects in the meantime, the version has changed, and the write fails.

The chunks are listed, because a HEAD request for each would take longer. A client can upload any number of other
objects below the same prefix, so the listing ends after `MAX_PAGES`. A chunk that is not in these pages counts as
missing.
"""

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.common.errors import to_field_problems
from handlers.common.ids import timestamp
from handlers.common.json_models import WrongField
from handlers.common.unreadable_objects import UnreadableObject, classify_read_error
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId
from handlers.meetings.upload_completion_file import (
    MAX_CHUNKS,
    MAX_COMPLETE_FILE_BYTES,
    ChunkProblem,
    CompleteFile,
    WrongChunk,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

PAGE_SIZE: Final = 1_000
"""Number of objects in one page of a listing."""
MAX_PAGES: Final = 4 * MAX_CHUNKS // PAGE_SIZE
"""Maximum number of pages that a listing reads: enough for four recordings of the maximum size. A client may upload
another recording for the meeting under other chunk names, and the old chunks then stay in the bucket.
"""
FINGERPRINT_DIGITS: Final = 32


@dataclass(frozen=True)
class UploadedCompleteFile:
    """An uploaded `complete.json`, parsed if possible."""

    fingerprint: str
    """Text that changes if `complete.json` is uploaded again."""
    uploaded_at: datetime
    parsed: CompleteFile | None
    """The parsed file. None if it is malformed, too large, or cannot be read."""
    problem: ChunkProblem = ChunkProblem.UNREADABLE
    """Problem of the file if `parsed` is None, for the meeting's record."""
    cause: str = ""
    """Problem of the file if `parsed` is None, for the log."""
    wrong_fields: tuple[WrongField, ...] | None = None
    """Invalid fields of a malformed file and the rules that they break, for the meeting's record."""


@dataclass(frozen=True)
class UploadedChunks:
    """A recording's chunks, according to a listing of the bucket."""

    wrong: tuple[WrongChunk, ...]
    """Chunks that are missing or do not have the size that `complete.json` states."""
    fingerprint: str
    """Hash that changes if a chunk is uploaded again."""
    last_uploaded_at: datetime | None
    """Upload time of the newest chunk. None if all chunks are missing."""


class UploadReader:
    """Reads the objects that clients uploaded, with GetObject and ListObjectsV2."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read_complete_file(self, meeting: MeetingId) -> UploadedCompleteFile | None:
        """Return a meeting's `complete.json`, or None if it does not exist.

        S3 does not return an object that the client encrypted with its own key, or that is archived. Such a file is
        returned with the problem `unreadable`.
        """
        try:
            return self._read(meeting)
        except UnreadableObject:
            listed = self._list_complete_file(meeting)
        try:
            return self._read(meeting)  # the file may have been replaced between the read and the listing
        except UnreadableObject:
            return listed

    def _read(self, meeting: MeetingId) -> UploadedCompleteFile | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=meeting.upload_key(COMPLETE_FILE_NAME))
        except self._client.exceptions.NoSuchKey:
            return None
        except ClientError as error:
            raise classify_read_error(error) from None
        uploaded_at = answer["LastModified"]
        fingerprint = complete_file_fingerprint(answer["ETag"], uploaded_at)
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > MAX_COMPLETE_FILE_BYTES:
                return UploadedCompleteFile(fingerprint, uploaded_at, None, ChunkProblem.SIZE, cause="too_long")
            text = body.read()
        try:
            return UploadedCompleteFile(fingerprint, uploaded_at, CompleteFile.model_validate_json(text))
        except ValidationError as error:
            wrong_fields = tuple(to_field_problems(error))
            cause = f"{wrong_fields[0].field}: {wrong_fields[0].rule}"
            return UploadedCompleteFile(fingerprint, uploaded_at, None, ChunkProblem.UNREADABLE, cause, wrong_fields)

    def _list_complete_file(self, meeting: MeetingId) -> UploadedCompleteFile | None:
        """Describe an unreadable `complete.json` by its entry in a listing, because a HEAD request would need the
        client's key.
        """
        key = meeting.upload_key(COMPLETE_FILE_NAME)
        page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        listed = next((item for item in page.get("Contents", ()) if item["Key"] == key), None)
        if listed is None:
            return None
        uploaded_at = listed["LastModified"]
        return UploadedCompleteFile(
            complete_file_fingerprint(listed["ETag"], uploaded_at),
            uploaded_at,
            None,
            ChunkProblem.UNREADABLE,
            cause="sealed",  # the log's word for an object that S3 does not return
        )

    def find_chunks(self, meeting: MeetingId, complete: CompleteFile) -> UploadedChunks:
        """List a recording's chunks, and compare them with `complete.json`."""
        listed = self._list_chunks(meeting, {chunk.name for chunk in complete.chunks})
        wrong: list[WrongChunk] = []
        for chunk in complete.chunks:
            item = listed.get(chunk.name)
            if item is None:
                wrong.append(WrongChunk(name=chunk.name, problem=ChunkProblem.MISSING))
            elif item["Size"] != chunk.bytes:
                wrong.append(WrongChunk(name=chunk.name, problem=ChunkProblem.SIZE))
        last = max((item["LastModified"] for item in listed.values()), default=None)
        return UploadedChunks(tuple(wrong), _chunks_fingerprint(complete, listed), last)

    def _list_chunks(self, meeting: MeetingId, names: set[str]) -> "dict[str, ObjectTypeDef]":
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=meeting.upload_prefix,
            PaginationConfig={"PageSize": PAGE_SIZE, "MaxItems": MAX_PAGES * PAGE_SIZE},
        )
        prefix_length = len(meeting.upload_prefix)
        items = {item["Key"][prefix_length:]: item for page in pages for item in page.get("Contents", ())}
        return {name: items[name] for name in names & items.keys()}


def complete_file_fingerprint(etag: str, modified_at: datetime) -> str:
    """Return the fingerprint of a `complete.json`. Milliseconds are dropped, because only listings contain them."""
    return f"{etag}@{timestamp(modified_at.replace(microsecond=0))}"


def _chunks_fingerprint(complete: CompleteFile, listed: "dict[str, ObjectTypeDef]") -> str:
    """Hash the ETags and modification times of the chunks.

    If a chunk is uploaded again with the same bytes, for example because the first object was archived and could not be
    read, only its time changes.
    """
    fingerprints = [_object_fingerprint(listed.get(chunk.name)) for chunk in complete.chunks]
    return hashlib.sha256(json.dumps(fingerprints).encode()).hexdigest()[:FINGERPRINT_DIGITS]


def _object_fingerprint(item: "ObjectTypeDef | None") -> str:
    return "" if item is None else f"{item['ETag']}@{timestamp(item['LastModified'])}"
