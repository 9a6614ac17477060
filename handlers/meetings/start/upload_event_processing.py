"""Processing of the S3 events of uploaded objects: the chunks (files) of a recording, and `complete.json`, which lists
them.

The event of a `complete.json` always causes the processing of its meeting's uploads (`upload_processing.py`). The event
of a chunk does so only if the meeting waits for this chunk, because it was missing or wrong before. Most chunks arrive
before `complete.json`, and their events cost a single read of the table.

The objects of all events in a batch existed before the batch was delivered. So processing a meeting once covers all of
its events in the batch. The meeting is processed a second time only if the processing raised an exception.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any

from handlers.common.events import BatchFailures, parse_object_created_event, process_batch
from handlers.common.logging import EventLog, hash_for_log
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.s3_keys import parse_upload_key
from handlers.meetings.upload_processing import UploadOutcome, UploadProcessor


@dataclass(frozen=True)
class UploadEvents:
    """Processes SQS messages that contain S3 events of uploaded objects."""

    table: MeetingTable
    upload_processor: UploadProcessor
    _: KW_ONLY
    bucket: str
    """Name of the meetings bucket. A message with an event of another bucket fails."""
    log: EventLog

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Process a batch of messages; return those that SQS has to deliver again."""
        # All messages of a batch share the cached results.
        process_uploads, read_record = cache(self.upload_processor.process_uploads), cache(self.table.read)

        def process_event(body: str) -> UploadOutcome:
            key = parse_object_created_event(body, self.bucket).key
            upload_key = parse_upload_key(key)
            if upload_key is None:
                self.log.warning("recording_key_refused", key_hash=hash_for_log(key))
                return UploadOutcome.IGNORED
            if upload_key.is_complete_file or _is_waiting_for(read_record(upload_key.meeting), upload_key.name):
                return process_uploads(upload_key.meeting)
            return UploadOutcome.UNCHANGED

        return process_batch(messages, process_event, self.log, event_kind="recording")


def _is_waiting_for(record: MeetingRecord | None, name: str) -> bool:
    """Return True if the meeting waits for the chunk with this name.

    The record lists only the first chunks that are missing or wrong. If there are more, any chunk may be one of them.
    """
    if record is None or record.status is not MeetingStatus.INCOMPLETE:
        return False
    return record.wrong_count > len(record.wrong) or name in {wrong.name for wrong in record.wrong}
