"""Records: DynamoDB items that several Lambda invocations change concurrently.

A change reads the record, computes the new one with a pure function (the transition), and writes it on condition that no
other invocation wrote in the meantime. If one did, the transition is applied again, to the newer record. So a transition
must accept any state, and return its argument if there is nothing to change.

Each write stores a new random `revision`. If the response to a write is lost, boto3 sends the write again, and the
condition fails although the first attempt succeeded. The revision of the stored item then shows that it was our own.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from handlers.common.json_models import Message

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_ATTEMPTS = 12
"""Maximum number of attempts to write a change. Normal use needs fewer, because few invocations write to one item."""
CONFLICTS = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})
"""Error codes of PutItem which mean that another invocation wrote first, or is writing."""
Key = Mapping[str, str]
"""Key attributes of an item. All of them are strings."""
Attributes = Mapping[str, Any]
"""Plain values by attribute name."""


class TooManyWriters(Exception):
    """In each attempt to change the item, another invocation changed it first. A later attempt may succeed."""


class Record(Message):
    """Base of the models of records. An attribute of the item has the alias of the field, which is in camelCase."""

    revision: str = ""
    """Random text that identifies the write of this state. Empty before the first write."""


R = TypeVar("R", bound=Record)


class Records(Generic[R]):
    """Gateway for one kind of records in a table. It uses only GetItem and PutItem."""

    def __init__(
        self, client: "DynamoDBClient", table: str, model: type[R], attributes: Callable[[R], Attributes] = lambda _: {}
    ) -> None:
        """`attributes` returns the item's attributes that the model lacks, such as keys of an index and the expiry."""
        self._client = client
        self._table = table
        self._model = model
        self._attributes = attributes

    def read(self, key: Key) -> R | None:
        """Return the record with a key, or None if there is none. The read is strongly consistent."""
        answer = self._client.get_item(TableName=self._table, Key=serialize_item(key), ConsistentRead=True)
        return self.parse(answer["Item"]) if "Item" in answer else None

    def parse(self, item: Mapping[str, Any]) -> R:
        """Return the record of an item that a query returned."""
        return self._model.model_validate(deserialize_item(item))

    def change(self, key: Key, transition: Callable[[R | None], R | None]) -> R | None:
        """Change a record, and return it as it is afterwards, or None if there is none. Raises TooManyWriters.

        `transition` gets the current record, or None if there is none. If it returns its argument or None, nothing is
        written. It is called again if another invocation wrote first. The record may then already contain its effect, if
        the response to our own write was lost. So applying a transition twice must have the effect of applying it once.
        """
        before = self.read(key)
        for _ in range(MAX_ATTEMPTS):
            after = transition(before)
            if after is None or after == before:
                return before
            after = after.model_copy(update={"revision": token_hex(8)})
            if self._put(key, before, after):
                return after
            before = self.read(key)
            if before is not None and before.revision == after.revision:
                return after
        raise TooManyWriters

    def _put(self, key: Key, before: R | None, after: R) -> bool:
        """Write `after` if the item still has the revision of `before`. Return False if it does not."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(revision)"}
        if before is not None:
            values = {":read": {"S": before.revision}}
            condition = {"ConditionExpression": "revision = :read", "ExpressionAttributeValues": values}
        try:
            item = serialize_model(after) | serialize_item({**self._attributes(after), **key})
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in CONFLICTS:
                return False
            raise
        return True


Item = dict[str, Any]
"""Attribute values by attribute name, each under the name of its DynamoDB type: `{"count": {"N": "1"}}`."""


class _PlainDeserializer(TypeDeserializer):
    """Converter of attribute values whose numbers are int or float, because strict models refuse boto3's Decimal."""

    def _deserialize_n(self, value: str) -> int | float:
        number: int | float = json.loads(value)
        return number


_SERIALIZER, _DESERIALIZER = TypeSerializer(), _PlainDeserializer()


def serialize_model(model: Message) -> Item:
    """Return the item of a model, without the fields that are None. An attribute has the alias of the field."""
    # boto3 refuses floats, because their binary value has no exact decimal number.
    return serialize_item(json.loads(model.model_dump_json(by_alias=True, exclude_none=True), parse_float=Decimal))


def serialize_item(values: Mapping[str, Any]) -> Item:
    """Return a DynamoDB item."""
    return {name: _SERIALIZER.serialize(value) for name, value in values.items()}


def deserialize_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a DynamoDB item."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}
