"""Looks after episodes: what is left of deleted ones is tidied up, and tracks that nobody works on any more are failed.

A deletion is told on the bus and tidied up at once. The sweep finds the deletions that were not told, and tidies each
up a second time when all that was under way has ended: an agent or a job may have written after the first.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from handlers.common.aws.event_bus import parse_bus_event, to_invalid_event
from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.common.aws.sqs_batches import BatchFailures, process_batch
from handlers.common.logging import EventLog
from handlers.common.sweep import SweepLoop
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.websocket.messages import Message
from handlers.livestream.api_models import EpisodeId
from handlers.livestream.episode_cleanup.cleanup_table import CareTable, Due
from handlers.livestream.episode_cleanup.memory_deletion import SessionMemory
from handlers.livestream.episode_cleanup.object_deletion import EpisodeObjects
from handlers.livestream.episode_cleanup.overdue_tracks import Limits, at_rest, overdue
from handlers.livestream.event_names import EPISODE_DELETED, ours
from handlers.livestream.table_records import EpisodeRecord
from handlers.livestream.tracks import TrackKind
from handlers.livestream.upload_keys import OWNER

GRACE = timedelta(minutes=15)
"""What was put there later is not looked at yet."""


class DeletedDetail(Message):
    """The detail of `Episode Deleted`."""

    schema_version: Literal[1] = 1
    owner: Annotated[str, Field(pattern=rf"^{OWNER}$")]
    episode_id: EpisodeId


class Outcome(StrEnum):
    """What a deletion came to."""

    TIDIED = "tidied"
    IGNORED = "ignored"
    """The episode is there: whoever said otherwise was wrong."""


class Care:
    """Ends what nobody else will."""

    def __init__(
        self,
        table: CareTable,
        objects: EpisodeObjects,
        memory: SessionMemory,
        *,
        limits: Limits,
        budget: timedelta,
        clock: Callable[[], datetime],
        log: EventLog,
    ) -> None:
        """`budget`: how long a sweep may take."""
        self._table = table
        self._objects = objects
        self._memory = memory
        self._limits = limits
        self._loop = SweepLoop(log, clock, budget)
        self._clock = clock
        self._log = log

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """A batch of deletions; the answer names the messages to deliver again."""
        return process_batch(messages, self._deleted, self._log, event_kind="deletion")

    def sweep(self) -> dict[str, int]:
        """Sweep once; return what was found, by number."""
        due = self._table.due(timestamp(self._clock() - GRACE))
        count = self._loop.run(([one] for one in due), self._look, failure_event="episode_unattended")
        return self._loop.report("care_sweep", count, "never_uploaded", "timed_out", Outcome.TIDIED)

    def _deleted(self, body: str) -> Outcome:
        event = parse_bus_event(body)
        if not ours(event.source) or event.detail_type != EPISODE_DELETED:
            raise InvalidEvent("nobody asked for events of this kind")
        try:
            detail = DeletedDetail.model_validate(event.detail)
        except ValidationError as error:
            raise to_invalid_event(error) from None
        owner, episode_id = detail.owner, detail.episode_id
        there = self._table.look(owner, episode_id)
        if there is None:
            self._tidy(owner, episode_id)
        elif there.deleted_at is None:
            return Outcome.IGNORED
        else:
            self._tidy_up(Due(owner, episode_id, there.deleted_at), there.deleted_at)
        return Outcome.TIDIED

    def _look(self, due: Due) -> list[str]:
        """What was done about an episode."""
        there = self._table.look(due.owner, due.episode_id)
        if there is None:
            return []  # the index is a moment behind
        if there.deleted_at is not None:
            self._tidy_up(due, there.deleted_at)
            return [Outcome.TIDIED]
        given_up = self._give_up(there)
        if all(at_rest(there.track(kind)) for kind in TrackKind):
            self._table.dismiss(due)
        return given_up

    def _give_up(self, there: EpisodeRecord) -> list[str]:
        now = self._clock()
        found = {kind: overdue(there.track(kind), now, self._limits) for kind in TrackKind}
        return [
            reason.lower()
            for kind, reason in found.items()
            if reason is not None and self._table.give_up(there, kind, reason, timestamp(now))
        ]

    def _tidy_up(self, due: Due, deleted_at: str) -> None:
        """Now, and again when nothing writes to the episode any more that was begun before its deletion."""
        self._tidy(due.owner, due.episode_id)
        settled = datetime.fromisoformat(deleted_at) + max(self._limits.of.values())
        if self._clock() < settled:
            self._table.postpone(due, timestamp(settled))
        else:
            self._table.dismiss(due)

    def _tidy(self, owner: str, episode_id: str) -> None:
        self._objects.delete(owner, episode_id)
        self._memory.forget(owner, episode_id)
        self._table.forget(owner, episode_id)
