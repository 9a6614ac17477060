"""Rules by which uploaded objects change a meeting's record. They make no AWS calls.

The uploaded objects are the chunks (files) of a recording, and `complete.json`, which lists the chunks and describes
the meeting. The hash `content` identifies the recording by its chunks.

- A malformed `complete.json` marks the meeting as failed, unless the meeting is ready or in progress.
- A valid `complete.json` with another content begins a new processing attempt: the meeting becomes incomplete, whatever
  its status was.
- A new upload of `complete.json` for a failed meeting also begins a new attempt, because the client wants a retry. The
  same is true for a meeting in progress whose execution has ended: it was aborted, timed out, or could not report.
- Any other new `complete.json` only changes the description of the meeting, such as the title and the participants.
- If the meeting is incomplete after these changes, its chunks are checked. The record lists the chunks that are missing
  or have wrong sizes. If there are none, the status becomes `processing`.

Only the media job, the first stage of the processing, checks the chunks' hashes and decodes the chunks. If the job
reports wrong hashes, the meeting becomes incomplete, although all sizes are right. By the last rule, the next job would
start immediately, and report the same hashes. To prevent that, processing starts again only after an object was
uploaded again.
"""

from collections.abc import Callable
from datetime import datetime

from handlers.common.executions import ExecutionStatus
from handlers.common.ids import timestamp
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_state_transitions import stamp_change, wrong_chunk_fields
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId
from handlers.meetings.upload_completion_file import CompleteFile, WrongChunk
from handlers.meetings.upload_reader import UploadedChunks, UploadedCompleteFile


def apply_uploads(
    record: MeetingRecord | None,
    meeting: MeetingId,
    complete_file: UploadedCompleteFile,
    find_chunks: Callable[[CompleteFile], UploadedChunks],
    execution_status: Callable[[MeetingRecord], ExecutionStatus | None],
    at: datetime,
) -> MeetingRecord:
    """Return the record after these uploads. Return the same record if nothing changes.

    `record` is None for a new meeting. `find_chunks` finds the chunks of a `complete.json` in S3. `execution_status`
    returns the status of the execution of a record's current attempt, or None if there is no such execution. Both are
    called only if the result depends on them.
    """
    if complete_file.parsed is None:
        return _apply_malformed(record, meeting, complete_file, at)
    if (
        record is None
        or record.content != complete_file.parsed.content
        or _is_retry(record, complete_file, execution_status)
    ):
        updated = _new_attempt(record, meeting, complete_file, complete_file.parsed, at)
    else:
        updated = record.model_copy(update=_description_fields(record, complete_file, complete_file.parsed))
    if updated.status is not MeetingStatus.INCOMPLETE:
        return stamp_change(record, updated, at)
    return stamp_change(record, _apply_chunks(updated, complete_file, find_chunks(complete_file.parsed)), at)


def _apply_malformed(
    record: MeetingRecord | None, meeting: MeetingId, complete_file: UploadedCompleteFile, at: datetime
) -> MeetingRecord:
    update: dict[str, object] = {
        "status": MeetingStatus.FAILED,
        "reason": MeetingReason.MALFORMED,
        "complete_fingerprint": complete_file.fingerprint,
        **wrong_chunk_fields(
            (WrongChunk(name=COMPLETE_FILE_NAME, problem=complete_file.problem, fields=complete_file.wrong_fields),)
        ),
    }
    if record is None:
        return stamp_change(None, _empty_record(meeting, at).model_copy(update=update), at)
    if (
        record.status in {MeetingStatus.PROCESSING, MeetingStatus.READY}
        or record.complete_fingerprint == complete_file.fingerprint
    ):
        return record
    # A further failure gets a new attempt. In the same attempt, `since` would remain the time of the first failure.
    attempt = record.attempt + 1 if record.status is MeetingStatus.FAILED else record.attempt
    return stamp_change(record, record.model_copy(update={**update, "attempt": attempt}), at)


def _is_retry(
    record: MeetingRecord,
    complete_file: UploadedCompleteFile,
    execution_status: Callable[[MeetingRecord], ExecutionStatus | None],
) -> bool:
    """Return True if `complete.json` was uploaded again, and the meeting has failed or its execution has ended."""
    if record.complete_fingerprint == complete_file.fingerprint:
        return False
    if record.status is MeetingStatus.PROCESSING:
        return _has_ended(record.stage, execution_status(record))
    return record.status is MeetingStatus.FAILED


def _has_ended(stage: Stage | None, status: ExecutionStatus | None) -> bool:
    """Return True if no execution will report on a meeting in progress that is in this stage.

    In the first stage, an execution that does not exist was not started yet, and the caller starts it. In a later stage,
    it did exist, but Step Functions deletes an execution 90 days after its end.
    """
    if status is None:
        return stage is not Stage.MEDIA
    return status is not ExecutionStatus.RUNNING


def _new_attempt(
    record: MeetingRecord | None,
    meeting: MeetingId,
    complete_file: UploadedCompleteFile,
    parsed: CompleteFile,
    at: datetime,
) -> MeetingRecord:
    empty = _empty_record(meeting, at)
    inherited: dict[str, object] = (
        {} if record is None else {"attempt": record.attempt + 1, "created_at": record.created_at}
    )
    return empty.model_copy(
        update={**inherited, "content": parsed.content, **_description_fields(empty, complete_file, parsed)}
    )


def _description_fields(
    record: MeetingRecord, complete_file: UploadedCompleteFile, parsed: CompleteFile
) -> dict[str, object]:
    fields: dict[str, object] = {
        "title": parsed.title,
        "started_at": parsed.started_at,
        "participants": parsed.participants,
        "tags": parsed.tags,
        "complete_fingerprint": complete_file.fingerprint,
    }
    if record.status is MeetingStatus.INCOMPLETE:
        # Once the processing has started, the record keeps the language that the processing uses.
        fields |= {"language": parsed.language, "size": parsed.size}
    return fields


def _apply_chunks(record: MeetingRecord, complete_file: UploadedCompleteFile, chunks: UploadedChunks) -> MeetingRecord:
    if chunks.wrong:
        return record.model_copy(update={**wrong_chunk_fields(chunks.wrong), "last_tried_uploads": ""})
    uploads = f"{complete_file.fingerprint} {chunks.fingerprint}"
    if record.last_tried_uploads == uploads:  # the media job has rejected exactly these objects
        return record
    update = {
        "status": MeetingStatus.PROCESSING,
        "stage": Stage.MEDIA,
        "last_tried_uploads": uploads,
        "whole_at": timestamp(
            complete_file.uploaded_at
            if chunks.last_uploaded_at is None
            else max(complete_file.uploaded_at, chunks.last_uploaded_at)
        ),
        **wrong_chunk_fields(()),
    }
    return record.model_copy(update=update)


def _empty_record(meeting: MeetingId, at: datetime) -> MeetingRecord:
    """Return the record of a new meeting, without the values that come from `complete.json`."""
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
