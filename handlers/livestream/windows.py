"""Windows of transcripts: the queue messages that name them, and their results in livestream's table.

A window is a section of a transcript that is small enough for one model request. It consists of a core and an overlap,
which repeats the start of the next window (see `handlers.common.text`). The function `transcript-windows` divides an
uploaded transcript and sends a message for each window. The function `fact-check-agent` analyzes the windows, and stores
the result of each as one item: its findings (fact claims and clips), or the reason of the failure.

A message contains no text of the transcript, so the agent reads and divides the transcript again. The same version of a
transcript, divided with the same `window_characters`, always has the same windows.

SQS may deliver the message of a window twice, and a model that is asked again answers differently. So an item is written
only if the window has none yet.

The transcript is finished when all its windows have an item. The invocation that writes the last window then moves the
transcript's track (the stored state of its processing) to `failed` if all windows failed, otherwise to `analyzed`. If the
invocation stops between these two writes, its message is delivered again, and the next invocation moves the track.

The client can upload the transcript of a failed track again. The key of an item contains the upload, and only the
findings of the episode's current upload are listed. The items of earlier uploads remain until the episode is deleted.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from handlers.common.json_models import Message
from handlers.common.records import deserialize_item, serialize_item, serialize_model
from handlers.livestream.episode_table import EpisodeNotFound, EpisodeTable
from handlers.livestream.keys import LAST_WINDOW, TRANSCRIPTS, Key, UploadedObject, parse_upload, window_key
from handlers.livestream.models import Claim, Clip
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

FindingsKind = Literal["claims", "clips"]


class WindowMessage(Message):
    """Queue message that asks the agent to analyze one window."""

    schema_version: Literal[1] = 1
    transcript_key: str
    transcript_version: str
    """S3 version of the transcript's object."""
    index: int
    """Position of the window in the transcript, from 0."""
    count: int
    """Number of windows of the transcript."""
    window_characters: int
    """Maximum number of characters in a window's core, with which the transcript was divided."""

    @property
    def transcript(self) -> UploadedObject:
        """Uploaded transcript. Its key contains the owner, the episode and the upload."""
        transcript = parse_upload(TRANSCRIPTS, self.transcript_key, self.transcript_version)
        assert transcript is not None, "only keys of transcripts are queued"
        return transcript

    @property
    def key(self) -> Key:
        """Key of the window's item."""
        transcript = self.transcript
        return window_key(transcript.owner, transcript.episode_id, transcript.upload_id, self.index)

    @property
    def window_id(self) -> str:
        """Id of the window. The ids of all windows of an upload differ only after the last hyphen."""
        transcript = self.transcript
        return f"{transcript.episode_id}-{transcript.upload_id}-{self.index}"


class WindowResult(Message):
    """Attributes of a window's item, without its key. The agent limits the texts, so that the item stays below 400 KB."""

    schema_version: Literal[1] = 1
    failure: str | None = None
    """Reason why the model gave no usable answer; None if the window was analyzed, even if nothing was found."""
    claims: tuple[Claim, ...] = ()
    """Claims in the order of their times."""
    clips: tuple[Clip, ...] = ()


class FindingsTable:
    """Stores and lists the results of windows. An item is never overwritten."""

    def __init__(self, client: "DynamoDBClient", table_name: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._name = table_name
        self._episodes = EpisodeTable(client, table_name, clock)

    def finish_if_done(self, window: WindowMessage) -> bool:
        """Return True if the window need not be analyzed, because it has a result, the episode was deleted, or the client
        has uploaded the transcript again.

        If the window has a result and all other windows too, also move the transcript's track to its final state.
        """
        if "Item" in self._client.get_item(
            TableName=self._name, Key=serialize_item(window.key), ConsistentRead=True, ProjectionExpression="pk"
        ):
            self._finish_transcript(window)
            return True
        transcript = window.transcript
        try:
            upload = self._episodes.get(transcript.owner, transcript.episode_id).transcript.upload
        except EpisodeNotFound:
            return True
        return upload is None or upload.upload_id != transcript.upload_id

    def save(self, window: WindowMessage, result: WindowResult) -> None:
        """Store the result of a window that has none yet, and finish the transcript if this window was the last."""
        # The condition fails if another delivery of the message was faster, or if this write is boto3's second attempt.
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.put_item(
                TableName=self._name,
                Item=serialize_model(result) | serialize_item(window.key),
                ConditionExpression="attribute_not_exists(pk)",
            )
        self._finish_transcript(window)

    def list_findings(
        self, owner: str, episode_id: str, upload_id: str, kind: FindingsKind, limit: int, start: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of the findings of one upload, by time, and the position at which the next page starts.

        `start` is the position that the previous page returned, or None for the first page. After the last page, the
        position is None. A position is the number of a window and of a finding in it, for example `3.12`.
        """
        first_window, first_finding = (int(part) for part in (start or "0.0").split("."))
        found: list[dict[str, Any]] = []
        for index, item in self._read_windows((owner, episode_id, upload_id), f"sk, {kind}", first_window):
            for number, finding in enumerate(item[kind]):
                if index == first_window and number < first_finding:
                    continue
                if len(found) == limit:
                    return found, f"{index}.{number}"
                found.append(finding)
        return found, None

    def _finish_transcript(self, window: WindowMessage) -> None:
        """Move the track to its final state if all windows of the transcript have a result."""
        transcript = window.transcript
        failures: list[str | None] = []  # of the windows that were read; None for an analyzed window
        # The windows are read from the last to the first. The last window is usually analyzed last, so while some are still
        # missing, the loop usually ends at the first item.
        upload = transcript.owner, transcript.episode_id, transcript.upload_id
        for index, item in self._read_windows(upload, "sk, failure", first=0, descending=True):
            if index != window.count - 1 - len(failures):
                return  # the window with this number has no result yet
            failures.append(item.get("failure"))
        if len(failures) < window.count:
            return
        state, reason = TrackState.ANALYZED, None
        if None not in failures:
            state, reason = TrackState.FAILED, TrackReason.ANALYSIS_FAILED
        self._episodes.advance_track(TrackKind.TRANSCRIPT, transcript, state, reason)

    def _read_windows(
        self, upload: tuple[str, str, str], attributes: str, first: int, *, descending: bool = False
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number and the named attributes of each stored window of an upload, from the number `first` on.

        `upload` holds the ids of the owner, the episode and the upload. `attributes` must contain the sort key `sk`.
        """
        key, last_key = window_key(*upload, first), window_key(*upload, LAST_WINDOW)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=serialize_item({":pk": key["pk"], ":first": key["sk"], ":last": last_key["sk"]}),
            ProjectionExpression=attributes,
            ScanIndexForward=not descending,
            ConsistentRead=True,
            PaginationConfig={"PageSize": 20},  # a page of findings usually needs only a few windows
        )
        for page in pages:
            for item in page["Items"]:
                yield int(item["sk"]["S"].rpartition("#")[2]), deserialize_item(item)
