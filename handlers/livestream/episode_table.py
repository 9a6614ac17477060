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

from handlers.common.aws.dynamodb_values import Item, deserialize_item, serialize_item, serialize_value
from handlers.common.errors import HandlerError
from handlers.livestream.error_codes import Code
from handlers.livestream.table_records import (
    INDEX,
    EpisodeRecord,
    Found,
    Key,
    cared_for,
    episode_key,
    listed,
    partition,
)
from handlers.livestream.tracks import (
    DONE_AGAIN,
    RANKS,
    REPLACEABLE,
    UNDER_WAY,
    Step,
    Track,
    TrackKind,
    TrackState,
    Upload,
    stands_at,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

_THERE = "attribute_exists(#pk) AND attribute_not_exists(#deletedAt)"
_NAMES = re.compile(r"#(\w+)")


class EpisodeMissing(HandlerError):
    """There is no such episode, or no longer. A client is answered so where nothing handles it."""

    def __init__(self, deleted_at: str | None = None) -> None:
        super().__init__(Code.EPISODE_UNKNOWN, "There is no such episode.", 404)
        self.deleted_at = deleted_at


class EpisodeStands(Exception):
    """The episode is there, but not as the call would have it."""

    def __init__(self, there: EpisodeRecord) -> None:
        super().__init__()
        self.there = there


@dataclass(frozen=True)
class Page:
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
        """Writes a new episode; raises EpisodeStands where its id is taken, be it by one that is deleted."""
        values = episode.model_dump(mode="json", by_alias=True)
        index = listed(episode.owner, episode.created_at, episode.episode_id)
        try:
            self._client.put_item(
                TableName=self._name,
                Item=serialize_item({**episode.key, **index, **values}),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            there = _found(error)
            if there is None:
                raise  # deleted by its time to live meanwhile: whoever asks again, makes it
            raise EpisodeStands(there) from None

    def get(self, owner: str, episode_id: str) -> EpisodeRecord:
        """An episode."""
        answer = self._client.get_item(
            TableName=self._name, Key=serialize_item(episode_key(owner, episode_id)), ConsistentRead=True
        )
        episode = _record(answer.get("Item", {}))
        if episode is None or episode.deleted_at is not None:
            raise EpisodeMissing
        return episode

    def change(
        self, owner: str, episode_id: str, changes: Mapping[str, object], version: int, at: str
    ) -> EpisodeRecord:
        """An episode with other values, if it is of this version still; None takes a value away."""
        values = {**changes, "version": version + 1, "updatedAt": at}
        try:
            return self._update(episode_key(owner, episode_id), values, "#version = :known", {":known": version})
        except EpisodeStands as stands:
            there = stands.there.model_dump(mode="json", by_alias=True)
            if any(there[name] != value for name, value in values.items()):
                raise
            return stands.there

    def request(self, owner: str, episode_id: str, kind: TrackKind, upload: Upload, at: str) -> EpisodeRecord:
        """An episode whose track waits for an upload, if it is where it takes one."""
        track = Track(state=TrackState.REQUESTED, since=at, upload=upload)
        takes = {f":{state}": state.value for state in sorted(REPLACEABLE)}
        return self._update(
            episode_key(owner, episode_id),
            {kind.value: track.model_dump(mode="json", by_alias=True), "updatedAt": at, **cared_for(at)},
            f"#{kind.value}.#state IN ({', '.join(takes)})",
            takes,
        )

    def advance(self, owner: str, episode_id: str, kind: TrackKind, step: Step) -> bool:
        """Moves a track on, if it has not come so far yet.

        True where it stands there now, moved or not, so that a repeat is told the same as the first. False where it is
        further, waits for another upload, is about another version of it, or has no episode.
        """
        track = kind.value
        # What was given up and goes on after all, no sweep looks at any more.
        waited_for = cared_for(step.at) if step.state in UNDER_WAY else {}
        facts = {f"{track}.{name}": value for name, value in step.facts.items()}
        rises = f"#{track}.#rank < :reached"
        about: dict[str, object] = {":upload": step.upload_id, ":reached": RANKS[step.state]}
        if step.again:
            rises = f"({rises} OR #{track}.#reason = :again)"
            about[":again"] = DONE_AGAIN.value
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
        except EpisodeMissing:
            return False
        except EpisodeStands as stands:
            return stands_at(stands.there.track(kind), step)
        return True

    def delete(self, owner: str, episode_id: str, at: str, ttl: int) -> None:
        """Leaves a mark of an episode, which no list shows, until `ttl`."""
        unlisted = {"GSI1PK": None, "GSI1SK": None}
        values = {"deletedAt": at, "ttl": ttl, **unlisted, **cared_for(at)}
        try:
            self._update(episode_key(owner, episode_id), values, "", {})
        except EpisodeMissing as missing:
            if missing.deleted_at != at:
                raise

    def page(self, owner: str, limit: int, after: str | None) -> Page:
        """Some episodes of an owner, newest first."""
        start: Key = {}
        if after is not None:
            created_at, episode_id = after.split("#")
            start = {**episode_key(owner, episode_id), **listed(owner, created_at, episode_id)}
        return self._page(
            limit,
            start,
            "GSI1SK",
            IndexName=INDEX,
            KeyConditionExpression="GSI1PK = :owner",
            ExpressionAttributeValues={":owner": {"S": listed(owner, "", "")["GSI1PK"]}},
            ScanIndexForward=False,
        )

    def found(self, owner: str, episode_id: str, kind: Found, limit: int, after: str | None) -> Page:
        """Some of what is found in an episode, in its order. Whether there is the episode, this does not tell."""
        place = partition(owner, episode_id)
        return self._page(
            limit,
            {} if after is None else {"pk": place, "sk": after},
            "sk",
            KeyConditionExpression="pk = :place AND begins_with(sk, :kind)",
            ExpressionAttributeValues={":place": {"S": place}, ":kind": {"S": kind.value}},
            ConsistentRead=True,
        )

    def _page(self, limit: int, start: Key, sort: str, **query: Any) -> Page:
        """Asks for one more than is wanted: only where that comes, or the answer was cut off, does the list go on."""
        begin: dict[str, Any] = {"ExclusiveStartKey": serialize_item(start)} if start else {}
        answer = self._client.query(TableName=self._name, Limit=limit + 1, **query, **begin)
        items = tuple(deserialize_item(item) for item in answer["Items"])
        more = len(items) > limit or "LastEvaluatedKey" in answer
        kept = items[:limit]
        return Page(kept, str(kept[-1][sort]) if more and kept else None)

    def _update(
        self, key: Key, values: Mapping[str, object], condition: str, about: Mapping[str, object]
    ) -> EpisodeRecord:
        """Sets values, of which a name may be a path, where the episode is there and the condition holds."""
        condition = _THERE + (f" AND {condition}" if condition else "")
        parts = {part for name in values for part in name.split(".")} | set(_NAMES.findall(condition))
        places = {name: ".".join(f"#{part}" for part in name.split(".")) for name in values}
        marks = {name: f":new_{name.replace('.', '_')}" for name in values}
        sets = ", ".join(f"{places[name]} = {marks[name]}" for name, value in values.items() if value is not None)
        gone = ", ".join(places[name] for name, value in values.items() if value is None)
        new = {marks[name]: serialize_value(value) for name, value in values.items() if value is not None}
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=serialize_item(key),
                UpdateExpression=f"SET {sets}" + (f" REMOVE {gone}" if gone else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{part}": part for part in sorted(parts)},
                ExpressionAttributeValues=new | {name: serialize_value(value) for name, value in about.items()},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            there = _found(error)
            if there is None or there.deleted_at is not None:
                raise EpisodeMissing(there.deleted_at if there else None) from None
            raise EpisodeStands(there) from None
        return EpisodeRecord.model_validate(deserialize_item(answer["Attributes"]))


def _record(item: Item) -> EpisodeRecord | None:
    return EpisodeRecord.model_validate(deserialize_item(item)) if item else None


def _found(error: ClientError) -> EpisodeRecord | None:
    """What was there when a condition did not hold."""
    response: Mapping[str, Any] = error.response
    return _record(response.get("Item", {}))
