"""DynamoDB gateway for the fact-check agent's findings, and for the outcome of each transcript window.

The agent is the Lambda function `fact-check-agent`. It analyzes a transcript in windows, which are sections small
enough for one model request. Its findings are fact claims and clips. The outcome of a window says that the window was
analyzed, or why it could not be.

SQS may deliver the message of a window twice, and a model that is asked again answers differently. So the findings and
the outcome of a window are written in one transaction, and only if the window has no outcome yet.

The transcript is finished when all its windows have an outcome. The invocation that writes the last outcome then moves
the transcript's track (its processing state) to `failed` if all windows failed, otherwise to `analyzed`. If the
invocation stops between these two writes, its message is delivered again, and the next invocation moves the track.

If the track fails, for example because some windows take too long, the client can upload the transcript again. When the
new upload arrives, the findings of earlier uploads are deleted. So each finding contains the id of its upload.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from handlers.common.aws import ServiceFailed, ServiceFault
from handlers.common.ids import timestamp
from handlers.common.records import Item, serialize_item
from handlers.livestream.api_models import Claim, Clip
from handlers.livestream.episode_table import EpisodeNotFound, EpisodeTable
from handlers.livestream.fact_check_agent.answer_verification import VerifiedAnswer
from handlers.livestream.table_item_deletion import delete_items
from handlers.livestream.table_keys import SCHEMA_VERSION, FindingKind, Key, finding_key, partition_key, window_key
from handlers.livestream.track_processing_states import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.transcript_window_queue import WindowMessage

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import PutTypeDef

WINDOW_SUCCEEDED = "found"
"""Outcome of a window that was analyzed, even without a finding. A failed window has a `WindowFailure` as outcome."""
ALREADY_EXISTS = "ConditionalCheckFailed"
"""DynamoDB's code in a cancelled transaction for an item that already exists."""
NO_REASON = "None"
"""DynamoDB's code in a cancelled transaction for an item that did not cause the cancellation."""
TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""DynamoDB's codes in a cancelled transaction for transient errors."""
Content = dict[str, Any]
"""Attributes of a finding's or outcome's item, without those that `_put` adds to every item."""


class WindowFailure(StrEnum):
    """Reason why a window could not be analyzed."""

    TRANSCRIPT_GONE = "transcript_gone"
    """The transcript's object no longer exists."""
    TRANSCRIPT_UNREADABLE = "transcript_unreadable"
    """The object is no valid transcript, although its windows were queued."""
    UNUSABLE_ANSWER = "unusable_answer"
    """The model was asked twice, and both answers were unusable, for example malformed or cut off."""
    FILTERED = "filtered"
    """The content filter of the model's provider blocked the answer."""
    TOO_LARGE = "too_large"
    """The window exceeds the context length of the model."""


class FindingsTable:
    """Stores findings and window outcomes, and never overwrites an item.

    A write for a deleted episode, or for an upload that the client has replaced, is skipped or undone.
    """

    def __init__(self, client: "DynamoDBClient", table_name: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._name = table_name
        self._clock = clock
        self._episodes = EpisodeTable(client, table_name)

    def finish_if_done(self, window: WindowMessage) -> bool:
        """Return True if the window need not be analyzed: it has an outcome, or its findings would not be stored.

        If all windows of the transcript have an outcome, also move the transcript's track to its final state.
        """
        key = serialize_item(_window_key(window, window.index))
        if "Item" in self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True):
            self._finish_track_if_complete(window)
            return True
        return not self._is_current_upload(window)

    def save_findings(self, window: WindowMessage, findings: VerifiedAnswer) -> None:
        """Store the findings of a window together with its outcome; raise ServiceFailed on a transient error."""
        if not self._is_current_upload(window):
            return
        episode = window.owner, window.episode_id
        claims = [
            (finding_key(*episode, FindingKind.CLAIM, claim.start_ms, claim.claim_id), _to_content(claim))
            for claim in findings.claims
        ]
        clips = [
            (finding_key(*episode, FindingKind.CLIP, clip.start_ms, clip.clip_id), _to_content(clip))
            for clip in findings.clips
        ]
        self._finish_window(window, WINDOW_SUCCEEDED, [*claims, *clips])

    def save_failure(self, window: WindowMessage, failure: WindowFailure) -> None:
        """Store that a window failed; raise ServiceFailed on a transient error."""
        if self._is_current_upload(window):
            self._finish_window(window, failure.value)

    def delete_older_findings(self, owner: str, episode_id: str, upload_id: str) -> int:
        """Delete the findings of uploads before this upload, and return their number.

        Upload ids increase with time, so a late or repeated call never deletes findings of this or a later upload.
        """
        keys = [
            key for kind in FindingKind for key in self._older_keys(partition_key(owner, episode_id), kind, upload_id)
        ]
        delete_items(self._client, self._name, keys)
        return len(keys)

    def _older_keys(self, pk: str, kind: FindingKind, upload_id: str) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :kind)",
            FilterExpression="uploadId < :upload",
            ExpressionAttributeValues=serialize_item({":pk": pk, ":kind": kind.value, ":upload": upload_id}),
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def _is_current_upload(self, window: WindowMessage) -> bool:
        """Return True if the episode exists and its transcript track still has the window's upload.

        A newer upload replaces the upload of the track.
        """
        try:
            upload = self._episodes.get(window.owner, window.episode_id).transcript.upload
        except EpisodeNotFound:
            return False
        return upload is not None and upload.upload_id == window.upload_id

    def _finish_window(self, window: WindowMessage, outcome: str, findings: Sequence[tuple[Key, Content]] = ()) -> None:
        """Store the outcome of a window and its findings, and finish the transcript if this window was the last."""
        items = [(_window_key(window, window.index), {"outcome": outcome}), *findings]
        if self._write_new_items([self._put(window, *item) for item in items]) and not self._is_current_upload(window):
            # Meanwhile the client requested another upload, or the episode was deleted. The old findings may have been
            # deleted just before this write, so nothing else would delete these items.
            for key, _ in items:
                self._client.delete_item(TableName=self._name, Key=serialize_item(key))
            return
        self._finish_track_if_complete(window)

    def _write_new_items(self, puts: "list[PutTypeDef]") -> bool:
        """Write the window's outcome, which is the first item, and its findings in one transaction.

        Return False if the window already has an outcome; then nothing is written. Raise ServiceFailed on a transient
        error.
        """
        while True:
            try:
                self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = [reason.get("Code", NO_REASON) for reason in error.response["CancellationReasons"]]
                if reasons[0] == ALREADY_EXISTS:
                    return False
                remaining = [put for put, reason in zip(puts, reasons, strict=True) if reason != ALREADY_EXISTS]
                if len(remaining) == len(puts):
                    if TRANSIENT_REASONS.issuperset(set(reasons) - {NO_REASON}):
                        raise ServiceFailed(ServiceFault.UNAVAILABLE) from None
                    raise
                puts = remaining  # another window has already stored a finding with the same key
            else:
                return True

    def _put(self, window: WindowMessage, key: Key, content: Content) -> "PutTypeDef":
        return {
            "TableName": self._name,
            "Item": serialize_item({**key, "schemaVersion": SCHEMA_VERSION, "uploadId": window.upload_id, **content}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }

    def _finish_track_if_complete(self, window: WindowMessage) -> None:
        """Move the track to its final state if all windows have an outcome."""
        outcomes = list(self._outcomes(window))
        if len(outcomes) < window.count:
            return
        failed_count = sum(outcome != WINDOW_SUCCEEDED for outcome in outcomes)
        all_failed = failed_count == window.count
        update = TrackUpdate(
            window.upload_id,
            TrackState.FAILED if all_failed else TrackState.ANALYZED,
            timestamp(self._clock()),
            TrackReason.ANALYSIS_FAILED if all_failed else None,
            window.transcript_version,
            {"windows": window.count, "failedWindows": failed_count},
        )
        self._episodes.advance_track(window.owner, window.episode_id, TrackKind.TRANSCRIPT, update)

    def _outcomes(self, window: WindowMessage) -> Iterator[str]:
        first, last = _window_key(window, 0), _window_key(window, window.count - 1)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=serialize_item({":pk": first["pk"], ":first": first["sk"], ":last": last["sk"]}),
            ProjectionExpression="outcome",
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield item["outcome"]["S"]


def _to_content(finding: Claim | Clip) -> Content:
    return finding.model_dump(mode="json", by_alias=True)


def _window_key(window: WindowMessage, index: int) -> Key:
    return window_key(window.owner, window.episode_id, window.transcript_key, window.transcript_version, index)
