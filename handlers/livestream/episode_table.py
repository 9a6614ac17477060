"""Records of episodes in livestream's DynamoDB table, and the queue messages about deleted episodes.

All functions of livestream that handle episodes use it. The record of a deleted episode, its tombstone, remains for some
days, so its id cannot be used again meanwhile. Every method except `create` and `find` treats it as absent.

An episode has two tracks: the processing of its video and of its transcript. A track that waits too long for an event
counts as failed, although the stored record does not say so. Every method except `find` returns records that say so.

The API sends the messages of a deletion before it marks the episode as deleted, so no marked episode lacks its messages.
The function that removes the data ignores messages about an episode that is not marked. Each deletion has two messages.
When the first arrives, the fact-check agent or AgentCore may still be working on the episode, and store something
afterwards. The second arrives when this work has ended. What a MediaConvert job writes even later expires with all other
objects of the bucket.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from handlers.common import ids
from handlers.common.ids import Ulid, timestamp
from handlers.common.json_models import Message
from handlers.common.records import Record, Records, serialize_item
from handlers.livestream.environment import DELETION_DELAYS_SECONDS
from handlers.livestream.keys import OWNER_INDEX, OWNER_PATTERN, Key, UploadedObject, episode_key, owner_index_key
from handlers.livestream.tracks import Track, TrackKind, TrackReason, TrackState, advance, apply_time_limit

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_sqs.client import SQSClient

TOMBSTONE_TIME = timedelta(days=7)
"""Time for which the record of a deleted episode is kept. All work on the episode ends before."""


class EpisodeNotFound(Exception):
    """The episode does not exist or is deleted."""


class EpisodeRecord(Record):
    """Stored form of an episode, without the keys of its item and of the index."""

    schema_version: Literal[1] = 1
    owner: str
    """User id of the caller; `everybody` if the API does not identify its users."""
    episode_id: str
    title: str
    description: str | None = None
    language: str
    speakers: tuple[str, ...] = ()
    video: Track
    transcript: Track
    created_at: str
    updated_at: str
    version: int = 1
    """Version of the fields that a client may change. Changes of the tracks do not increase it."""
    deleted_at: str | None = None
    """Time of the deletion; None if the episode is not deleted."""
    ttl: int | None = None
    """Time after which DynamoDB removes the record of a deleted episode, in epoch seconds."""

    def track(self, kind: TrackKind) -> Track:
        return self.video if kind is TrackKind.VIDEO else self.transcript

    def with_track(self, kind: TrackKind, track: Track, at: str) -> "EpisodeRecord":
        """Return the record with another track of this kind. `at` is the time of the change."""
        return self.model_copy(update={kind.value: track, "updated_at": at})

    def at(self, time: str) -> "EpisodeRecord":
        """Return the record with the tracks as they are at a time: failed if their time limit has ended."""
        tracks = {kind.value: apply_time_limit(self.track(kind), time) for kind in TrackKind}
        return self.model_copy(update=tracks)


class EpisodeTable:
    """Reads, changes and lists the records of episodes."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        clock: Callable[[], datetime] = ids.now,
        not_found: Callable[[], Exception] = EpisodeNotFound,
    ) -> None:
        """`not_found` creates the exception for an episode that does not exist or is deleted. The API has its own. Below,
        this exception is called EpisodeNotFound.
        """
        self._client = client
        self._name = name
        self._clock = clock
        self._not_found = not_found
        self._records = Records(client, name, EpisodeRecord, _index_attributes)

    def create(self, episode: EpisodeRecord) -> tuple[EpisodeRecord, bool]:
        """Create an episode unless its id is in use. Return the record that now has the id, and True if it is new."""
        is_new = False

        def transition(current: EpisodeRecord | None) -> EpisodeRecord:
            nonlocal is_new
            is_new = current is None
            return current or episode

        record = self._records.change(episode_key(episode.owner, episode.episode_id), transition)
        # The transition never returns None, so `or` is only for the type checker.
        return (record or episode).at(self._now()), is_new

    def find(self, owner: str, episode_id: str) -> EpisodeRecord | None:
        """Return the record of an episode or of a deleted episode. Return None if there is none."""
        return self._records.read(episode_key(owner, episode_id))

    def get(self, owner: str, episode_id: str) -> EpisodeRecord:
        """Return an episode. Raise EpisodeNotFound if it does not exist or is deleted."""
        return self._check_exists(self.find(owner, episode_id)).at(self._now())

    def change(
        self, owner: str, episode_id: str, transition: Callable[[EpisodeRecord], EpisodeRecord]
    ) -> EpisodeRecord:
        """Change an episode and return it. Raise EpisodeNotFound if it does not exist or is deleted.

        `transition` gets the stored record, to which the time limits of the tracks are not applied. If another invocation
        changes the record at the same time, `transition` is called again, with the newer record.
        """
        key = episode_key(owner, episode_id)
        record = self._records.change(key, lambda record: transition(self._check_exists(record)))
        return self._check_exists(record).at(self._now())

    def advance_track(
        self,
        kind: TrackKind,
        upload: UploadedObject,
        state: TrackState,
        reason: TrackReason | None = None,
        *,
        restart: bool = False,
    ) -> bool:
        """Move the track of an upload to a state that an event reports now.

        Return False if there is no episode, or the track does not accept the state: it has advanced further, or expects
        another upload. `reason` explains the state `failed`. `restart` is True if an operator restarts a failed video.
        """
        is_accepted, now = False, self._now()

        def transition(record: EpisodeRecord) -> EpisodeRecord:
            nonlocal is_accepted
            track = advance(record.track(kind), upload, state, now, reason, restart=restart)
            is_accepted = track is not None
            return record if track is None or track == record.track(kind) else record.with_track(kind, track, now)

        try:
            self.change(upload.owner, upload.episode_id, transition)
        except EpisodeNotFound:
            return False
        return is_accepted

    def delete(self, owner: str, episode_id: str) -> None:
        """Mark an episode as deleted. Its record is no longer listed, and DynamoDB removes it after some days."""
        now = self._clock()
        values = {"deleted_at": timestamp(now), "ttl": int((now + TOMBSTONE_TIME).timestamp())}
        self._records.change(
            episode_key(owner, episode_id), lambda record: self._check_exists(record).model_copy(update=values)
        )

    def list_episodes(self, owner: str, limit: int, after: str | None) -> tuple[list[EpisodeRecord], str | None]:
        """Return a page of an owner's episodes, newest first, and the position after which the next page starts.

        `after` is the position that the previous page returned. On the last page, the position is None.
        """
        start: dict[str, Any] = {}
        if after is not None:
            created_at, episode_id = after.split("#")
            key = {**episode_key(owner, episode_id), **owner_index_key(owner, created_at, episode_id)}
            start = {"ExclusiveStartKey": serialize_item(key)}
        answer = self._client.query(
            TableName=self._name,
            IndexName=OWNER_INDEX,
            KeyConditionExpression="GSI1PK = :owner",
            ExpressionAttributeValues={":owner": {"S": owner_index_key(owner, "", "")["GSI1PK"]}},
            ScanIndexForward=False,
            Limit=limit + 1,  # one item more shows whether another page follows
            **start,
        )
        episodes = [self._records.parse(item).at(self._now()) for item in answer["Items"]]
        # DynamoDB also ends a query at its size limit.
        is_last = len(episodes) <= limit and "LastEvaluatedKey" not in answer
        page = episodes[:limit]
        position = None if is_last or not page else f"{page[-1].created_at}#{page[-1].episode_id}"
        return page, position

    def _check_exists(self, record: EpisodeRecord | None) -> EpisodeRecord:
        if record is None or record.deleted_at is not None:
            raise self._not_found()
        return record

    def _now(self) -> str:
        return timestamp(self._clock())


def _index_attributes(record: EpisodeRecord) -> Key:
    """Return the attributes that list the episode, none if it is deleted."""
    return {} if record.deleted_at else owner_index_key(record.owner, record.created_at, record.episode_id)


class DeletedEpisode(Message):
    """Message about an episode whose data must be removed."""

    schema_version: Literal[1] = 1
    owner: Annotated[str, Field(pattern=rf"^{OWNER_PATTERN}$")]
    episode_id: Ulid


def queue_deletion(client: "SQSClient", queue_url: str, deleted: DeletedEpisode) -> None:
    """Send the messages of a deletion.

    The first delay is longer than it takes to mark the episode as deleted. The second is the maximum that SQS allows, and
    longer than any invocation of the agent and the minutes in which AgentCore derives records.
    """
    for delay in DELETION_DELAYS_SECONDS:
        client.send_message(QueueUrl=queue_url, MessageBody=deleted.model_dump_json(by_alias=True), DelaySeconds=delay)
