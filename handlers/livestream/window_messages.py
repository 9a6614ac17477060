"""Messages of the queue `agent-windows`, each of which names one window of a transcript.

A window is a section of a transcript that is small enough for one model request. It consists of a core and an overlap,
which repeats the start of the next window (see `handlers.common.text`). The function `transcript-windows` divides an
uploaded transcript and sends the messages. The function `fact-check-agent` analyzes the windows.

A message contains no text of the transcript, so the agent reads the transcript again. The message names the window's
cues (timed lines) by their numbers in the transcript, so the agent does not divide the transcript again.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from handlers.common.json_models import Message
from handlers.common.text import Passage, Window
from handlers.livestream.keys import EPISODE_ID_PATTERN, OWNER_PATTERN, TRANSCRIPTS, UploadedObject

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

BATCH_SIZE = 10
"""Maximum number of messages in one SendMessageBatch request."""
MAX_WINDOWS = 1_000
"""Maximum number of windows of a transcript. Each window is one model request, in a queue that all episodes share. The
speech of a whole day stays below this limit."""
CueNumber = Annotated[int, Field(ge=0)]
P = TypeVar("P", bound=Passage)


class WindowMessage(Message):
    """Queue message that asks the agent to analyze one window."""

    schema_version: Literal[1] = 1
    owner: Annotated[str, StringConstraints(pattern=rf"^{OWNER_PATTERN}$")]
    episode_id: Annotated[str, StringConstraints(pattern=rf"^{EPISODE_ID_PATTERN}$")]
    transcript_key: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    transcript_version: Annotated[str, Field(min_length=1, max_length=1024)]
    """S3 version of the transcript's object."""
    index: Annotated[int, Field(ge=0, lt=MAX_WINDOWS)]
    """Position of the window in the transcript, from 0."""
    count: Annotated[int, Field(ge=1, le=MAX_WINDOWS)]
    """Number of windows of the transcript."""
    first: CueNumber
    """Number of the window's first cue."""
    core_end: CueNumber
    """Number of the first cue after the core."""
    end: CueNumber
    """Number of the first cue after the overlap."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.index >= self.count:
            raise ValueError("index must be less than count")
        if not self.first < self.core_end <= self.end:
            raise ValueError("first must be less than coreEnd, and coreEnd must not be greater than end")
        if not self.transcript_key.startswith(f"{TRANSCRIPTS}{self.owner}/{self.episode_id}/"):
            raise ValueError("transcriptKey must belong to the episode")
        return self

    @property
    def upload_id(self) -> str:
        """Id of the transcript's upload, which is part of the object's key."""
        return self.transcript_key.rpartition("/")[2].partition(".")[0]

    @property
    def window_id(self) -> str:
        """Id of the window. The same window of the same transcript version always has the same id."""
        return self._build_window_id(self.index)

    @property
    def other_window_ids(self) -> frozenset[str]:
        """Ids of the other windows of the same transcript version."""
        return frozenset(self._build_window_id(index) for index in range(self.count) if index != self.index)

    def _build_window_id(self, index: int) -> str:
        parts = (self.transcript_key, self.transcript_version, str(index))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def window_messages(transcript: UploadedObject, windows: Sequence[Window[P]]) -> tuple[WindowMessage, ...]:
    """Return one message for each window of a transcript."""
    return tuple(
        WindowMessage(
            owner=transcript.key_parts.owner,
            episode_id=transcript.key_parts.episode_id,
            transcript_key=transcript.key,
            transcript_version=transcript.version_id,
            index=window.index,
            count=len(windows),
            first=window.first,
            core_end=window.first + window.core_count,
            end=window.first + len(window.passages),
        )
        for window in windows
    )


class WindowsNotQueued(Exception):
    """SQS rejected some of the messages. The exception contains no part of them."""


def send_messages(client: "SQSClient", queue_url: str, messages: Sequence[WindowMessage]) -> None:
    """Send all messages, in batches.

    Raise WindowsNotQueued if SQS rejects some messages of a batch. Later batches are then not sent, so the caller must
    send all messages again.
    """
    for start in range(0, len(messages), BATCH_SIZE):
        answer = client.send_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(message.index), "MessageBody": message.model_dump_json(by_alias=True)}
                for message in messages[start : start + BATCH_SIZE]
            ],
        )
        if answer.get("Failed"):
            raise WindowsNotQueued
