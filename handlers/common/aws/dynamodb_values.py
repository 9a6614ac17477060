"""Conversion between Python values and the typed attribute values of boto3's low-level DynamoDB client."""

from collections.abc import Mapping, Sequence
from typing import Any

AttributeValue = dict[str, Any]
"""A value under the name of its DynamoDB type, for example `{"N": "1"}`."""
Item = dict[str, Any]
"""Attribute values by attribute name, for example `{"count": {"N": "1"}}`."""


def serialize_item(values: Mapping[str, Any]) -> Item:
    """Return a DynamoDB item. Values that are None are left out."""
    return {name: serialize_value(value) for name, value in values.items() if value is not None}


def deserialize_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a DynamoDB item."""
    return {name: _deserialize_value(value) for name, value in item.items()}


def serialize_value(value: object) -> AttributeValue:
    """Return one typed attribute value. Raises TypeError for a type without a case below, including None.

    Bytes are not supported: they are a sequence of integers, so they would become a list of numbers.
    """
    match value:
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case str():
            return {"S": str(value)}
        case Mapping():
            return {"M": serialize_item(value)}
        case Sequence():
            return {"L": [serialize_value(element) for element in value]}
        case _:
            raise TypeError(f"{type(value).__name__} cannot be stored in a DynamoDB item")


def _deserialize_value(value: Mapping[str, Any]) -> Any:
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return int(content) if content.lstrip("-").isdigit() else float(content)
        case "M":
            return deserialize_item(content)
        case "L":
            return [_deserialize_value(element) for element in content]
        case "NULL":
            return None
        case _:
            return content
