"""The agent's queue, as whoever fills it sees it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handlers.livestream.windows import WindowMessage

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

BATCH = 10
"""Messages that SQS takes at once."""


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
