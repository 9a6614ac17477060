"""What becomes of a meeting by what its bucket holds: `complete.json`, and the chunks that it lists. Pure.

A `complete.json` that says nothing useful fails a meeting that nothing has come of yet, and no other. One that says
another content begins anew; so does a new one of a meeting that failed or that the media job has refused, since whoever
puts it there wants it tried again. Otherwise one that says the same content in other words changes the words alone.

Chunks are looked at by name and size. What is in them, and whether they can be read, only the media job finds out: what
it has refused, for whatever reason, is not tried again until one of the chunks or `complete.json` is another object.
Anything else would begin a job after each job.
"""

from collections.abc import Callable
from datetime import datetime

from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.complete_file import CompleteFile, WrongChunk
from handlers.meetings.meeting_progress import stamp_change, wrong_chunk_fields
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId
from handlers.meetings.uploaded_recording import UploadedChunks, UploadedCompleteFile

FindChunks = Callable[[CompleteFile], UploadedChunks]


def apply_upload(
    record: MeetingRecord | None, meeting: MeetingId, said: UploadedCompleteFile, see: FindChunks, at: datetime
) -> MeetingRecord:
    """A meeting by what is there now; the same as before where that changes nothing.

    `see`: looks at the chunks; only asked where it matters.
    """
    if said.file is None:
        return _apply_malformed(record, meeting, said, at)
    if record is None or record.content != said.file.content or _is_retry(record, said):
        begun = _new_attempt(record, meeting, said, said.file, at)
    else:
        begun = record.model_copy(update=_description_fields(record, said, said.file))
    if begun.status is not MeetingStatus.INCOMPLETE:
        return stamp_change(record, begun, at)
    return stamp_change(record, _apply_chunks(begun, said, see(said.file)), at)


def _apply_malformed(
    record: MeetingRecord | None, meeting: MeetingId, said: UploadedCompleteFile, at: datetime
) -> MeetingRecord:
    update: dict[str, object] = {
        "status": MeetingStatus.FAILED,
        "reason": MeetingReason.MALFORMED,
        "said": said.fingerprint,
        **wrong_chunk_fields((WrongChunk(name=COMPLETE_FILE_NAME, problem=said.problem, fields=said.wrong_fields),)),
    }
    if record is None:
        return stamp_change(None, _empty_record(meeting, at).model_copy(update=update), at)
    if record.status in {MeetingStatus.PROCESSING, MeetingStatus.READY} or record.said == said.fingerprint:
        return record
    anew = record.attempt + 1 if record.status is MeetingStatus.FAILED else record.attempt
    return stamp_change(record, record.model_copy(update={**update, "attempt": anew}), at)


def _is_retry(record: MeetingRecord, said: UploadedCompleteFile) -> bool:
    """The same event may come twice, and is about the same object then."""
    return record.status is MeetingStatus.FAILED and record.said != said.fingerprint


def _new_attempt(
    record: MeetingRecord | None, meeting: MeetingId, said: UploadedCompleteFile, complete: CompleteFile, at: datetime
) -> MeetingRecord:
    begun = _empty_record(meeting, at)
    before: dict[str, object] = (
        {} if record is None else {"attempt": record.attempt + 1, "created_at": record.created_at}
    )
    return begun.model_copy(
        update={**before, "content": complete.content, **_description_fields(begun, said, complete)}
    )


def _description_fields(record: MeetingRecord, said: UploadedCompleteFile, complete: CompleteFile) -> dict[str, object]:
    words: dict[str, object] = {
        "title": complete.title,
        "started_at": complete.started_at,
        "participants": complete.participants,
        "tags": complete.tags,
        "said": said.fingerprint,
    }
    if record.status is MeetingStatus.INCOMPLETE:
        # What is being transcribed, or has been, stays in the language that it was taken for.
        words |= {"language": complete.language, "size": complete.size}
    return words


def _apply_chunks(begun: MeetingRecord, said: UploadedCompleteFile, seen: UploadedChunks) -> MeetingRecord:
    if seen.wrong:
        return begun.model_copy(update={**wrong_chunk_fields(seen.wrong), "tried": ""})
    tried = f"{said.fingerprint} {seen.fingerprint}"
    if begun.tried == tried:
        return begun
    update = {
        "status": MeetingStatus.PROCESSING,
        "stage": Stage.MEDIA,
        "tried": tried,
        "whole_at": timestamp(
            said.uploaded_at if seen.last_uploaded_at is None else max(said.uploaded_at, seen.last_uploaded_at)
        ),
        **wrong_chunk_fields(()),
    }
    return begun.model_copy(update=update)


def _empty_record(meeting: MeetingId, at: datetime) -> MeetingRecord:
    """A meeting of which nothing is known yet."""
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
