"""Test that the faster serialisation in moto keeps every type of DynamoDB value."""

from typing import Any

import boto3
from moto import mock_aws

from tests.moto_tables import create_table

KEY = {"pk": {"S": "one"}}
ITEM: dict[str, Any] = {
    **KEY,
    "text": {"S": ""},
    "number": {"N": "-1.50"},
    "bytes": {"B": b"\x00\xff"},
    "truth": {"BOOL": False},
    "nothing": {"NULL": True},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "many bytes": {"BS": [b"a", b"\xfe"]},
    "list": {"L": [{"S": "x"}, {"L": []}, {"M": {"in": {"B": b"y"}}}]},
    "map": {"M": {"S": {"S": "a name that is a kind"}, "empty": {"M": {}}}},
}


def test_moto_returns_a_value_of_every_type_unchanged() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_table(client, "values", "pk")
        client.put_item(TableName="values", Item=ITEM)
        assert client.get_item(TableName="values", Key=KEY)["Item"] == ITEM
        assert client.scan(TableName="values")["Items"] == [ITEM]
