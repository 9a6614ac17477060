"""Reader of the objects that a client uploaded for a meeting: `complete.json`, and a listing of the chunks.

S3 events may arrive late, so the current objects are read. They are at least as new as the event.

The chunks are listed, because a HEAD request for each would take longer. A client can upload any number of other
objects below the same prefix, so the listing ends after `MAX_PAGES`. A chunk that is not in these pages counts as
missing.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.common.errors import to_field_problems
from handlers.common.unreadable_objects import UnreadableObject, classify_read_error
from handlers.meetings.complete_file import (
    MAX_CHUNKS,
    MAX_COMPLETE_FILE_BYTES,
    ChunkProblem,
    CompleteFile,
    WrongChunk,
)
from handlers.meetings.record import Upload
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PAGE_SIZE: Final = 1_000
"""Number of objects in one page of a listing."""
MAX_PAGES: Final = 4 * MAX_CHUNKS // PAGE_SIZE
"""Maximum number of pages that a listing reads: enough for four recordings of the maximum size. A client may upload
another recording for the meeting under other chunk names, and the old chunks then stay in the bucket.
"""


@dataclass(frozen=True)
class UploadReader:
    """Reads the objects that clients uploaded, with GetObject and ListObjectsV2."""

    client: "S3Client"
    bucket: str

    def read(self, meeting: MeetingId, sequencer: str, event_time: datetime) -> Upload | None:
        """Return a meeting's upload, or None if its `complete.json` does not exist.

        S3 does not return an object that the client encrypted with its own key, or that is archived. Such a file counts
        as malformed, because an exception would fail the event again and again, and raise an alarm.
        """
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=meeting.upload_key(COMPLETE_FILE_NAME))
        except self.client.exceptions.NoSuchKey:
            return None
        except ClientError as error:
            if isinstance(cause := classify_read_error(error), UnreadableObject):
                return _malformed(sequencer, event_time, ChunkProblem.UNREADABLE)
            raise cause from None
        uploaded_at = answer["LastModified"]
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > MAX_COMPLETE_FILE_BYTES:
                return _malformed(sequencer, uploaded_at, ChunkProblem.SIZE)
            text = body.read()
        try:
            complete_file = CompleteFile.model_validate_json(text)
        except ValidationError as error:
            wrong = WrongChunk(
                name=COMPLETE_FILE_NAME, problem=ChunkProblem.UNREADABLE, fields=tuple(to_field_problems(error))
            )
            return Upload(sequencer, uploaded_at, complete_file=None, wrong=(wrong,))
        return Upload(
            sequencer, uploaded_at, complete_file=complete_file, wrong=self._find_wrong_chunks(meeting, complete_file)
        )

    def _find_wrong_chunks(self, meeting: MeetingId, complete: CompleteFile) -> tuple[WrongChunk, ...]:
        """Return the chunks that are missing or have another size than `complete.json` states."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket,
            Prefix=meeting.upload_prefix,
            PaginationConfig={"PageSize": PAGE_SIZE, "MaxItems": MAX_PAGES * PAGE_SIZE},
        )
        prefix_length = len(meeting.upload_prefix)
        sizes = {item["Key"][prefix_length:]: item["Size"] for page in pages for item in page.get("Contents", ())}
        return tuple(
            WrongChunk(name=chunk.name, problem=ChunkProblem.SIZE if chunk.name in sizes else ChunkProblem.MISSING)
            for chunk in complete.chunks
            if sizes.get(chunk.name) != chunk.bytes
        )


def _malformed(sequencer: str, uploaded_at: datetime, problem: ChunkProblem) -> Upload:
    return Upload(
        sequencer, uploaded_at, complete_file=None, wrong=(WrongChunk(name=COMPLETE_FILE_NAME, problem=problem),)
    )
