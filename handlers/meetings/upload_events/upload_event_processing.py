"""Processing of the S3 events of new uploads: chunks of a recording, and the `complete.json` that lists them.

A `complete.json` always updates its meeting. A chunk updates its meeting only if the meeting waits for this chunk: if
the chunk was missing or wrong when the meeting was last processed.

Most chunks arrive before their `complete.json`, and their events cost a single read of the table. All objects of a
batch existed before the batch was delivered, so each meeting is processed at most once per batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any

from handlers.common.aws.eventbridge_events import parse_object_created_event
from handlers.common.aws.sqs_batches import BatchFailures, process_batch
from handlers.common.logging import EventLog, hash_for_log
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.s3_keys import parse_upload_key
from handlers.meetings.upload_processing import UploadOutcome, UploadProcessor


@dataclass(frozen=True)
class UploadEvents:
    """Processes S3 events of new objects that arrive as SQS messages."""

    table: MeetingTable
    upload_processor: UploadProcessor
    _: KW_ONLY
    bucket: str
    """Name of the bucket. An event of another bucket fails."""
    log: EventLog

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Process a batch; return the messages that SQS has to deliver again."""
        # All messages of a batch share the cached results.
        process_upload, read_record = cache(self.upload_processor.process_upload), cache(self.table.read)

        def process_event(body: str) -> UploadOutcome:
            key = parse_object_created_event(body, self.bucket).key
            upload = parse_upload_key(key)
            if upload is None:
                self.log.warning("recording_key_refused", key_hash=hash_for_log(key))
                return UploadOutcome.IGNORED
            if upload.is_complete_file or _is_waiting_for(read_record(upload.meeting), upload.name):
                return process_upload(upload.meeting)
            return UploadOutcome.UNCHANGED

        return process_batch(messages, process_event, self.log, event_kind="recording")


def _is_waiting_for(record: MeetingRecord | None, name: str) -> bool:
    """Return True if a meeting waits for this chunk.

    Missing chunks count as wrong. The record lists only the first wrong chunks. If there are more, any chunk may be
    one of them.
    """
    if record is None or record.status is not MeetingStatus.INCOMPLETE:
        return False
    return record.wrong_count > len(record.wrong) or name in {wrong.name for wrong in record.wrong}
