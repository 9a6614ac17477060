"""Deletion of many items of livestream's table with BatchWriteItem."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handlers.common.aws.dynamodb_values import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import WriteRequestTypeDef

BATCH_SIZE = 25
"""Maximum number of items in one BatchWriteItem request."""


class ItemsNotDeleted(Exception):
    """DynamoDB left some items undeleted, because the table is throttled."""


def delete_items(client: "DynamoDBClient", table: str, keys: Sequence[Item]) -> None:
    """Delete the items with these keys. Raise ItemsNotDeleted if some are left; the caller's retry deletes them."""
    for start in range(0, len(keys), BATCH_SIZE):
        deletions: list[WriteRequestTypeDef] = [
            {"DeleteRequest": {"Key": key}} for key in keys[start : start + BATCH_SIZE]
        ]
        answer = client.batch_write_item(RequestItems={table: deletions})
        if answer.get("UnprocessedItems"):
            raise ItemsNotDeleted
