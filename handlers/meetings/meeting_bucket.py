"""S3 gateway for the meetings bucket: clients' uploads, results of the media job, transcripts and summaries.

A client uploads a recording in chunks, which are files, and then `complete.json`, which lists them. A `WrongChunk` names one
of these files, also `complete.json`, and its problem.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.common.aws import UNREADABLE_CODES
from handlers.common.errors import to_field_problems
from handlers.common.ids import timestamp
from handlers.meetings.recording_files import MAX_COMPLETE_FILE_BYTES, ChunkProblem, CompleteFile, WrongChunk
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, ObjectTypeDef


@dataclass(frozen=True)
class MeetingBucket:
    """Reads, writes and lists objects of one bucket. It raises S3's errors, whose messages may contain keys."""

    client: "S3Client"
    name: str

    def read(self, key: str) -> bytes | None:
        """Return the bytes of an object that the backend wrote, or None if it does not exist."""
        try:
            return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def open_upload(self, key: str) -> "GetObjectOutputTypeDef | ChunkProblem":
        """Return S3's response with an object that a client uploaded, or the problem if no retry can read it: it does not
        exist, is archived, or was encrypted by the client with its own key. Raises all other errors of S3.
        """
        try:
            return self.client.get_object(Bucket=self.name, Key=key)
        except self.client.exceptions.NoSuchKey:
            return ChunkProblem.MISSING
        except ClientError as error:
            if error.response["Error"]["Code"] in UNREADABLE_CODES:
                return ChunkProblem.UNREADABLE
            raise

    def read_complete_file(self, meeting: MeetingId) -> tuple[CompleteFile | WrongChunk, str | None]:
        """Return a meeting's `complete.json` and the time of its upload, or its problem and None if it cannot be used."""
        answer = self.open_upload(meeting.upload_key(COMPLETE_FILE_NAME))
        if isinstance(answer, ChunkProblem):
            return WrongChunk(name=COMPLETE_FILE_NAME, problem=answer), None
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > MAX_COMPLETE_FILE_BYTES:
                return WrongChunk(name=COMPLETE_FILE_NAME, problem=ChunkProblem.SIZE), None
            text = body.read()
        try:
            return CompleteFile.model_validate_json(text), timestamp(answer["LastModified"])
        except ValidationError as error:
            fields = tuple(to_field_problems(error))
            return WrongChunk(name=COMPLETE_FILE_NAME, problem=ChunkProblem.UNREADABLE, fields=fields), None

    def write(self, key: str, data: str) -> None:
        """Write a JSON object; replace an existing object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data.encode(), ContentType="application/json")

    def upload_file(self, path: Path, key: str, content_type: str) -> None:
        """Upload a local file, in several parts if it is large."""
        self.client.upload_file(str(path), self.name, key, ExtraArgs={"ContentType": content_type})

    def exists(self, key: str) -> bool:
        """Return True if the object exists.

        The object is searched in a listing, because a HEAD request would need the permission to read it. The first page
        is enough, because S3 lists the key itself before all longer keys that begin with it.
        """
        return any(item["Key"] == key for item in next(self.list_pages(key)))

    def list_pages(self, prefix: str) -> "Iterator[list[ObjectTypeDef]]":
        """Yield the objects below a prefix in pages of up to a thousand."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            yield page.get("Contents", [])
