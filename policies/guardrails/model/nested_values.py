"""List of all values in a resource's properties, including those in JSON documents inside of texts.

IAM policies, state machine definitions, API bodies, container definitions and dashboards are texts that contain JSON.
They are parsed, so a check finds a value wherever it appears. Unknown values are left out. AWS assigns them to
resources of this stack during the deployment. The next run after the deployment knows and checks them.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from pulumi_policy.proxy import UnknownValueError

from guardrails.pack.policy_kinds import CheckedResource, CheckedStack

MAX_DEPTH = 120
"""Maximum number of nested levels. Deeper JSON in a text is searched as one text. Other values cannot be deeper,
because the engine's messages have at most 100 levels.
"""
NAME_KEYS = ("name", "key")
"""Keys of the name in a pair of name and value, for example in a container's variable `{"name": …, "value": …}`."""
KEY_OF_KEYS = "(key)"
"""Placeholder for the last item of `NestedValue.keys`, if the value is itself the key of a mapping."""


@dataclass(frozen=True)
class NestedValue:
    """One text, number or truth value, and its position in the properties."""

    keys: tuple[str, ...]
    """The keys of all levels, from the property to the value. List positions are not included."""
    path: str
    """Path for messages, for example `environment.variables.TOKEN` or `command[2]`."""
    name: str
    """Name that the value belongs to: its key, the name of its pair, or the flag that precedes it in a list. It is
    empty if the value is itself the key of a mapping.
    """
    value: str | float | bool
    is_denied: bool = False
    """True if the value is part of an IAM statement with the effect Deny."""

    @property
    def key(self) -> str:
        """The innermost key, which names the meaning of the value."""
        return self.keys[-1]


@dataclass(frozen=True)
class _SearchPosition:
    """Position of the search in a property. The fields become those of the `NestedValue` that is found there."""

    keys: tuple[str, ...] = ()
    path: str = ""
    name: str = ""
    depth: int = 0
    is_denied: bool = False

    def to_value(self, value: str | float | bool) -> NestedValue:
        return NestedValue(self.keys, self.path, self.name, value, self.is_denied)


_VALUES_BY_RESOURCE: WeakKeyDictionary[CheckedResource, tuple[NestedValue, ...]] = WeakKeyDictionary()
"""The values of each resource, because several policies search them."""


def list_program_values(resource: CheckedResource, stack: CheckedStack) -> tuple[NestedValue, ...]:
    """Return all known values of the properties that the program sets, and also the keys of mappings as values."""
    if resource not in _VALUES_BY_RESOURCE:
        _VALUES_BY_RESOURCE[resource] = tuple(
            nested
            for key in list(resource.props)
            if stack.is_set_by_program(resource, key)
            for nested in _list_entry(resource.props, key, key, _SearchPosition())
        )
    return _VALUES_BY_RESOURCE[resource]


def list_values(value: Any) -> Iterator[NestedValue]:
    """Yield all known values inside a value, and also the keys of mappings as values."""
    return _list_values(value, _SearchPosition())


def _list_values(value: Any, position: _SearchPosition) -> Iterator[NestedValue]:
    if position.depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, Mapping):
        yield from _list_mapping_values(value, position)
    elif isinstance(value, str):
        yield from _list_text_values(value, position)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        flag = ""
        for index in range(len(value)):
            try:
                item = value[index]
            except UnknownValueError:
                continue
            path, name = f"{position.path}[{index}]", flag or position.name
            yield from _list_values(item, replace(position, path=path, name=name, depth=position.depth + 1))
            flag = item if isinstance(item, str) and item.startswith("-") and "=" not in item else ""
    elif isinstance(value, int | float):
        yield position.to_value(value)


def _list_mapping_values(mapping: Mapping[str, Any], position: _SearchPosition) -> Iterator[NestedValue]:
    position = replace(position, is_denied=position.is_denied or _is_deny_statement(mapping))
    pair_name = _get_pair_name(mapping)
    for key in list(mapping):
        yield replace(position, keys=(*position.keys, KEY_OF_KEYS), name="").to_value(str(key))
        is_pair_value = pair_name and str(key).lower() == "value"
        yield from _list_entry(mapping, key, pair_name if is_pair_value else str(key), position)


def _list_entry(mapping: Mapping[str, Any], key: str, name: str, position: _SearchPosition) -> Iterator[NestedValue]:
    """Yield the values of one entry of a mapping. Reading an unknown value raises an error, so this reads it alone."""
    try:
        value = mapping[key]
    except UnknownValueError:
        return
    path = f"{position.path}.{key}" if position.path else str(key)
    entry = _SearchPosition((*position.keys, str(key)), path, name, position.depth + 1, position.is_denied)
    yield from _list_values(value, entry)


def _list_text_values(text: str, position: _SearchPosition) -> Iterator[NestedValue]:
    """Yield the values of the JSON object, list or text that a text contains. A text without JSON is itself a value."""
    document = _parse_json(text)
    if document is not None:
        with suppress(RecursionError):
            yield from list(_list_values(document, replace(position, depth=position.depth + 1)))
            return
    yield position.to_value(text)


@functools.cache
def _parse_json(text: str) -> Any:
    """Return the object, list or text that a text contains as JSON, or None if it contains none. The result is cached,
    because several policies search the same properties.
    """
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_deny_statement(value: Mapping[str, Any]) -> bool:
    try:
        return bool(value.get("Effect") == "Deny")
    except UnknownValueError:
        return False


def _get_pair_name(value: Mapping[str, Any]) -> str:
    """Return the name of a pair of name and value, or an empty text if the mapping is no such pair."""
    lowered = {str(key).lower(): key for key in value}
    if "value" not in lowered:
        return ""
    with suppress(UnknownValueError):
        return next((str(value[lowered[key]]) for key in NAME_KEYS if key in lowered), "")
    return ""
