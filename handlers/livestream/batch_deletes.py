"""Deletes many items of livestream's table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handlers.common.aws.dynamodb_values import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import WriteRequestTypeDef

BATCH_SIZE = 25
"""Items that one call deletes."""


class ItemsNotDeleted(Exception):
    """The table is busy: some items are there still."""


def delete_items(client: "DynamoDBClient", table: str, keys: Sequence[Item]) -> None:
    """All of them; raises ItemsNotDeleted, and whoever asks again asks for those that are left."""
    for at in range(0, len(keys), BATCH_SIZE):
        wanted: list[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": key}} for key in keys[at : at + BATCH_SIZE]]
        answer = client.batch_write_item(RequestItems={table: wanted})
        if answer.get("UnprocessedItems"):
            raise ItemsNotDeleted
