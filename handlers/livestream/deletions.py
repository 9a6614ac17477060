"""Messages about deleted episodes, from the REST API to the function that removes their data.

The API sends the messages of an episode before it marks the episode as deleted. So a deletion that a client was told of
always has its messages, and the function ignores a message of an episode that was not deleted after all.

Each deletion has two messages. When the first arrives, the fact-check agent or AgentCore may still be working on the
episode, and store something afterwards. The second arrives when this work has ended. What a MediaConvert job writes
even later expires with all other objects of the bucket.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from handlers.common.ids import Ulid
from handlers.common.json_models import Message
from handlers.livestream.keys import OWNER_PATTERN

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

DELAYS_SECONDS = (5, 900)
"""Delays of the messages. The first is longer than it takes to mark the episode as deleted. The second is the maximum
that SQS allows, and longer than any invocation of the agent and the minutes in which AgentCore derives records."""


class DeletedEpisode(Message):
    """Message about an episode whose data must be removed."""

    schema_version: Literal[1] = 1
    owner: Annotated[str, Field(pattern=rf"^{OWNER_PATTERN}$")]
    episode_id: Ulid


class DeletionNotQueued(Exception):
    """SQS rejected a message. The exception contains no part of it."""


def queue_deletion(client: "SQSClient", queue_url: str, deleted: DeletedEpisode) -> None:
    """Send the messages of a deletion. Raise DeletionNotQueued if SQS rejects one of them."""
    body = deleted.model_dump_json(by_alias=True)
    answer = client.send_message_batch(
        QueueUrl=queue_url,
        Entries=[{"Id": str(delay), "MessageBody": body, "DelaySeconds": delay} for delay in DELAYS_SECONDS],
    )
    if answer.get("Failed"):
        raise DeletionNotQueued
