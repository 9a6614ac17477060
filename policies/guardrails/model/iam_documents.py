"""Parser of IAM policy documents, and matching of their patterns. Facts about single actions are in
`iam_action_table`.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEY_REQUIRING_OPERATORS = frozenset({"ArnEquals", "ArnLike", "StringEquals", "StringEqualsIgnoreCase", "StringLike"})
"""Condition operators that are met only if the request has the condition key with one of the given values."""
NOT_ELEMENTS = ("NotAction", "NotResource", "NotPrincipal")
"""Elements of a statement that cover everything except the listed values."""
EXACT_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")


@dataclass(frozen=True)
class Statement:
    """One statement of an IAM policy document. Single values of the document are converted to tuples."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_elements: tuple[str, ...]
    """Names of the elements in `NOT_ELEMENTS` that the statement uses."""
    principals: tuple[tuple[str, str], ...]
    """Pairs of kind (`AWS`, `Service`, `Federated`) and value. The principal `"*"` has the kind `*`."""
    conditions: Mapping[str, Mapping[str, Any]]
    """Values by condition operator and condition key, as in the document."""
    not_actions: tuple[str, ...] = ()
    """Values of `NotAction`. If there are some, the statement covers all other actions."""
    not_resources: tuple[str, ...] = ()
    """Values of `NotResource`. If there are some, the statement covers all other resources."""

    @property
    def is_allow(self) -> bool:
        """True if the effect is Allow."""
        return self.effect == "Allow"

    def covers_action(self, *actions: str) -> bool:
        """Return True if `Action` contains at least one of the actions or a wildcard for it. Ignore `NotAction`."""
        return any(matches_pattern(action, pattern) for action in actions for pattern in self.actions)

    def condition_values(self, key: str) -> tuple[str, ...]:
        """Return the values that conditions of any operator compare with a key, whose name is not case-sensitive."""
        return tuple(
            str(value)
            for keys in self.conditions.values()
            for name, condition_values in keys.items()
            if name.lower() == key.lower()
            for value in to_list(condition_values)
        )

    def is_narrowed_by(self, key: str) -> bool:
        """Return True if a condition refuses requests without the key, and none of the values that it lists consists of
        wildcards only or contains a policy variable. A variable takes its value from the request, so it matches every
        caller.
        """
        return any(
            name.lower() == key.lower() and all(map(_narrows, to_list(condition_values)))
            for operator, keys in self.conditions.items()
            if self._refuses_other_values(operator, key)
            for name, condition_values in keys.items()
        )

    def is_pinned_by(self, key: str) -> bool:
        """Return True if a condition refuses requests without the key, and compares the key with values without
        wildcards. A wildcard in an account or organization id would also match foreign ids.
        """
        return self.is_narrowed_by(key) and not any({"*", "?"} & set(value) for value in self.condition_values(key))

    def _refuses_other_values(self, operator: str, key: str) -> bool:
        """Return True if a condition with this operator refuses requests without the key, and requests with another
        value.
        """
        if operator.startswith("ForAllValues:") and not self._requires_key(key):
            return False
        return operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:") in KEY_REQUIRING_OPERATORS

    def _requires_key(self, key: str) -> bool:
        """Return True if a `Null` condition refuses requests without the key. A condition with ForAllValues accepts
        such requests, so it needs this second condition.
        """
        return any(
            name.lower() == key.lower() and [str(value).lower() for value in to_list(condition_values)] == ["false"]
            for name, condition_values in self.conditions.get("Null", {}).items()
        )


def _narrows(value: object) -> bool:
    text = str(value)
    return bool(text.strip("*?")) and "${" not in text


def parse_statements(document: str | Mapping[str, Any] | None) -> list[Statement]:
    """Return the statements of a policy document; empty if there is no document."""
    if isinstance(document, str):
        return list(_parse_text(document))
    return _parse_document(document or {})


@functools.cache
def _parse_text(document: str) -> tuple[Statement, ...]:
    """Return the statements of a JSON document. The result is cached, because many policies read the same documents."""
    return tuple(_parse_document(json.loads(document)))


def _parse_document(parsed: Mapping[str, Any]) -> list[Statement]:
    return [
        Statement(
            effect=element.get("Effect", ""),
            actions=tuple(to_list(element.get("Action", []))),
            resources=tuple(to_list(element.get("Resource", []))),
            not_elements=tuple(key for key in NOT_ELEMENTS if key in element),
            principals=tuple(_parse_principals(element.get("Principal", {}))),
            conditions=element.get("Condition", {}),
            not_actions=tuple(to_list(element.get("NotAction", []))),
            not_resources=tuple(to_list(element.get("NotResource", []))),
        )
        for element in to_list(parsed.get("Statement", []))
    ]


def _parse_principals(principals: str | Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(principals, str):
        yield principals, principals
        return
    for kind, values in principals.items():
        for value in to_list(values):
            yield kind, value


def matches_pattern(text: str, pattern: str) -> bool:
    """Return True if an IAM pattern with `*` and `?` matches a text. Case is ignored, as IAM does for actions."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None


@functools.cache
def patterns_overlap(first: str, second: str) -> bool:
    """Return True if at least one text matches both patterns. Only `*` is a wildcard here.

    The search visits pairs of positions, one in each pattern. For each pair, it asks if the rest of both patterns can
    match the same text. A `*` either ends (its position moves on), or matches one more character of the other pattern
    (the other position moves on).
    """
    pending, visited = [(0, 0)], set()
    while pending:
        i, j = pending.pop()
        if (i, j) in visited:
            continue
        visited.add((i, j))
        if i == len(first) and j == len(second):
            return True
        if i < len(first) and first[i] == "*":
            pending += [(i + 1, j)] + ([(i, j + 1)] if j < len(second) else [])
        if j < len(second) and second[j] == "*":
            pending += [(i, j + 1)] + ([(i + 1, j)] if i < len(first) else [])
        if i < len(first) and j < len(second) and first[i] == second[j]:
            pending.append((i + 1, j + 1))
    return False


def is_exact_role_arn(arn: str) -> bool:
    """Return True if a text is the ARN of one role, without wildcards and policy variables."""
    return EXACT_ROLE_ARN.fullmatch(arn) is not None


def to_list(value: Any) -> list[Any]:
    """Return a value as a list, because IAM allows a single value instead of a list."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
