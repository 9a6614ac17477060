"""Walk over all values in a resource's properties, with a path for messages and the name that each value belongs to.

Texts that contain JSON are parsed, because many properties are JSON documents: container definitions, state machines,
OpenAPI documents. Unknown values are skipped, because they come from another resource of the stack.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pulumi_policy.proxy import UnknownValueError

NAME_KEYS = ("name", "key")
"""Keys of a pair's name, as in the pairs `{"name": …, "value": …}` of environment variables."""
MAX_DEPTH = 40
"""Maximum depth of nested values, so that a malformed document cannot exhaust the stack."""


class NamedValue(NamedTuple):
    """One text, number or truth value of a resource's properties."""

    path: str
    """Path of the value, for example `environment.variables.TOKEN`."""
    name: str
    """Name that the value belongs to: its key, the name of its pair, or the flag that precedes it in a list."""
    value: Any


def list_values(value: Any, path: str = "", name: str = "", depth: int = 0) -> Iterator[NamedValue]:
    """Yield all single values in a value, and its keys as texts without a name."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        document = _parse_json(value)
        if document is None:
            yield NamedValue(path, name, value)
        else:
            yield from list_values(document, path, name, depth + 1)
    elif isinstance(value, Mapping):
        pair_name = _get_pair_name(value)
        for key in value:
            with suppress(UnknownValueError):
                is_pair_value = pair_name and key.lower() == "value"
                child = f"{path}.{key}" if path else key
                yield NamedValue(path, "", key)
                yield from list_values(value[key], child, pair_name if is_pair_value else key, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        flag = ""
        for index in range(len(value)):
            with suppress(UnknownValueError):
                item = value[index]
                yield from list_values(item, f"{path}[{index}]", flag or name, depth + 1)
                flag = item if isinstance(item, str) and item.startswith("-") and "=" not in item else ""
    elif isinstance(value, int | float):
        yield NamedValue(path, name, value)


def _get_pair_name(value: Mapping[str, Any]) -> str:
    """Return the name of a pair of name and value, or an empty text if the mapping is no such pair."""
    lowered = {key.lower(): key for key in value}
    if "value" not in lowered:
        return ""
    with suppress(UnknownValueError):
        return next((str(value[lowered[key]]) for key in NAME_KEYS if key in lowered), "")
    return ""


@functools.cache
def _parse_json(text: str) -> Any:
    """Return the object or list that a text contains as JSON, or None if it contains none. The result is cached,
    because several policies walk over the same properties.
    """
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict | list) else None
