"""What arrives below `raw/`: `complete.json` has its meeting looked at, and a chunk has if its meeting lacks it.

Most chunks arrive before anybody waits for them, and cost one look into the table. All that a batch announces was there
before the batch was: so one look at a meeting answers for all of its objects in the batch.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from handlers.common.aws.event_bus import new_object
from handlers.common.aws.sqs_batches import BatchFailures, acted_on
from handlers.common.logging import EventLog, hashed
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.s3_keys import parse_upload_key
from handlers.meetings.workflow_start import RecordingStarter, UploadOutcome


class UploadEvents:
    """Acts on events of new objects, as queue messages bring them."""

    def __init__(self, table: MeetingTable, starting: RecordingStarter, *, bucket: str, log: EventLog) -> None:
        self._table = table
        self._starting = starting
        self._bucket = bucket
        self._log = log

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        look, read = cache(self._starting.process_upload), cache(self._table.read)

        def act(body: str) -> UploadOutcome:
            key = new_object(body, self._bucket).key
            arrived = parse_upload_key(key)
            if arrived is None:
                self._log.warning("recording_key_refused", key_hash=hashed(key))
                return UploadOutcome.IGNORED
            if arrived.is_complete_file or _is_waiting_for(read(arrived.meeting), arrived.name):
                return look(arrived.meeting)
            return UploadOutcome.UNCHANGED

        return acted_on(messages, act, self._log, about="recording")


def _is_waiting_for(record: MeetingRecord | None, name: str) -> bool:
    """Whether a meeting waits for a chunk of this name, as far as its item lists those that it lacks."""
    if record is None or record.status is not MeetingStatus.INCOMPLETE:
        return False
    return record.wrong_count > len(record.wrong) or name in {wrong.name for wrong in record.wrong}
