"""IAM documents, read by what they allow. Pure; the facts about actions are in `actions`."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEMANDING = frozenset({"ArnEquals", "ArnLike", "StringEquals", "StringEqualsIgnoreCase", "StringLike"})
"""Operators that a request without the key, or with another text or ARN, never meets."""
NOT_ELEMENTS = ("NotAction", "NotResource", "NotPrincipal")


@dataclass(frozen=True)
class Statement:
    """One statement, its single values made lists."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_elements: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    """Kind (`AWS`, `Service`, `Federated`) and value; `"*"` alone is of kind `*`."""
    conditions: Mapping[str, Mapping[str, Any]]

    @property
    def allows(self) -> bool:
        """Whether it gives anything."""
        return self.effect == "Allow"

    def does(self, *actions: str) -> bool:
        """Whether it covers one of the actions, wildcards included."""
        return any(matches(action, pattern) for action in actions for pattern in self.actions)

    def values(self, key: str) -> tuple[str, ...]:
        """The values that a condition key is compared with, whatever the operator; keys ignore case."""
        return tuple(
            str(value)
            for keys in self.conditions.values()
            for name, given in keys.items()
            if name.lower() == key.lower()
            for value in listed(given)
        )

    def narrowed_by(self, key: str) -> bool:
        """Whether a condition compares a key, which must be there, with values that are all more than a wildcard."""
        return any(
            name.lower() == key.lower() and all(str(value).strip("*?") for value in listed(given))
            for operator, keys in self.conditions.items()
            if operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:") in DEMANDING
            if not operator.startswith("ForAllValues:") or self._demands(key)
            for name, given in keys.items()
        )

    def pinned_by(self, key: str) -> bool:
        """Whether a condition compares a key with whole values: part of an id is also part of strangers'."""
        return self.narrowed_by(key) and not any({"*", "?"} & set(value) for value in self.values(key))

    def _demands(self, key: str) -> bool:
        """Whether a request without a key is turned away: it meets all comparisons of all of its values."""
        return any(
            name.lower() == key.lower() and [str(value).lower() for value in listed(given)] == ["false"]
            for name, given in self.conditions.get("Null", {}).items()
        )


def statements(document: str | Mapping[str, Any] | None) -> list[Statement]:
    """The statements of a policy document; none where there is none."""
    parsed = json.loads(document) if isinstance(document, str) else document or {}
    return [
        Statement(
            effect=one.get("Effect", ""),
            actions=tuple(listed(one.get("Action", []))),
            resources=tuple(listed(one.get("Resource", []))),
            not_elements=tuple(key for key in NOT_ELEMENTS if key in one),
            principals=tuple(_principals(one.get("Principal", {}))),
            conditions=one.get("Condition", {}),
        )
        for one in listed(parsed.get("Statement", []))
    ]


def _principals(given: str | Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(given, str):
        yield given, given
        return
    for kind, values in given.items():
        for value in listed(values):
            yield kind, value


def matches(text: str, pattern: str) -> bool:
    """Whether a pattern of IAM's (`*`, `?`) covers a text, ignoring case as actions do."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.IGNORECASE) is not None


def could_meet(one: str, other: str) -> bool:
    """Whether some text matches both patterns, where `*` stands for any text."""
    pending, seen = [(0, 0)], set()
    while pending:
        i, j = pending.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        if i == len(one) and j == len(other):
            return True
        if i < len(one) and one[i] == "*":
            pending += [(i + 1, j)] + ([(i, j + 1)] if j < len(other) else [])
        if j < len(other) and other[j] == "*":
            pending += [(i, j + 1)] + ([(i + 1, j)] if i < len(one) else [])
        if i < len(one) and j < len(other) and one[i] == other[j]:
            pending.append((i + 1, j + 1))
    return False


def listed(value: Any) -> list[Any]:
    """A value as a list: IAM lets single values stand alone."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
