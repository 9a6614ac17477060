"""Lambda function `start`: it processes the S3 events of `complete.json`, and starts the workflow of a recording if all of
its chunks have arrived.

The meeting's record is written with the stage `media`, and then an execution of the workflow is started, under a name
that the record determines. If the start fails, SQS delivers the event again, and the start is repeated. That is safe,
because Step Functions does not start two executions with the same name. An event that fails too often moves to the
dead-letter queue. An operator returns it from there with `aws sqs start-message-move-task`.

An execution may end without a report to the record, for example because an operator aborted it. If the client then
uploads `complete.json` again, the execution's status shows that it has ended, and the next attempt is started.

S3 events may arrive late, so the current objects are read. They are at least as new as the event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.events import IGNORED, BatchFailures, parse_object_created_event, process_batch
from handlers.common.executions import RUNNING, WorkflowExecutions
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.records import Records
from handlers.meetings.environment import StartEnvironment
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.record import (
    MeetingRecord,
    MeetingStatus,
    Stage,
    Upload,
    apply_upload,
    meeting_hash,
    record_attributes,
    record_key,
)
from handlers.meetings.recording_files import MAX_CHUNKS, ChunkProblem, CompleteFile, WrongChunk
from handlers.meetings.s3_keys import MeetingId, parse_complete_file_key

MAX_LISTED_PAGES: Final = 4 * MAX_CHUNKS // 1000
"""Maximum number of pages that a listing of chunks reads, each of a thousand objects: enough for four recordings of the
maximum size. A client may upload another recording for the meeting under other chunk names, and the old chunks then stay
in the bucket.
"""


@dataclass(frozen=True)
class Starter:
    """Reaction to the events about `complete.json`."""

    records: Records[MeetingRecord]
    bucket: MeetingBucket
    executions: WorkflowExecutions
    clock: Callable[[], datetime]
    log: EventLog

    def process_event(self, body: str) -> str | None:
        """Process an SQS message; return `IGNORED` for another object. Raise an exception if SQS must deliver it again."""
        created = parse_object_created_event(body, self.bucket.name)
        meeting = parse_complete_file_key(created.key)
        if meeting is None:
            self.log.warning("recording_key_refused", key_hash=hash_for_log(created.key))
            return IGNORED
        key, now = record_key(meeting), self.clock()
        upload = self._read_upload(meeting, created.sequencer)
        if upload is None:
            return None  # the client has deleted `complete.json`
        if upload.complete_file is None:
            self.log.warning("complete_refused", code=upload.wrong[0].problem, key_hash=meeting_hash(meeting))
        ended = self._find_ended_execution(self.records.read(key))
        record = self.records.change(key, lambda current: apply_upload(current, meeting, upload, ended, now))
        assert record is not None, "an upload always gives a record"
        self.log.info(
            "recording_uploaded", outcome=record.status, missing=len(upload.wrong), key_hash=meeting_hash(meeting)
        )
        if record.stage is Stage.MEDIA:
            self.executions.start(record.execution_name, record.execution_input)
        return None

    def _read_upload(self, meeting: MeetingId, sequencer: str) -> Upload | None:
        """Return a meeting's upload, or None if its `complete.json` does not exist.

        A file that S3 does not return counts as malformed, because an exception would fail the event again and again,
        and raise an alarm.
        """
        content, uploaded_at = self.bucket.read_complete_file(meeting)
        if isinstance(content, CompleteFile):
            return Upload(sequencer, content, self._find_wrong_chunks(meeting, content), uploaded_at)
        return None if content.problem is ChunkProblem.MISSING else Upload(sequencer, None, (content,))

    def _find_wrong_chunks(self, meeting: MeetingId, complete: CompleteFile) -> tuple[WrongChunk, ...]:
        """Return the chunks that are missing or have another size than `complete.json` states.

        The chunks are listed, because a HEAD request for each would take longer. A client can upload any number of other
        objects below the same prefix, so the listing is limited. A chunk beyond the limit counts as missing.
        """
        pages = islice(self.bucket.list_pages(meeting.upload_prefix), MAX_LISTED_PAGES)
        sizes = {item["Key"].removeprefix(meeting.upload_prefix): item["Size"] for page in pages for item in page}
        return tuple(
            WrongChunk(name=chunk.name, problem=ChunkProblem.SIZE if chunk.name in sizes else ChunkProblem.MISSING)
            for chunk in complete.chunks
            if sizes.get(chunk.name) != chunk.bytes
        )

    def _find_ended_execution(self, record: MeetingRecord | None) -> str | None:
        """Return the name of the execution of a meeting in progress if it will not report any more."""
        if record is None or record.status is not MeetingStatus.PROCESSING:
            return None
        status = self.executions.status(self.executions.arn(record.execution_name))
        # Without a status, the execution was not started yet.
        return None if status in {None, RUNNING} else record.execution_name


@cache
def _starter() -> Starter:
    environment = StartEnvironment.read()
    return Starter(
        Records(boto3.client("dynamodb", config=CONFIG), environment.table_name, MeetingRecord, record_attributes),
        MeetingBucket(boto3.client("s3", config=CONFIG), environment.bucket_name),
        WorkflowExecutions(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn),
        ids.now,
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    starter = _starter()
    return process_batch(event["Records"], starter.process_event, starter.log, event_kind="recording")
