"""Messages of the queue `agent-windows`, each of which names one window of a transcript.

A window is a section of a transcript that is small enough for one model request. The function `transcript-windows` cuts
an uploaded transcript into windows and sends the messages. The function `fact-check-agent` analyzes the windows. A
message contains no text of the transcript, so the agent reads the transcript and cuts it again. For this it uses the
window sizes in the message, not its own settings. With other sizes, the windows would begin and end elsewhere, so some
lines of the transcript would be analyzed twice and others never.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from handlers.common.json_models import Message
from handlers.common.text import WindowSizes
from handlers.livestream.api_models import EpisodeId
from handlers.livestream.s3_prefixes import TRANSCRIPTS

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

BATCH_SIZE = 10
"""Maximum number of messages in one SendMessageBatch request."""
MAX_WINDOWS = 1_000
"""Maximum number of windows of a transcript. Each window is one model request, in a queue that all episodes share. The
speech of a whole day stays below this limit."""
OwnerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]


class QueuedWindowSizes(Message):
    """Window sizes with which a transcript was cut; `WindowSizes` explains the fields."""

    characters: Annotated[int, Field(ge=1)]
    milliseconds: Annotated[int, Field(ge=1)]
    overlap_characters: Annotated[int, Field(ge=1)]

    @property
    def sizes(self) -> WindowSizes:
        """Window sizes in the form that `split_into_windows` accepts."""
        return WindowSizes(self.characters, self.milliseconds, self.overlap_characters)


class WindowMessage(Message):
    """Queue message that asks the agent to analyze one window."""

    schema_version: Literal[1] = 1
    owner: OwnerId
    episode_id: EpisodeId
    transcript_key: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    transcript_version: Annotated[str, Field(min_length=1, max_length=1024)]
    """S3 version of the transcript's object."""
    index: Annotated[int, Field(ge=0, lt=MAX_WINDOWS)]
    """Position of the window in the transcript, from 0."""
    count: Annotated[int, Field(ge=1, le=MAX_WINDOWS)]
    """Number of windows of the transcript."""
    cut: QueuedWindowSizes
    """Sizes with which the agent must cut the transcript again."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.index >= self.count:
            raise ValueError("index must be less than count")
        if not self.transcript_key.startswith(f"{TRANSCRIPTS}{self.owner}/{self.episode_id}/"):
            raise ValueError("transcriptKey must belong to the episode")
        return self

    @property
    def window_id(self) -> str:
        """Id of the window. The same window of the same transcript version always has the same id."""
        return self._build_window_id(self.index)

    def finding_id(self, *parts: str) -> str:
        """Return the id of a finding, derived from parts such as its kind, its times and its words.

        The id does not depend on the window, so a finding that two windows contain has one id.
        """
        return _hash_parts(self.episode_id, self.transcript_key, self.transcript_version, *parts)

    @property
    def other_window_ids(self) -> frozenset[str]:
        """Ids of the other windows of the same transcript version."""
        return frozenset(self._build_window_id(index) for index in range(self.count) if index != self.index)

    @property
    def upload_id(self) -> str:
        """Id of the transcript's upload, which is part of the object's key."""
        return self.transcript_key.rpartition("/")[2].partition(".")[0]

    def _build_window_id(self, index: int) -> str:
        return _hash_parts(self.transcript_key, self.transcript_version, str(index))


def _hash_parts(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def window_messages(
    owner: str, episode_id: str, transcript_key: str, transcript_version: str, count: int, sizes: WindowSizes
) -> tuple[WindowMessage, ...]:
    """Return one message for each of the `count` windows of a transcript that was cut to these sizes."""
    cut = QueuedWindowSizes(**asdict(sizes))
    return tuple(
        WindowMessage(
            owner=owner,
            episode_id=episode_id,
            transcript_key=transcript_key,
            transcript_version=transcript_version,
            index=index,
            count=count,
            cut=cut,
        )
        for index in range(count)
    )


class WindowsNotQueued(Exception):
    """SQS rejected some of the messages. The exception contains no part of them."""


class WindowQueue:
    """Gateway that sends window messages with SendMessageBatch, the only SQS operation it uses."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Sequence[WindowMessage]) -> None:
        """Send all messages, in batches.

        Raise WindowsNotQueued if SQS rejects some messages of a batch. Later batches are then not sent, so the caller
        must send all messages again.
        """
        for start in range(0, len(messages), BATCH_SIZE):
            answer = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(message.index), "MessageBody": message.model_dump_json(by_alias=True)}
                    for message in messages[start : start + BATCH_SIZE]
                ],
            )
            if answer.get("Failed"):
                raise WindowsNotQueued
