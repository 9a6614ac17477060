"""Values as DynamoDB's client takes and gives them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Item = dict[str, Any]


def stored(values: Mapping[str, Any]) -> Item:
    """An item; what is None is left out."""
    return {name: typed(value) for name, value in values.items() if value is not None}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """What an item says."""
    return {name: _untyped(value) for name, value in item.items()}


def typed(value: object) -> Item:
    """One value."""
    match value:
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case str():
            return {"S": str(value)}
        case Mapping():
            return {"M": stored(value)}
        case Sequence():
            return {"L": [typed(one) for one in value]}
        case _:
            raise TypeError("a value that no item holds")


def _untyped(value: Mapping[str, Any]) -> Any:
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return int(content) if content.lstrip("-").isdigit() else float(content)
        case "M":
            return plain(content)
        case "L":
            return [_untyped(one) for one in content]
        case "NULL":
            return None
        case _:
            return content
