"""DynamoDB gateway for episode records. Each method makes one DynamoDB call.

An episode has two tracks: the processing of its video, and that of its transcript (see `track_processing_states`).

The record of a deleted episode remains for some days as a tombstone, with the attribute `deletedAt`. `get` and all
changes treat a tombstone as absent. `create` does not, so the id of a deleted episode cannot be used again.

All writes are conditional. If the condition fails, DynamoDB returns the current item. `EpisodeConflict` contains it, so
that the caller need not read it again.

boto3 repeats a call whose response is lost. If the first attempt has changed the item, the condition of the second
attempt can fail. So `update`, `advance_track` and `delete` also report success if the item already has the change. If
`create` finds an existing episode, the caller of `create` compares it with the new one. `request_upload` needs no such
rule, because it also accepts a track that already has the state `requested`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.errors import HandlerError
from handlers.common.records import Item, deserialize_item, serialize_item, serialize_value
from handlers.livestream.episode_record import EpisodeRecord
from handlers.livestream.error_codes import LivestreamErrorCode
from handlers.livestream.table_keys import (
    OWNER_INDEX,
    Key,
    episode_key,
    owner_index_key,
    sweep_index_key,
)
from handlers.livestream.track_processing_states import (
    PROCESSING_STATES,
    RANKS,
    REPLACEABLE_STATES,
    RESTARTABLE_REASON,
    ExpectedUpload,
    Track,
    TrackKind,
    TrackState,
    TrackUpdate,
    is_applied,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

_EXISTS = "attribute_exists(#pk) AND attribute_not_exists(#deletedAt)"
"""Condition that the episode exists and is not deleted."""
_NAME_PLACEHOLDER = re.compile(r"#(\w+)")
"""Placeholder of an attribute name in a condition: `#` and the name itself."""


class EpisodeNotFound(HandlerError):
    """The episode does not exist or is deleted. If no caller handles the exception, the API returns it as a 404."""

    def __init__(self, deleted_at: str | None = None) -> None:
        """`deleted_at`: time of the deletion, if a tombstone exists and a write failed because of it."""
        super().__init__(LivestreamErrorCode.EPISODE_UNKNOWN, "This episode does not exist, or it was deleted.")
        self.deleted_at = deleted_at


class EpisodeConflict(Exception):
    """The condition of a write failed. `current` is the episode as it is stored."""

    def __init__(self, current: EpisodeRecord) -> None:
        super().__init__()
        self.current = current


@dataclass(frozen=True)
class ItemPage:
    items: tuple[dict[str, Any], ...]
    next_position: str | None
    """Position after which the next page starts; None on the last page."""


class EpisodeTable:
    """Reads, writes and lists episode records."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def create(self, episode: EpisodeRecord) -> None:
        """Create an episode. Raise EpisodeConflict if the id belongs to an episode or to a tombstone."""
        values = episode.model_dump(mode="json", by_alias=True)
        key = episode_key(episode.owner, episode.episode_id)
        index = owner_index_key(episode.owner, episode.created_at, episode.episode_id)
        try:
            self._client.put_item(
                TableName=self._name,
                Item=serialize_item({**key, **index, **values}),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            current = _current_record(error)
            if current is None:
                raise  # DynamoDB removed the expired tombstone just now, so a repeated request creates the episode
            raise EpisodeConflict(current) from None

    def get(self, owner: str, episode_id: str) -> EpisodeRecord:
        """Return an episode; raise EpisodeNotFound if it does not exist or is deleted."""
        answer = self._client.get_item(
            TableName=self._name, Key=serialize_item(episode_key(owner, episode_id)), ConsistentRead=True
        )
        episode = _to_record(answer.get("Item", {}))
        if episode is None or episode.deleted_at is not None:
            raise EpisodeNotFound
        return episode

    def update(
        self, owner: str, episode_id: str, changes: Mapping[str, object], version: int, at: str
    ) -> EpisodeRecord:
        """Change values of an episode that has this version, and return it. A value of None removes the attribute.

        Raise EpisodeNotFound if the episode does not exist. Raise EpisodeConflict if it has another version, unless it
        already has these values.
        """
        values = {**changes, "version": version + 1, "updatedAt": at}
        try:
            return self._update(episode_key(owner, episode_id), values, "#version = :known", {":known": version})
        except EpisodeConflict as conflict:
            current = conflict.current.model_dump(mode="json", by_alias=True)
            if any(current[name] != value for name, value in values.items()):
                raise
            return conflict.current

    def request_upload(
        self, owner: str, episode_id: str, kind: TrackKind, upload: ExpectedUpload, at: str
    ) -> EpisodeRecord:
        """Set a track to the state `requested` with the upload that it now expects, and return the episode.

        Raise EpisodeNotFound if the episode does not exist. Raise EpisodeConflict if the track is not in one of
        `REPLACEABLE_STATES`.
        """
        track = Track(state=TrackState.REQUESTED, since=at, upload=upload)
        accepted_states = {f":{state}": state.value for state in sorted(REPLACEABLE_STATES)}
        return self._update(
            episode_key(owner, episode_id),
            {kind.value: track.model_dump(mode="json", by_alias=True), "updatedAt": at, **sweep_index_key(at)},
            f"#{kind.value}.#state IN ({', '.join(accepted_states)})",
            accepted_states,
        )

    def advance_track(self, owner: str, episode_id: str, kind: TrackKind, update: TrackUpdate) -> bool:
        """Apply an update to a track if its new state has a higher rank than the track.

        A restart by an operator is also applied to a track that failed with `RESTARTABLE_REASON`.

        Return True if the track now has the new state, even if it had that state before. So a repeated update gets the
        same answer as the first. Return False if the rank forbids the update, if the track expects another upload or
        version, or if the episode does not exist.
        """
        track = kind.value
        # The sweep, a scheduled run of the cleanup function, finds overdue tracks in the sweep index. After a timeout
        # it removes the episode from that index. A later update that resumes the processing adds the episode again.
        sweep_keys = sweep_index_key(update.at) if update.state in PROCESSING_STATES else {}
        details = {f"{track}.{name}": value for name, value in update.details.items()}
        forward_condition = f"#{track}.#rank < :reached"
        condition_values: dict[str, object] = {":upload": update.upload_id, ":reached": RANKS[update.state]}
        if update.restart:
            forward_condition = f"({forward_condition} OR #{track}.#reason = :restartable)"
            condition_values[":restartable"] = RESTARTABLE_REASON.value
        condition = f"#{track}.#upload.#uploadId = :upload AND {forward_condition}"
        if update.version_id is not None:
            details[f"{track}.versionId"] = update.version_id
            condition += f" AND (attribute_not_exists(#{track}.#versionId) OR #{track}.#versionId = :version)"
            condition_values[":version"] = update.version_id
        try:
            self._update(
                episode_key(owner, episode_id),
                {
                    f"{track}.state": update.state.value,
                    f"{track}.rank": RANKS[update.state],
                    f"{track}.since": update.at,
                    f"{track}.reason": update.reason and update.reason.value,
                    "updatedAt": update.at,
                    **sweep_keys,
                    **details,
                },
                condition,
                condition_values,
            )
        except EpisodeNotFound:
            return False
        except EpisodeConflict as conflict:
            return is_applied(conflict.current.track(kind), update)
        return True

    def delete(self, owner: str, episode_id: str, at: str, ttl: int) -> None:
        """Mark an episode as deleted. Its record is no longer listed, and DynamoDB removes it after the time `ttl`.

        Raise EpisodeNotFound if the episode does not exist or was deleted by another call.
        """
        unlisted = {"GSI1PK": None, "GSI1SK": None}  # removes the record from the index of the owner's episodes
        values = {"deletedAt": at, "ttl": ttl, **unlisted, **sweep_index_key(at)}
        try:
            self._update(episode_key(owner, episode_id), values, "", {})
        except EpisodeNotFound as missing:
            if missing.deleted_at != at:
                raise

    def list_episodes(self, owner: str, limit: int, after: str | None) -> ItemPage:
        """Return a page of an owner's episodes, newest first. `after` is the `next_position` of the previous page."""
        start: Key = {}
        if after is not None:
            created_at, episode_id = after.split("#")
            start = {**episode_key(owner, episode_id), **owner_index_key(owner, created_at, episode_id)}
        return self._page(
            limit,
            start,
            "GSI1SK",
            IndexName=OWNER_INDEX,
            KeyConditionExpression="GSI1PK = :owner",
            ExpressionAttributeValues={":owner": {"S": owner_index_key(owner, "", "")["GSI1PK"]}},
            ScanIndexForward=False,
        )

    def _page(self, limit: int, start: Key, sort_attribute: str, **query: Any) -> ItemPage:
        """Query the page after the item with the key `start`; an empty key means the first page.

        The query asks for one item more than the limit. If it gets that item, or if DynamoDB ended the query at its
        size limit, another page follows.
        """
        start_argument: dict[str, Any] = {"ExclusiveStartKey": serialize_item(start)} if start else {}
        answer = self._client.query(TableName=self._name, Limit=limit + 1, **query, **start_argument)
        items = tuple(deserialize_item(item) for item in answer["Items"])
        more = len(items) > limit or "LastEvaluatedKey" in answer
        page_items = items[:limit]
        return ItemPage(page_items, str(page_items[-1][sort_attribute]) if more and page_items else None)

    def _update(
        self, key: Key, values: Mapping[str, object], condition: str, condition_values: Mapping[str, object]
    ) -> EpisodeRecord:
        """Set values if the episode exists and the condition holds, and return the changed episode.

        The name of a value may be a path such as `video.state`. A value of None removes the attribute. Raise
        EpisodeNotFound if the episode does not exist or is deleted, and EpisodeConflict if only the condition fails.
        """
        condition = _EXISTS + (f" AND {condition}" if condition else "")
        parts = {part for name in values for part in name.split(".")} | set(_NAME_PLACEHOLDER.findall(condition))
        paths = {name: ".".join(f"#{part}" for part in name.split(".")) for name in values}
        placeholders = {name: f":new_{name.replace('.', '_')}" for name in values}
        assignments = ", ".join(
            f"{paths[name]} = {placeholders[name]}" for name, value in values.items() if value is not None
        )
        removals = ", ".join(paths[name] for name, value in values.items() if value is None)
        new = {placeholders[name]: serialize_value(value) for name, value in values.items() if value is not None}
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=serialize_item(key),
                UpdateExpression=f"SET {assignments}" + (f" REMOVE {removals}" if removals else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{part}": part for part in sorted(parts)},
                ExpressionAttributeValues=new
                | {name: serialize_value(value) for name, value in condition_values.items()},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            current = _current_record(error)
            if current is None or current.deleted_at is not None:
                raise EpisodeNotFound(current.deleted_at if current else None) from None
            raise EpisodeConflict(current) from None
        return EpisodeRecord.model_validate(deserialize_item(answer["Attributes"]))


def _to_record(item: Item) -> EpisodeRecord | None:
    return EpisodeRecord.model_validate(deserialize_item(item)) if item else None


def _current_record(error: ClientError) -> EpisodeRecord | None:
    """Return the record that DynamoDB found when the condition failed."""
    response: Mapping[str, Any] = error.response
    return _to_record(response.get("Item", {}))
