"""What arrives below `raw/`: `complete.json` has its meeting looked at, and a chunk has if its meeting lacks it.

Most chunks arrive before anybody waits for them, and cost one look into the table. All that a batch announces was there
before the batch was: so one look at a meeting answers for all of its objects in the batch.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from handlers.common.aws.event_bus import parse_object_created_event
from handlers.common.aws.sqs_batches import BatchFailures, process_batch
from handlers.common.logging import EventLog, hash_for_log
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.s3_keys import raw_key
from handlers.meetings.workflow_start import Outcome, Starting


class Arrivals:
    """Acts on events of new objects, as queue messages bring them."""

    def __init__(self, table: MeetingTable, starting: Starting, *, bucket: str, log: EventLog) -> None:
        self._table = table
        self._starting = starting
        self._bucket = bucket
        self._log = log

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        look, read = cache(self._starting.look), cache(self._table.read)

        def act(body: str) -> Outcome:
            key = parse_object_created_event(body, self._bucket).key
            arrived = raw_key(key)
            if arrived is None:
                self._log.warning("recording_key_refused", key_hash=hash_for_log(key))
                return Outcome.IGNORED
            if arrived.completes or _lacks(read(arrived.meeting), arrived.name):
                return look(arrived.meeting)
            return Outcome.UNCHANGED

        return process_batch(messages, act, self._log, event_kind="recording")


def _lacks(record: MeetingRecord | None, name: str) -> bool:
    """Whether a meeting waits for a chunk of this name, as far as its item lists those that it lacks."""
    if record is None or record.status is not MeetingStatus.INCOMPLETE:
        return False
    return record.wrong_count > len(record.wrong) or name in {wrong.name for wrong in record.wrong}
