"""Rules by which the uploads in the bucket change a meeting's record. They make no AWS calls.

- A malformed `complete.json` fails the meeting, unless it is in progress or ready. Such a meeting does not change.
- Another content starts a new attempt. So does a new `complete.json` for a failed meeting, because the client wants a
  retry.
- Otherwise, a new `complete.json` with the same content only changes the description.
- An incomplete meeting lists its missing and wrong chunks. If there are none, it is processed.

These rules compare names and sizes of chunks. Only the media job checks the chunks' hashes and decodes them. If the
media job rejected a recording, processing starts again only after a chunk or `complete.json` was uploaded again.
Otherwise each rejection would start the next job.
"""

from collections.abc import Callable
from datetime import datetime

from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_state_transitions import stamp_change, wrong_chunk_fields
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId
from handlers.meetings.upload_completion_file import CompleteFile, WrongChunk
from handlers.meetings.upload_reader import UploadedChunks, UploadedCompleteFile

FindChunks = Callable[[CompleteFile], UploadedChunks]


def apply_upload(
    record: MeetingRecord | None,
    meeting: MeetingId,
    upload: UploadedCompleteFile,
    find_chunks: FindChunks,
    at: datetime,
) -> MeetingRecord:
    """Return the record according to the current uploads; return the same record if nothing changes.

    `find_chunks` lists the chunks. It is only called if the result depends on them.
    """
    if upload.file is None:
        return _apply_malformed(record, meeting, upload, at)
    if record is None or record.content != upload.file.content or _is_retry(record, upload):
        updated = _new_attempt(record, meeting, upload, upload.file, at)
    else:
        updated = record.model_copy(update=_description_fields(record, upload, upload.file))
    if updated.status is not MeetingStatus.INCOMPLETE:
        return stamp_change(record, updated, at)
    return stamp_change(record, _apply_chunks(updated, upload, find_chunks(upload.file)), at)


def _apply_malformed(
    record: MeetingRecord | None, meeting: MeetingId, upload: UploadedCompleteFile, at: datetime
) -> MeetingRecord:
    update: dict[str, object] = {
        "status": MeetingStatus.FAILED,
        "reason": MeetingReason.MALFORMED,
        "complete_fingerprint": upload.fingerprint,
        **wrong_chunk_fields(
            (WrongChunk(name=COMPLETE_FILE_NAME, problem=upload.problem, fields=upload.wrong_fields),)
        ),
    }
    if record is None:
        return stamp_change(None, _empty_record(meeting, at).model_copy(update=update), at)
    if (
        record.status in {MeetingStatus.PROCESSING, MeetingStatus.READY}
        or record.complete_fingerprint == upload.fingerprint
    ):
        return record
    # A second failure in the same attempt would not raise the meeting's rank.
    attempt = record.attempt + 1 if record.status is MeetingStatus.FAILED else record.attempt
    return stamp_change(record, record.model_copy(update={**update, "attempt": attempt}), at)


def _is_retry(record: MeetingRecord, upload: UploadedCompleteFile) -> bool:
    """Return True if a failed meeting has a new `complete.json`. A repeated event names the same object and is no
    retry.
    """
    return record.status is MeetingStatus.FAILED and record.complete_fingerprint != upload.fingerprint


def _new_attempt(
    record: MeetingRecord | None, meeting: MeetingId, upload: UploadedCompleteFile, file: CompleteFile, at: datetime
) -> MeetingRecord:
    empty = _empty_record(meeting, at)
    inherited: dict[str, object] = (
        {} if record is None else {"attempt": record.attempt + 1, "created_at": record.created_at}
    )
    return empty.model_copy(update={**inherited, "content": file.content, **_description_fields(empty, upload, file)})


def _description_fields(record: MeetingRecord, upload: UploadedCompleteFile, file: CompleteFile) -> dict[str, object]:
    fields: dict[str, object] = {
        "title": file.title,
        "started_at": file.started_at,
        "participants": file.participants,
        "tags": file.tags,
        "complete_fingerprint": upload.fingerprint,
    }
    if record.status is MeetingStatus.INCOMPLETE:
        # The language is fixed once processing has started.
        fields |= {"language": file.language, "size": file.size}
    return fields


def _apply_chunks(record: MeetingRecord, upload: UploadedCompleteFile, chunks: UploadedChunks) -> MeetingRecord:
    if chunks.wrong:
        return record.model_copy(update={**wrong_chunk_fields(chunks.wrong), "last_tried_uploads": ""})
    uploads = f"{upload.fingerprint} {chunks.fingerprint}"
    if record.last_tried_uploads == uploads:  # the media job rejected exactly these uploads
        return record
    update = {
        "status": MeetingStatus.PROCESSING,
        "stage": Stage.MEDIA,
        "last_tried_uploads": uploads,
        "whole_at": timestamp(
            upload.uploaded_at if chunks.last_uploaded_at is None else max(upload.uploaded_at, chunks.last_uploaded_at)
        ),
        **wrong_chunk_fields(()),
    }
    return record.model_copy(update=update)


def _empty_record(meeting: MeetingId, at: datetime) -> MeetingRecord:
    """Return the record of a meeting without any known content."""
    now = timestamp(at)
    return MeetingRecord(
        user=meeting.user,
        meeting_id=meeting.meeting_id,
        content="",
        title="",
        started_at=now,
        language="",
        status=MeetingStatus.INCOMPLETE,
        since=now,
        size=0,
        created_at=now,
        updated_at=now,
    )
