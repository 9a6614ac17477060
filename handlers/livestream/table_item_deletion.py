"""Deletion of many items of livestream's table, by their keys, with BatchWriteItem."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handlers.common.records import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import WriteRequestTypeDef

BATCH_SIZE = 25
"""Maximum number of items in one BatchWriteItem request."""


class ItemsNotDeleted(Exception):
    """DynamoDB did not delete all items of a batch, because it throttles the table."""


def delete_items(client: "DynamoDBClient", table: str, keys: Sequence[Item]) -> None:
    """Delete the items with these primary keys.

    Raise ItemsNotDeleted at the first batch that DynamoDB does not delete completely. Later batches are then not sent.
    A caller that repeats the call deletes the rest.
    """
    for start in range(0, len(keys), BATCH_SIZE):
        deletions: list[WriteRequestTypeDef] = [
            {"DeleteRequest": {"Key": key}} for key in keys[start : start + BATCH_SIZE]
        ]
        answer = client.batch_write_item(RequestItems={table: deletions})
        if answer.get("UnprocessedItems"):
            raise ItemsNotDeleted
