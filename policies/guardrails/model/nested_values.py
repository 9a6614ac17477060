"""Search of all values of a resource's properties, also in JSON documents inside of texts.

IAM policies, state machine definitions, API bodies, container definitions and dashboards are texts that contain JSON.
The search parses them, so a check finds a value wherever it appears. Unknown values are skipped: they come from other
resources of the stack, and the next run after the deployment finds them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pulumi_policy.proxy import UnknownValueError

from guardrails.pack.policy_kinds import CheckedResource, CheckedStack

MAX_DEPTH = 120
"""Maximum number of nested levels. A document that is deeper is searched as one text. Only JSON in a text can be deeper,
because the engine's messages have at most 100 levels.
"""


@dataclass(frozen=True)
class NestedValue:
    """One text or number, and the keys that lead to it."""

    keys: tuple[str, ...]
    """The keys of all levels, from the property to the value. List positions are not included."""
    value: str | float
    is_denied: bool = False
    """True if the value is part of an IAM statement with the effect Deny."""

    @property
    def key(self) -> str:
        """The innermost key, which says what the value means."""
        return self.keys[-1]


_VALUES_BY_RESOURCE: WeakKeyDictionary[CheckedResource, tuple[NestedValue, ...]] = WeakKeyDictionary()
"""The values of each resource, because several policies search them."""


def list_program_values(resource: CheckedResource, stack: CheckedStack) -> tuple[NestedValue, ...]:
    """Return all known values of the properties that the program sets, and also the keys of mappings as values."""
    if resource not in _VALUES_BY_RESOURCE:
        _VALUES_BY_RESOURCE[resource] = tuple(
            nested
            for key in list(resource.props)
            if stack.is_set_by_program(resource, key)
            for nested in _list_entry(resource.props, key, (), 0, is_denied=False)
        )
    return _VALUES_BY_RESOURCE[resource]


def _list_entry(
    holder: Mapping[str, Any], key: str, keys: tuple[str, ...], depth: int, *, is_denied: bool
) -> Iterator[NestedValue]:
    """Yield the values of one entry of a mapping. Reading an unknown value raises an error, so this reads it alone."""
    try:
        value = holder[key]
    except UnknownValueError:
        return
    yield from _list_values(value, (*keys, str(key)), depth + 1, is_denied=is_denied)


def _list_values(value: Any, keys: tuple[str, ...], depth: int, *, is_denied: bool) -> Iterator[NestedValue]:
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, Mapping):
        is_denied = is_denied or _is_deny_statement(value)
        for key in list(value):
            yield NestedValue((*keys, "(key)"), str(key), is_denied)
            yield from _list_entry(value, key, keys, depth, is_denied=is_denied)
    elif isinstance(value, str):
        yield from _list_text_values(value, keys, depth, is_denied=is_denied)
    elif isinstance(value, Sequence):
        for position in range(len(value)):
            try:
                item = value[position]
            except UnknownValueError:
                continue
            yield from _list_values(item, keys, depth + 1, is_denied=is_denied)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield NestedValue(keys, float(value), is_denied)


def _is_deny_statement(value: Mapping[str, Any]) -> bool:
    try:
        return bool(value.get("Effect") == "Deny")
    except UnknownValueError:
        return False


def _list_text_values(text: str, keys: tuple[str, ...], depth: int, *, is_denied: bool) -> Iterator[NestedValue]:
    """Yield the values of the JSON object, list or text that a text contains, or else the text."""
    if text.lstrip().startswith(("{", "[", '"')):
        with suppress(ValueError, RecursionError):
            yield from list(_list_values(json.loads(text), keys, depth + 1, is_denied=is_denied))
            return
    yield NestedValue(keys, text, is_denied)
