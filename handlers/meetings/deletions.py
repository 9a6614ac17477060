"""Messages about deleted meetings, to the function that removes their data.

The messages of a meeting are sent before its record becomes a tombstone. So a deletion that a client was told of always has
its messages, and the function ignores a message of a meeting that was not deleted after all.

Each deletion has two messages. The first removes the data at once. The second arrives when an upload or an invocation that
was in progress has ended. If an execution of the workflow is still running then, the function sends the message again,
until it has ended.
"""

from typing import TYPE_CHECKING, Final, Literal

from handlers.common.ids import Ulid, UserId
from handlers.common.json_models import Message

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

LONG_DELAY_SECONDS: Final = 900
"""Delay of the second message: the maximum that SQS allows."""
DELAYS_SECONDS: Final = (5, LONG_DELAY_SECONDS)
"""Delays of the messages. The first is longer than it takes to write the tombstone."""


class DeletedMeeting(Message):
    """Message about a meeting whose data must be removed."""

    schema_version: Literal[1] = 1
    user: UserId
    meeting_id: Ulid


def queue_deletion(
    client: "SQSClient", queue_url: str, deleted: DeletedMeeting, delays: tuple[int, ...] = DELAYS_SECONDS
) -> None:
    """Send the messages of a deletion."""
    for delay in delays:
        client.send_message(QueueUrl=queue_url, MessageBody=deleted.model_dump_json(by_alias=True), DelaySeconds=delay)
