"""One window of a transcript as it goes through the queue.

The message names a window and says nothing of it: whoever works on it reads the transcript again, and cuts it again, to
the sizes that the message has. By those of today, windows of before would be others: some cues would be in two cores, and
some in none.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from handlers.common.text.text_windows import WindowSizes
from handlers.common.websocket.messages import Message
from handlers.livestream.api_models import EpisodeId
from handlers.livestream.s3_prefixes import TRANSCRIPTS

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

BATCH = 10
"""Messages that SQS takes at once."""
MAX_WINDOWS = 1_000
"""Of a transcript. Each is a call of the model, in a queue that all episodes share: a day's speech stays below this."""
Owner = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]


class Cut(Message):
    """The sizes by which a transcript was cut."""

    characters: Annotated[int, Field(ge=1)]
    milliseconds: Annotated[int, Field(ge=1)]
    overlap_characters: Annotated[int, Field(ge=1)]

    @property
    def sizes(self) -> WindowSizes:
        """For whoever cuts it again."""
        return WindowSizes(self.characters, self.milliseconds, self.overlap_characters)


class WindowMessage(Message):
    """One window that is to be worked on, as it goes through the queue."""

    schema_version: Literal[1] = 1
    owner: Owner
    episode_id: EpisodeId
    transcript_key: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    transcript_version: Annotated[str, Field(min_length=1, max_length=1024)]
    index: Annotated[int, Field(ge=0, lt=MAX_WINDOWS)]
    count: Annotated[int, Field(ge=1, le=MAX_WINDOWS)]
    cut: Cut

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.index >= self.count:
            raise ValueError("the index is one of the count")
        if not self.transcript_key.startswith(f"{TRANSCRIPTS}{self.owner}/{self.episode_id}/"):
            raise ValueError("the transcript is the episode's own")
        return self

    @property
    def window_id(self) -> str:
        """The window's name: the same transcript's same window has the same, whenever it is cut."""
        return self._name(self.index)

    def id_of(self, *parts: str) -> str:
        """Return the id of a finding: the same parts give the same id in each window of the same transcript version."""
        return _hashed(self.episode_id, self.transcript_key, self.transcript_version, *parts)

    @property
    def others(self) -> frozenset[str]:
        """Names of the same transcript's other windows."""
        return frozenset(self._name(index) for index in range(self.count) if index != self.index)

    @property
    def upload_id(self) -> str:
        """The upload that the transcript came with: its object is named after it."""
        return self.transcript_key.rpartition("/")[2].partition(".")[0]

    def _name(self, index: int) -> str:
        return _hashed(self.transcript_key, self.transcript_version, str(index))


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def messages(
    owner: str, episode_id: str, transcript_key: str, transcript_version: str, count: int, sizes: WindowSizes
) -> tuple[WindowMessage, ...]:
    """What the queue gets for a transcript of so many windows, which were cut to these sizes."""
    cut = Cut(**asdict(sizes))
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


class NotQueued(Exception):
    """Some of the messages were not taken; says nothing of them."""


class WindowQueue:
    """Queues windows, with SendMessageBatch alone."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Sequence[WindowMessage]) -> None:
        """All of them; where some are not taken, none that follow are sent: whoever asks again sends all again."""
        for start in range(0, len(messages), BATCH):
            answer = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(one.index), "MessageBody": one.model_dump_json(by_alias=True)}
                    for one in messages[start : start + BATCH]
                ],
            )
            if answer.get("Failed"):
                raise NotQueued
