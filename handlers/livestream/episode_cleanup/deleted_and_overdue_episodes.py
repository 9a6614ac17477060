"""Removal of the data of deleted episodes, and the sweep that marks overdue tracks as failed.

The sweep is a scheduled run of the cleanup function. A track is the processing of an episode's video or transcript.
Each state in which a track waits for an event has a time limit, which is well above the normal duration of the state
with all automatic retries. So if a track exceeds the limit, its event was probably lost.

The API publishes an event for each deletion, so the cleanup starts at once. The sweep also cleans up deleted episodes,
because the event may have been lost. The sweep cleans up each deleted episode once more when all work on the episode
must have ended. Until then, the fact-check agent or a MediaConvert job may still write something.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from handlers.common.events import BatchFailures, InvalidEvent, parse_bus_event, process_batch, to_invalid_event
from handlers.common.ids import timestamp
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.sweep import SweepLoop
from handlers.livestream.api_models import EpisodeId
from handlers.livestream.episode_cleanup.agent_memory_deletion import AgentMemoryCleaner
from handlers.livestream.episode_cleanup.cleanup_table_gateway import CleanupTable, DueEpisode
from handlers.livestream.episode_cleanup.s3_object_deletion import EpisodeObjects
from handlers.livestream.episode_record import EpisodeRecord
from handlers.livestream.event_names import EPISODE_DELETED, is_livestream_source
from handlers.livestream.track_processing_states import Track, TrackKind, TrackReason, TrackState
from handlers.livestream.upload_object_keys import OWNER_PATTERN

SWEEP_GRACE_PERIOD = timedelta(minutes=15)
"""An index lists each episode that the sweep must check, with a time. The sweep waits until this time is more than 15
minutes ago."""
_IDLE_STATES = frozenset({TrackState.NONE, TrackState.CHUNKED, TrackState.ANALYZED, TrackState.FAILED})
"""States in which a track waits for no event, so that they have no time limit."""


class DeletedDetail(Message):
    schema_version: Literal[1] = 1
    owner: Annotated[str, Field(pattern=rf"^{OWNER_PATTERN}$")]
    episode_id: EpisodeId


class CleanupOutcome(StrEnum):
    """Outcome of a deletion event, or of the sweep's check of a deleted episode."""

    CLEANED_UP = "tidied"
    """All data of the episode was deleted, except its own item, which DynamoDB removes after some days."""
    IGNORED = "ignored"
    """The event names an episode that is not deleted, so nothing was removed."""


class EpisodeCleaner:
    def __init__(
        self,
        table: CleanupTable,
        objects: EpisodeObjects,
        memory: AgentMemoryCleaner,
        *,
        limits: Mapping[TrackState, timedelta],
        budget: timedelta,
        clock: Callable[[], datetime],
        log: EventLog,
    ) -> None:
        """`limits`: time limits of the track states. `budget`: time after which a sweep starts no further episode."""
        if missing := set(TrackState) - _IDLE_STATES - set(limits):
            raise ValueError(f"no limit for {', '.join(sorted(missing))}")
        self._table = table
        self._objects = objects
        self._memory = memory
        self._limits = limits
        self._loop = SweepLoop(log, clock, budget)
        self._clock = clock
        self._log = log

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Process a batch of deletion events; return the messages that SQS must deliver again."""
        return process_batch(messages, self._handle_deletion, self._log, event_kind="deletion")

    def sweep(self) -> dict[str, int]:
        """Run one sweep. Log its counts and return them.

        `never_uploaded` and `timed_out` count the tracks that were marked as failed, `tidied` the deleted episodes that
        were cleaned up. `SweepLoop.run` explains the other counts.
        """
        due = self._table.list_due(timestamp(self._clock() - SWEEP_GRACE_PERIOD))
        count = self._loop.run(
            batches=([episode] for episode in due), handle=self._check_episode, failure_event="episode_sweep_failed"
        )
        return self._loop.log_counts(
            "episode_sweep", count, outcomes=["never_uploaded", "timed_out", CleanupOutcome.CLEANED_UP]
        )

    def _handle_deletion(self, body: str) -> CleanupOutcome:
        event = parse_bus_event(body)
        if not is_livestream_source(event.source) or event.detail_type != EPISODE_DELETED:
            raise InvalidEvent("no rule of this queue matches events of this kind")
        try:
            detail = DeletedDetail.model_validate(event.detail)
        except ValidationError as error:
            raise to_invalid_event(error) from None
        owner, episode_id = detail.owner, detail.episode_id
        episode = self._table.get(owner, episode_id)
        if episode is None:
            self._clean_up(owner, episode_id)
        elif episode.deleted_at is None:
            return CleanupOutcome.IGNORED
        else:
            # The deletion also set the time in the index to `deletedAt`, so `DueEpisode` has this time.
            self._clean_up_and_reschedule(DueEpisode(owner, episode_id, episode.deleted_at), episode.deleted_at)
        return CleanupOutcome.CLEANED_UP

    def _check_episode(self, due: DueEpisode) -> list[str]:
        """Clean up a deleted episode, or fail the overdue tracks of an existing one.

        Return the outcomes to count: the cleanup, or the reason why each overdue track failed.
        """
        episode = self._table.get(due.owner, due.episode_id)
        if episode is None:
            return []  # the index is eventually consistent, so it may list an item that DynamoDB has just removed
        if episode.deleted_at is not None:
            self._clean_up_and_reschedule(due, episode.deleted_at)
            return [CleanupOutcome.CLEANED_UP]
        timeouts = self._fail_overdue_tracks(episode)
        if all(episode.track(kind).state in _IDLE_STATES for kind in TrackKind):
            self._table.remove_from_sweep(due)
        return timeouts

    def _fail_overdue_tracks(self, episode: EpisodeRecord) -> list[str]:
        now = self._clock()
        reasons = {kind: self._timeout_reason(episode.track(kind), now) for kind in TrackKind}
        return [
            reason.lower()
            for kind, reason in reasons.items()
            if reason is not None and self._table.fail_track(episode, kind, reason, timestamp(now))
        ]

    def _timeout_reason(self, track: Track, now: datetime) -> TrackReason | None:
        """Return the reason with which to fail an overdue track. Return None if it is idle or within its limit."""
        if track.state in _IDLE_STATES or now - datetime.fromisoformat(track.since) <= self._limits[track.state]:
            return None
        return TrackReason.NEVER_UPLOADED if track.state is TrackState.REQUESTED else TrackReason.TIMED_OUT

    def _clean_up_and_reschedule(self, due: DueEpisode, deleted_at: str) -> None:
        """Clean up now. If work on the episode may still be running, let the sweep clean up again when it has ended."""
        self._clean_up(due.owner, due.episode_id)
        work_ends_at = datetime.fromisoformat(deleted_at) + max(self._limits.values())
        if self._clock() < work_ends_at:
            self._table.postpone(due, timestamp(work_ends_at))
        else:
            self._table.remove_from_sweep(due)

    def _clean_up(self, owner: str, episode_id: str) -> None:
        self._objects.delete(owner, episode_id)
        self._memory.delete_session(owner, episode_id)
        self._table.delete_contents(owner, episode_id)
