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

from handlers.common.aws.dynamodb_values import Item, stored
from handlers.common.aws.service_faults import Fault, ServiceFailed
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.websocket.messages import Message
from handlers.livestream.agent.answer_verification import VerifiedAnswer
from handlers.livestream.batch_deletes import delete_items
from handlers.livestream.episode_table import EpisodeNotFound, EpisodeTable
from handlers.livestream.findings import WindowFailure
from handlers.livestream.table_records import SCHEMA_VERSION, FindingKind, Key, finding_key, partition_key, window_key
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.window_queue import WindowMessage

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import PutTypeDef

WINDOW_SUCCEEDED = "found"
"""The outcome of a window that something came of, be it no finding at all; of any other it is why not."""
ALREADY_EXISTS, NO_REASON = "ConditionalCheckFailed", "None"
"""What a transaction that was not made says of an item: it is there already; it was no reason."""
TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
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

    def is_done(self, window: WindowMessage) -> bool:
        """Whether it is recorded what became of a window, or nothing would be kept of it."""
        key = stored(_key(window, window.index))
        if "Item" in self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True):
            self._finish_track(window)
            return True
        return not self._is_current_upload(window)

    def save_findings(self, window: WindowMessage, found: VerifiedAnswer) -> None:
        """Keeps what was found, and with it that the window is done; raises ServiceFailed where that may pass."""
        if not self._is_current_upload(window):
            return
        place = window.owner, window.episode_id
        items: list[tuple[Key, Message]] = [
            *((finding_key(*place, FindingKind.CLAIM, one.start_ms, one.claim_id), one) for one in found.claims),
            *((finding_key(*place, FindingKind.CLIP, one.start_ms, one.clip_id), one) for one in found.clips),
        ]
        self._finish_window(window, WINDOW_SUCCEEDED, items)

    def save_failure(self, window: WindowMessage, failure: WindowFailure) -> None:
        """Keeps that a window is done, and that nothing came of it."""
        if self._is_current_upload(window):
            self._finish_window(window, failure.value)

    def delete_older_findings(self, owner: str, episode_id: str, upload_id: str) -> int:
        """Deletes what was found in earlier uploads than this one; says how much there was.

        Ids of uploads grow. So this may be told again while findings of the upload itself, or of a later one, come in.
        """
        keys = [
            key for kind in FindingKind for key in self._older_keys(partition_key(owner, episode_id), kind, upload_id)
        ]
        delete_items(self._client, self._name, keys)
        return len(keys)

    def _older_keys(self, place: str, kind: FindingKind, upload_id: str) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :place AND begins_with(sk, :kind)",
            FilterExpression="uploadId < :upload",
            ExpressionAttributeValues=stored({":place": place, ":kind": kind.value, ":upload": upload_id}),
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def _is_current_upload(self, window: WindowMessage) -> bool:
        """Whether the episode is there, and the transcript still its own: one asked for anew takes its place."""
        try:
            upload = self._episodes.get(window.owner, window.episode_id).transcript.upload
        except EpisodeNotFound:
            return False
        return upload is not None and upload.upload_id == window.upload_id

    def _finish_window(self, window: WindowMessage, outcome: str, findings: Sequence[tuple[Key, Message]] = ()) -> None:
        items = [(_key(window, window.index), WindowEndRecord(outcome=outcome)), *findings]
        if self._write_new_items([self._put(window, *item) for item in items]) and not self._is_current_upload(window):
            # Another upload took its place meanwhile, and may have looked for what is to go before this was there.
            for key, _ in items:
                self._client.delete_item(TableName=self._name, Key=stored(key))
            return
        self._finish_track(window)

    def _write_new_items(self, puts: "list[PutTypeDef]") -> bool:
        """Writes the window's end, which is the first, and its findings: all or none. Whether this was who ended it."""
        while True:
            try:
                self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = [one.get("Code", NO_REASON) for one in error.response["CancellationReasons"]]
                if reasons[0] == ALREADY_EXISTS:
                    return False
                left = [put for put, reason in zip(puts, reasons, strict=True) if reason != ALREADY_EXISTS]
                if len(left) == len(puts):
                    if TRANSIENT_REASONS.issuperset(set(reasons) - {NO_REASON}):
                        raise ServiceFailed(Fault.UNAVAILABLE) from None
                    raise
                puts = left  # another window has the same finding
            else:
                return True

    def _put(self, window: WindowMessage, key: Key, values: Message) -> "PutTypeDef":
        content = {"uploadId": window.upload_id, **values.model_dump(mode="json", by_alias=True)}
        return {
            "TableName": self._name,
            "Item": stored({**key, "schemaVersion": SCHEMA_VERSION, **content}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }

    def _finish_track(self, window: WindowMessage) -> None:
        """Moves the track to its end, if this was the last window."""
        outcomes = list(self._outcomes(window))
        if len(outcomes) < window.count:
            return
        failed = sum(one != WINDOW_SUCCEEDED for one in outcomes)
        nothing = failed == window.count
        step = TrackUpdate(
            window.upload_id,
            TrackState.FAILED if nothing else TrackState.ANALYZED,
            timestamp(self._clock()),
            TrackReason.ANALYSIS_FAILED if nothing else None,
            window.transcript_version,
            {"windows": window.count, "failedWindows": failed},
        )
        self._episodes.advance_track(window.owner, window.episode_id, TrackKind.TRANSCRIPT, step)

    def _outcomes(self, window: WindowMessage) -> Iterator[str]:
        """Of those windows of the transcript that are done."""
        first, last = _key(window, 0), _key(window, window.count - 1)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :place AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=stored({":place": first["pk"], ":first": first["sk"], ":last": last["sk"]}),
            ProjectionExpression="outcome",
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield item["outcome"]["S"]


class WindowEndRecord(Message):
    """What became of a window."""

    outcome: str


def _key(window: WindowMessage, index: int) -> Key:
    return window_key(window.owner, window.episode_id, window.transcript_key, window.transcript_version, index)
