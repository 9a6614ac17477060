"""Episodes as who looks after them reads and writes them: whichever is due, deleted ones too.

What is written holds only if the episode still is as it was read: an event, a new upload or another sweep may come in
between, and knows better.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.common.aws.dynamodb_values import deserialize_item, serialize_item
from handlers.livestream.batch_deletes import delete_items
from handlers.livestream.table_records import CARE, CARE_INDEX, EPISODE, EpisodeRecord, episode_key, partition
from handlers.livestream.tracks import TrackKind, TrackReason, given_up

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient


@dataclass(frozen=True)
class Due:
    """An episode that is to be looked at."""

    owner: str
    episode_id: str
    since: str
    """By when it stands where the sweep looks."""


class CareTable:
    """Reads and writes for the sweep and the tidy-up."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def due(self, before: str) -> Iterator[Due]:
        """Episodes that have been waiting since before then, the oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=CARE_INDEX,
            KeyConditionExpression="GSI2PK = :care AND GSI2SK < :before",
            ExpressionAttributeValues=serialize_item({":care": CARE, ":before": before}),
        )
        for page in pages:
            for item in page["Items"]:
                _, owner, episode_id = item["pk"]["S"].split("#")
                yield Due(owner, episode_id, item["GSI2SK"]["S"])

    def look(self, owner: str, episode_id: str) -> EpisodeRecord | None:
        """An episode, be it deleted; none where there is none, or no longer."""
        key = serialize_item(episode_key(owner, episode_id))
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else EpisodeRecord.model_validate(deserialize_item(item))

    def give_up(self, seen: EpisodeRecord, kind: TrackKind, reason: TrackReason, at: str) -> bool:
        """Fails a track that stands where it was seen; whether it did."""
        there = seen.track(kind)
        failed = given_up(there, reason, at)
        names = ("state", "rank", "since", "reason", "updatedAt", "deletedAt", kind.value)
        return self._update(
            seen.owner,
            seen.episode_id,
            f"SET #{kind}.#state = :failed, #{kind}.#rank = :rank, #{kind}.#since = :at, #{kind}.#reason = :reason, "
            "#updatedAt = :at",
            f"attribute_not_exists(#deletedAt) AND #{kind}.#state = :seen AND #{kind}.#since = :since",
            {f"#{name}": name for name in names},
            {
                **serialize_item(
                    {
                        ":failed": failed.state,
                        ":at": at,
                        ":reason": reason,
                        ":seen": there.state,
                        ":since": there.since,
                    }
                ),
                ":rank": {"N": str(failed.rank)},
            },
        )

    def dismiss(self, due: Due) -> bool:
        """Takes an episode from where the sweep looks, if it was not put there anew; whether it did."""
        known = serialize_item({":since": due.since})
        return self._update(due.owner, due.episode_id, "REMOVE GSI2PK, GSI2SK", "GSI2SK = :since", {}, known)

    def postpone(self, due: Due, until: str) -> bool:
        """Has the sweep look at an episode later, if it was not put there anew; whether it did."""
        known = serialize_item({":since": due.since, ":until": until})
        return self._update(due.owner, due.episode_id, "SET GSI2SK = :until", "GSI2SK = :since", {}, known)

    def forget(self, owner: str, episode_id: str) -> int:
        """Deletes everything of an episode but its own item; says how much there was."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :place",
            ExpressionAttributeValues=serialize_item({":place": partition(owner, episode_id)}),
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        keys = [item for page in pages for item in page["Items"] if item["sk"]["S"] != EPISODE]
        delete_items(self._client, self._name, keys)
        return len(keys)

    def _update(
        self, owner: str, episode_id: str, update: str, condition: str, names: dict[str, str], values: dict[str, object]
    ) -> bool:
        named = {"ExpressionAttributeNames": names} if names else {}
        try:
            self._client.update_item(
                TableName=self._name,
                Key=serialize_item(episode_key(owner, episode_id)),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,  # type: ignore[arg-type]
                **named,  # type: ignore[arg-type]
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
