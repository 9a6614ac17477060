"""Episodes in livestream's table: each method is one call of DynamoDB.

What depends on what is there is a condition of the write, and where it does not hold the answer brings what is there.
A deleted episode stays for some days as a mark that it is gone, and counts as absent everywhere.

The client itself repeats a call whose answer is lost. So a write that finds its own work done has succeeded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.aws.dynamodb_values import Item, plain, stored, typed
from handlers.common.errors import HandlerError
from handlers.livestream.error_codes import LivestreamErrorCode
from handlers.livestream.table_records import (
    OWNER_INDEX,
    EpisodeRecord,
    FindingKind,
    Key,
    episode_key,
    owner_index_key,
    partition_key,
    sweep_index_key,
)
from handlers.livestream.tracks import (
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
_NAME_PLACEHOLDER = re.compile(r"#(\w+)")


class EpisodeNotFound(HandlerError):
    """There is no such episode, or no longer. A client is answered so where nothing handles it."""

    def __init__(self, deleted_at: str | None = None) -> None:
        super().__init__(LivestreamErrorCode.EPISODE_UNKNOWN, "There is no such episode.", 404)
        self.deleted_at = deleted_at


class EpisodeConflict(Exception):
    """The episode is there, but not as the call would have it."""

    def __init__(self, current: EpisodeRecord) -> None:
        super().__init__()
        self.current = current


@dataclass(frozen=True)
class ItemPage:
    """Some of a list."""

    items: tuple[dict[str, Any], ...]
    position: str | None
    """Behind it the list goes on; none where it ends."""


class EpisodeTable:
    """Reads and writes episodes."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def create(self, episode: EpisodeRecord) -> None:
        """Writes a new episode; raises EpisodeConflict where its id is taken, be it by one that is deleted."""
        values = episode.model_dump(mode="json", by_alias=True)
        index = owner_index_key(episode.owner, episode.created_at, episode.episode_id)
        try:
            self._client.put_item(
                TableName=self._name,
                Item=stored({**episode.key, **index, **values}),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            there = _current_record(error)
            if there is None:
                raise  # deleted by its time to live meanwhile: whoever asks again, makes it
            raise EpisodeConflict(there) from None

    def get(self, owner: str, episode_id: str) -> EpisodeRecord:
        """An episode."""
        answer = self._client.get_item(
            TableName=self._name, Key=stored(episode_key(owner, episode_id)), ConsistentRead=True
        )
        episode = _to_record(answer.get("Item", {}))
        if episode is None or episode.deleted_at is not None:
            raise EpisodeNotFound
        return episode

    def update(
        self, owner: str, episode_id: str, changes: Mapping[str, object], version: int, at: str
    ) -> EpisodeRecord:
        """An episode with other values, if it is of this version still; None takes a value away."""
        values = {**changes, "version": version + 1, "updatedAt": at}
        try:
            return self._update(episode_key(owner, episode_id), values, "#version = :known", {":known": version})
        except EpisodeConflict as conflict:
            there = conflict.current.model_dump(mode="json", by_alias=True)
            if any(there[name] != value for name, value in values.items()):
                raise
            return conflict.current

    def request_upload(
        self, owner: str, episode_id: str, kind: TrackKind, upload: ExpectedUpload, at: str
    ) -> EpisodeRecord:
        """An episode whose track waits for an upload, if it is where it takes one."""
        track = Track(state=TrackState.REQUESTED, since=at, upload=upload)
        takes = {f":{state}": state.value for state in sorted(REPLACEABLE_STATES)}
        return self._update(
            episode_key(owner, episode_id),
            {kind.value: track.model_dump(mode="json", by_alias=True), "updatedAt": at, **sweep_index_key(at)},
            f"#{kind.value}.#state IN ({', '.join(takes)})",
            takes,
        )

    def advance_track(self, owner: str, episode_id: str, kind: TrackKind, step: TrackUpdate) -> bool:
        """Moves a track on, if it has not come so far yet.

        True where it stands there now, moved or not, so that a repeat is told the same as the first. False where it is
        further, waits for another upload, is about another version of it, or has no episode.
        """
        track = kind.value
        # What was given up and goes on after all, no sweep looks at any more.
        waited_for = sweep_index_key(step.at) if step.state in PROCESSING_STATES else {}
        facts = {f"{track}.{name}": value for name, value in step.facts.items()}
        rises = f"#{track}.#rank < :reached"
        about: dict[str, object] = {":upload": step.upload_id, ":reached": RANKS[step.state]}
        if step.again:
            rises = f"({rises} OR #{track}.#reason = :again)"
            about[":again"] = RESTARTABLE_REASON.value
        condition = f"#{track}.#upload.#uploadId = :upload AND {rises}"
        if step.version_id is not None:
            facts[f"{track}.versionId"] = step.version_id
            condition += f" AND (attribute_not_exists(#{track}.#versionId) OR #{track}.#versionId = :version)"
            about[":version"] = step.version_id
        try:
            self._update(
                episode_key(owner, episode_id),
                {
                    f"{track}.state": step.state.value,
                    f"{track}.rank": RANKS[step.state],
                    f"{track}.since": step.at,
                    f"{track}.reason": step.reason and step.reason.value,
                    "updatedAt": step.at,
                    **waited_for,
                    **facts,
                },
                condition,
                about,
            )
        except EpisodeNotFound:
            return False
        except EpisodeConflict as conflict:
            return is_applied(conflict.current.track(kind), step)
        return True

    def delete(self, owner: str, episode_id: str, at: str, ttl: int) -> None:
        """Leaves a mark of an episode, which no list shows, until `ttl`."""
        unlisted = {"GSI1PK": None, "GSI1SK": None}
        values = {"deletedAt": at, "ttl": ttl, **unlisted, **sweep_index_key(at)}
        try:
            self._update(episode_key(owner, episode_id), values, "", {})
        except EpisodeNotFound as missing:
            if missing.deleted_at != at:
                raise

    def list_episodes(self, owner: str, limit: int, after: str | None) -> ItemPage:
        """Some episodes of an owner, newest first."""
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

    def list_findings(self, owner: str, episode_id: str, kind: FindingKind, limit: int, after: str | None) -> ItemPage:
        """Some of what is found in an episode, in its order. Whether there is the episode, this does not tell."""
        place = partition_key(owner, episode_id)
        return self._page(
            limit,
            {} if after is None else {"pk": place, "sk": after},
            "sk",
            KeyConditionExpression="pk = :place AND begins_with(sk, :kind)",
            ExpressionAttributeValues={":place": {"S": place}, ":kind": {"S": kind.value}},
            ConsistentRead=True,
        )

    def _page(self, limit: int, start: Key, sort: str, **query: Any) -> ItemPage:
        """Asks for one more than is wanted: only where that comes, or the answer was cut off, does the list go on."""
        begin: dict[str, Any] = {"ExclusiveStartKey": stored(start)} if start else {}
        answer = self._client.query(TableName=self._name, Limit=limit + 1, **query, **begin)
        items = tuple(plain(item) for item in answer["Items"])
        more = len(items) > limit or "LastEvaluatedKey" in answer
        kept = items[:limit]
        return ItemPage(kept, str(kept[-1][sort]) if more and kept else None)

    def _update(
        self, key: Key, values: Mapping[str, object], condition: str, about: Mapping[str, object]
    ) -> EpisodeRecord:
        """Sets values, of which a name may be a path, where the episode is there and the condition holds."""
        condition = _EXISTS + (f" AND {condition}" if condition else "")
        parts = {part for name in values for part in name.split(".")} | set(_NAME_PLACEHOLDER.findall(condition))
        places = {name: ".".join(f"#{part}" for part in name.split(".")) for name in values}
        marks = {name: f":new_{name.replace('.', '_')}" for name in values}
        sets = ", ".join(f"{places[name]} = {marks[name]}" for name, value in values.items() if value is not None)
        gone = ", ".join(places[name] for name, value in values.items() if value is None)
        new = {marks[name]: typed(value) for name, value in values.items() if value is not None}
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=stored(key),
                UpdateExpression=f"SET {sets}" + (f" REMOVE {gone}" if gone else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{part}": part for part in sorted(parts)},
                ExpressionAttributeValues=new | {name: typed(value) for name, value in about.items()},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            there = _current_record(error)
            if there is None or there.deleted_at is not None:
                raise EpisodeNotFound(there.deleted_at if there else None) from None
            raise EpisodeConflict(there) from None
        return EpisodeRecord.model_validate(plain(answer["Attributes"]))


def _to_record(item: Item) -> EpisodeRecord | None:
    return EpisodeRecord.model_validate(plain(item)) if item else None


def _current_record(error: ClientError) -> EpisodeRecord | None:
    """What was there when a condition did not hold."""
    response: Mapping[str, Any] = error.response
    return _to_record(response.get("Item", {}))
