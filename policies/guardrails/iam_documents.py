"""Parser of IAM policy documents, and matching of their patterns."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

NOT_ELEMENTS = ("NotAction", "NotResource", "NotPrincipal")
"""Elements of a statement that cover everything except the listed values."""
LISTING_OPERATORS = ("StringEquals", "StringLike")
"""Condition operators that refuse a request without the key, or with a value that the condition does not list."""
SET_OPERATORS = ("ForAllValues:StringEquals", "ForAllValues:StringLike")
"""Condition operators that refuse a request in which one of the key's values is not listed, and accept one without the
key."""


class Statement(NamedTuple):
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

    @property
    def is_allow(self) -> bool:
        """True unless the effect is Deny."""
        return self.effect != "Deny"

    def covers_action(self, *actions: str) -> bool:
        """Return True if the statement contains at least one of the actions, a wildcard for it, or `NotAction`."""
        return "NotAction" in self.not_elements or any(
            matches_pattern(action, pattern) for action in actions for pattern in self.actions
        )

    def list_compared(self, key: str) -> list[tuple[str, list[str]]]:
        """Return operator and values of each condition on a key. IAM ignores the case of a key's name."""
        return [
            (operator, [str(value) for value in to_list(values)])
            for operator, keys in self.conditions.items()
            for name, values in keys.items()
            if name.lower() == key.lower()
        ]

    def requires(self, key: str) -> bool:
        """Return True if a `Null` condition refuses requests without a key."""
        return any(
            operator == "Null" and [value.lower() for value in values] == ["false"]
            for operator, values in self.list_compared(key)
        )

    def list_allowed(self, key: str, operators: Sequence[str] = LISTING_OPERATORS) -> list[str]:
        """Return the values to which conditions of some operators restrict a key. Return an empty list if they do not: if
        another operator compares the key, or if a request without the key is allowed.

        IAM requires all conditions about a key, so it allows at most these values.
        """
        compared = [condition for condition in self.list_compared(key) if condition[0] != "Null"]
        is_optional = any(operator in SET_OPERATORS for operator, _ in compared) and not self.requires(key)
        if is_optional or any(operator not in operators for operator, _ in compared):
            return []
        return [value for _, values in compared for value in values]

    def is_pinned_by(self, key: str, operators: Sequence[str] = LISTING_OPERATORS) -> bool:
        """Return True if the conditions allow only listed values of a key, without wildcards and variables."""
        allowed = self.list_allowed(key, operators)
        return bool(allowed) and not any({"*", "?", "$"} & set(value) for value in allowed)


def parse_statements(document: str | Mapping[str, Any] | None) -> list[Statement]:
    """Return the statements of a policy document; empty if there is no document."""
    parsed = json.loads(document) if isinstance(document, str) else document or {}
    return [
        Statement(
            effect=element.get("Effect", ""),
            actions=tuple(to_list(element.get("Action", []))),
            resources=tuple(to_list(element.get("Resource", []))),
            not_elements=tuple(key for key in NOT_ELEMENTS if key in element),
            principals=tuple(list_principals(element.get("Principal", {}))),
            conditions=element.get("Condition", {}),
        )
        for element in to_list(parsed.get("Statement", []))
    ]


def list_principals(principals: str | Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kind and value of each principal. The kind of a text such as `*` is the text itself."""
    if isinstance(principals, str):
        yield principals, principals
        return
    for kind, values in principals.items():
        for value in to_list(values):
            yield kind, str(value)


def matches_pattern(text: str, pattern: str) -> bool:
    """Return True if an IAM pattern with `*` and `?` matches a text. Case is ignored, as IAM does for actions."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None


def to_list(value: Any) -> list[Any]:
    """Return a value as a list, because IAM allows a single value instead of a list."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
