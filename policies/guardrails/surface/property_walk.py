"""Walk through the properties of a resource, from which its facts (`facts.py`) are computed, and reader of properties
that can be unknown until the deployment.

JSON in a text is read like the properties around it, because AWS takes many documents as texts.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError

from guardrails.surface.tables import read_keys

UNKNOWN: Final = object()
"""Stands for a value that AWS assigns during the deployment."""
INVENTED_KEY_PARENTS = read_keys("names")
"""Keys below which the program invents the keys, for example the names of states. A path has `*` in their place."""

PropertyPath = tuple[str, ...]
"""Keys that lead to a value. The key of an item of a list is `[]`."""


def walk(value: Any, path: PropertyPath = ()) -> Iterator[tuple[PropertyPath, Any]]:
    """Yield the path and the value of everything in a value that is neither a list nor a mapping, also each `UNKNOWN`.

    Two kinds of mappings differ. An IAM policy document is yielded as a whole. A list of `{name, value}`, for example of
    environment variables, counts as a mapping.
    """
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")) and not value.startswith("{%"):  # {% is JSONata
        value = parse_json(value)
    if isinstance(value, Mapping):
        lowered = {str(key).lower(): key for key in value}
        if "statement" in lowered:
            yield path, value
            return
        if lowered.keys() == {"name", "value"} and path and path[-1] == "[]":
            yield from walk(get_known(value, lowered["value"]), (*path, str(get_known(value, lowered["name"]))))
            return
        for key in value:
            yield from walk(get_known(value, key), (*path, _to_path_part(path, str(key))))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index in range(len(value)):
            yield from walk(get_known(value, index), (*path, "[]"))
    elif value is not None:
        yield path, value


def _to_path_part(parents: PropertyPath, key: str) -> str:
    """Return a key as part of a path: `*` if the program invents it."""
    is_invented = bool(parents) and parents[-1].lower() in INVENTED_KEY_PARENTS
    # An OpenAPI document has the HTTP methods below invented keys, the paths of the API.
    is_method = len(parents) > 1 and parents[-1] == "*" and parents[-2].lower() == "paths"
    return "*" if is_invented or is_method else key


def get_known(values: Any, key: Any) -> Any:
    """Return a value of a mapping or list: None if it is absent, `UNKNOWN` if AWS assigns it."""
    try:
        return values.get(key) if isinstance(values, Mapping) else values[key]
    except UnknownValueError:
        return UNKNOWN


@functools.cache
def parse_json(text: str) -> Any:
    """Return the value that a text contains as JSON, or the text itself. Raise ValueError about two equal keys."""
    try:
        return json.loads(text, object_pairs_hook=_to_mapping)
    except json.JSONDecodeError:
        return text


def _to_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # The parser drops one of two equal keys, and AWS may use that key. AWS ignores the case of some keys.
    if len({key.lower() for key, _ in pairs}) < len(pairs):
        raise ValueError("a JSON object has two equal keys")
    return dict(pairs)
