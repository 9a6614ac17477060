"""Findings in livestream's table, and what became of each window of a transcript.

What is there first stays, so that whatever is told twice is kept once. A window's findings and that it is done are one
write: a model that is asked again answers otherwise, and of two answers one counts. The transcript is done when all of
its windows are. Who writes the last of them moves the track, and so does who hears of a
window that is done already: whoever was to move it may have stopped in between.

Each finding says which upload it is from. A transcript that was given up on may have left some, and its successor,
which clients may upload, has them again under other ids, or does not say so any more: so they go when it comes.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from handlers.common.aws.dynamodb_values import Item, serialize_item
from handlers.common.aws.service_faults import ServiceFailed, ServiceFault
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.websocket.messages import Message
from handlers.livestream.agent.answer_verification import Checked
from handlers.livestream.batch_deletes import delete_items
from handlers.livestream.episode_table import EpisodeMissing, EpisodeTable
from handlers.livestream.findings import WindowFailure
from handlers.livestream.table_records import SCHEMA_VERSION, Found, Key, found_key, partition, window_key
from handlers.livestream.tracks import Step, TrackKind, TrackReason, TrackState
from handlers.livestream.window_queue import WindowMessage

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import PutTypeDef

FOUND = "found"
"""The outcome of a window that something came of, be it no finding at all; of any other it is why not."""
TAKEN, LEFT_ALONE = "ConditionalCheckFailed", "None"
"""What a transaction that was not made says of an item: it is there already; it was no reason."""
PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""And what does not last."""


class FindingsTable:
    """Keeps findings. What is there already stays as it is.

    Of an episode that is gone, or waits for another upload by now, nothing is kept.
    """

    def __init__(self, client: "DynamoDBClient", table_name: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._name = table_name
        self._clock = clock
        self._episodes = EpisodeTable(client, table_name)

    def done(self, window: WindowMessage) -> bool:
        """Whether it is recorded what became of a window, or nothing would be kept of it."""
        key = serialize_item(_key(window, window.index))
        if "Item" in self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True):
            self._complete(window)
            return True
        return not self._awaited(window)

    def found(self, window: WindowMessage, found: Checked) -> None:
        """Keeps what was found, and with it that the window is done; raises ServiceFailed where that may pass."""
        if not self._awaited(window):
            return
        place = window.owner, window.episode_id
        items: list[tuple[Key, Message]] = [
            *((found_key(*place, Found.CLAIM, one.start_ms, one.claim_id), one) for one in found.claims),
            *((found_key(*place, Found.CLIP, one.start_ms, one.clip_id), one) for one in found.clips),
        ]
        self._end(window, FOUND, items)

    def failed(self, window: WindowMessage, failure: WindowFailure) -> None:
        """Keeps that a window is done, and that nothing came of it."""
        if self._awaited(window):
            self._end(window, failure.value)

    def leave_from(self, owner: str, episode_id: str, upload_id: str) -> int:
        """Deletes what was found in earlier uploads than this one; says how much there was.

        Ids of uploads grow. So this may be told again while findings of the upload itself, or of a later one, come in.
        """
        keys = [key for kind in Found for key in self._before(partition(owner, episode_id), kind, upload_id)]
        delete_items(self._client, self._name, keys)
        return len(keys)

    def _before(self, place: str, kind: Found, upload_id: str) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :place AND begins_with(sk, :kind)",
            FilterExpression="uploadId < :upload",
            ExpressionAttributeValues=serialize_item({":place": place, ":kind": kind.value, ":upload": upload_id}),
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def _awaited(self, window: WindowMessage) -> bool:
        """Whether the episode is there, and the transcript still its own: one asked for anew takes its place."""
        try:
            upload = self._episodes.get(window.owner, window.episode_id).transcript.upload
        except EpisodeMissing:
            return False
        return upload is not None and upload.upload_id == window.upload_id

    def _end(self, window: WindowMessage, outcome: str, findings: Sequence[tuple[Key, Message]] = ()) -> None:
        items = [(_key(window, window.index), _Ended(outcome=outcome)), *findings]
        if self._written([self._put(window, *item) for item in items]) and not self._awaited(window):
            # Another upload took its place meanwhile, and may have looked for what is to go before this was there.
            for key, _ in items:
                self._client.delete_item(TableName=self._name, Key=serialize_item(key))
            return
        self._complete(window)

    def _written(self, puts: "list[PutTypeDef]") -> bool:
        """Writes the window's end, which is the first, and its findings: all or none. Whether this was who ended it."""
        while True:
            try:
                self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = [one.get("Code", LEFT_ALONE) for one in error.response["CancellationReasons"]]
                if reasons[0] == TAKEN:
                    return False
                left = [put for put, reason in zip(puts, reasons, strict=True) if reason != TAKEN]
                if len(left) == len(puts):
                    if PASSING.issuperset(set(reasons) - {LEFT_ALONE}):
                        raise ServiceFailed(ServiceFault.UNAVAILABLE) from None
                    raise
                puts = left  # another window has the same finding
            else:
                return True

    def _put(self, window: WindowMessage, key: Key, values: Message) -> "PutTypeDef":
        content = {"uploadId": window.upload_id, **values.model_dump(mode="json", by_alias=True)}
        return {
            "TableName": self._name,
            "Item": serialize_item({**key, "schemaVersion": SCHEMA_VERSION, **content}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }

    def _complete(self, window: WindowMessage) -> None:
        """Moves the track to its end, if this was the last window."""
        outcomes = list(self._outcomes(window))
        if len(outcomes) < window.count:
            return
        failed = sum(one != FOUND for one in outcomes)
        nothing = failed == window.count
        step = Step(
            window.upload_id,
            TrackState.FAILED if nothing else TrackState.ANALYZED,
            timestamp(self._clock()),
            TrackReason.ANALYSIS_FAILED if nothing else None,
            window.transcript_version,
            {"windows": window.count, "failedWindows": failed},
        )
        self._episodes.advance(window.owner, window.episode_id, TrackKind.TRANSCRIPT, step)

    def _outcomes(self, window: WindowMessage) -> Iterator[str]:
        """Of those windows of the transcript that are done."""
        first, last = _key(window, 0), _key(window, window.count - 1)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :place AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=serialize_item(
                {":place": first["pk"], ":first": first["sk"], ":last": last["sk"]}
            ),
            ProjectionExpression="outcome",
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield item["outcome"]["S"]


class _Ended(Message):
    """What became of a window."""

    outcome: str


def _key(window: WindowMessage, index: int) -> Key:
    return window_key(window.owner, window.episode_id, window.transcript_key, window.transcript_version, index)
