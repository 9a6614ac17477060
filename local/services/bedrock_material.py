"""The lines of JSON in a request's last turn: all that the local model knows."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Line = Mapping[str, Any]


def material(asked: Mapping[str, Any]) -> tuple[Line, ...]:
    """The objects, each from a line of its own."""
    return tuple(_lines(asked["messages"][-1]["content"]))


def _lines(content: list[Mapping[str, Any]]) -> Iterator[Line]:
    for block in content:
        for line in str(block.get("text", "")).split("\n"):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value
