"""DynamoDB gateway of the cleanup function, which removes the data of deleted episodes and fails overdue tracks.

A track is the processing of an episode's video or transcript. It is overdue if it stays in one state for too long. A
sweep is a scheduled run of the function. An index of the table, the sweep index, lists the episodes that a sweep must
check, each with the time from which it must be checked. Unlike `EpisodeTable`, this gateway also returns deleted
episodes.

An event, a new upload or another sweep may change an episode while the function works. So a method that changes the
episode's item has a condition on the values that were read. If the condition fails, the method changes nothing and
returns False.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.common.records import deserialize_item, serialize_item
from handlers.livestream.episode_record import EpisodeRecord
from handlers.livestream.table_item_deletion import delete_items
from handlers.livestream.table_keys import (
    EPISODE_SORT_KEY,
    SWEEP_INDEX,
    SWEEP_PARTITION,
    episode_key,
    partition_key,
)
from handlers.livestream.track_processing_states import TrackKind, TrackReason, fail_track

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient


@dataclass(frozen=True)
class DueEpisode:
    """Entry of the sweep index: an episode that a sweep must check."""

    owner: str
    episode_id: str
    since: str
    """Time from which the episode must be checked. It is the sort key of the index."""


class CleanupTable:
    """Finds episodes to check, fails overdue tracks, and deletes the items of deleted episodes."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def list_due(self, before: str) -> Iterator[DueEpisode]:
        """Yield the entries of the sweep index with a time before this one, the oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=SWEEP_INDEX,
            KeyConditionExpression="GSI2PK = :sweep AND GSI2SK < :before",
            ExpressionAttributeValues=serialize_item({":sweep": SWEEP_PARTITION, ":before": before}),
        )
        for page in pages:
            for item in page["Items"]:
                _, owner, episode_id = item["pk"]["S"].split("#")
                yield DueEpisode(owner, episode_id, item["GSI2SK"]["S"])

    def get(self, owner: str, episode_id: str) -> EpisodeRecord | None:
        """Return an episode, even if it is deleted. Return None if no item exists."""
        key = serialize_item(episode_key(owner, episode_id))
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else EpisodeRecord.model_validate(deserialize_item(item))

    def fail_track(self, episode: EpisodeRecord, kind: TrackKind, reason: TrackReason, at: str) -> bool:
        """Mark a track as failed if it is still in the state that was read; return True if it was marked."""
        track = episode.track(kind)
        failed = fail_track(track, reason, at)
        names = ("state", "rank", "since", "reason", "updatedAt", "deletedAt", kind.value)
        return self._update(
            episode.owner,
            episode.episode_id,
            f"SET #{kind}.#state = :failed, #{kind}.#rank = :rank, #{kind}.#since = :at, #{kind}.#reason = :reason, "
            "#updatedAt = :at",
            f"attribute_not_exists(#deletedAt) AND #{kind}.#state = :read AND #{kind}.#since = :since",
            {f"#{name}": name for name in names},
            {
                ":failed": failed.state,
                ":rank": failed.rank,
                ":at": at,
                ":reason": reason,
                ":read": track.state,
                ":since": track.since,
            },
        )

    def remove_from_sweep(self, due: DueEpisode) -> bool:
        """Remove an episode from the sweep index. Return False if its time in the index has changed meanwhile."""
        values = {":since": due.since}
        return self._update(due.owner, due.episode_id, "REMOVE GSI2PK, GSI2SK", "GSI2SK = :since", {}, values)

    def postpone(self, due: DueEpisode, until: str) -> bool:
        """Let the sweep check an episode later. Return False if its time in the index has changed meanwhile."""
        values = {":since": due.since, ":until": until}
        return self._update(due.owner, due.episode_id, "SET GSI2SK = :until", "GSI2SK = :since", {}, values)

    def delete_contents(self, owner: str, episode_id: str) -> None:
        """Delete all items of an episode except its own item."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=serialize_item({":pk": partition_key(owner, episode_id)}),
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        keys = [item for page in pages for item in page["Items"] if item["sk"]["S"] != EPISODE_SORT_KEY]
        delete_items(self._client, self._name, keys)

    def _update(
        self,
        owner: str,
        episode_id: str,
        update: str,
        condition: str,
        names: dict[str, str],
        values: Mapping[str, object],
    ) -> bool:
        named = {"ExpressionAttributeNames": names} if names else {}
        try:
            self._client.update_item(
                TableName=self._name,
                Key=serialize_item(episode_key(owner, episode_id)),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=serialize_item(values),
                **named,  # type: ignore[arg-type]
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
