"""What arrives below `raw/`: `complete.json` has its meeting looked at, and a chunk has if its meeting lacks it.

Most chunks arrive before anybody waits for them, and cost one look into the table. All that a batch announces was there
before the batch was: so one look at a meeting answers for all of its objects in the batch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers.common.bus_events import new_object
from handlers.common.event_batches import BatchFailures, acted_on
from handlers.common.logging import EventLog, hashed
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.places import MeetingId, RawKey, raw_key
from handlers.meetings.records import MeetingRecord, MeetingStatus
from handlers.meetings.starting import Outcome, Starting


class Arrivals:
    """Acts on events of new objects, as queue messages bring them."""

    def __init__(self, table: MeetingTable, starting: Starting, *, bucket: str, log: EventLog) -> None:
        self._table = table
        self._starting = starting
        self._bucket = bucket
        self._log = log

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        batch = _Batch(self._table, self._starting)

        def act(body: str) -> Outcome:
            key = new_object(body, self._bucket).key
            arrived = raw_key(key)
            if arrived is None:
                self._log.warning("recording_key_refused", key_hash=hashed(key))
                return Outcome.IGNORED
            return batch.arrived(arrived)

        return acted_on(messages, act, self._log, about="recording")


class _Batch:
    """What is known of the meetings that a batch is about."""

    def __init__(self, table: MeetingTable, starting: Starting) -> None:
        self._table = table
        self._starting = starting
        self._read: dict[MeetingId, MeetingRecord | None] = {}
        self._looked: dict[MeetingId, Outcome] = {}

    def arrived(self, one: RawKey) -> Outcome:
        if one.meeting not in self._looked:
            if not one.completes and not self._lacks(one):
                return Outcome.UNCHANGED
            self._looked[one.meeting] = self._starting.look(one.meeting)
        return self._looked[one.meeting]

    def _lacks(self, one: RawKey) -> bool:
        if one.meeting not in self._read:
            self._read[one.meeting] = self._table.read(one.meeting)
        record = self._read[one.meeting]
        if record is None or record.status is not MeetingStatus.INCOMPLETE:
            return False
        return record.wrong_count > len(record.wrong) or one.name in {wrong.name for wrong in record.wrong}
