"""Parser of IAM policy documents, for the policies that check permissions.

A document has statements. A statement allows or denies actions on resources, if its conditions are met. A condition
compares a key of the request, for example `aws:SourceArn`, with values by an operator.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

NOT_ELEMENTS = ("NotAction", "NotResource", "NotPrincipal")
"""Elements of a statement that cover everything except the listed values."""
LISTING_OPERATORS = ("StringEquals", "StringLike")
"""Condition operators that refuse a request without the key, or with a value that is not listed."""
SET_OPERATORS = ("ForAllValues:StringEquals", "ForAllValues:StringLike")
"""The same operators for a key with several values, which must all be listed. They accept a request without the key."""


class Statement(NamedTuple):
    """One statement of an IAM policy document. A single value, which IAM allows in place of a list, becomes a tuple."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_elements: tuple[str, ...]
    """Names of the elements in `NOT_ELEMENTS` that the statement uses."""
    principals: tuple[tuple[str, str], ...]
    """Pairs of kind and value (`list_principals`)."""
    conditions: Mapping[str, Mapping[str, Any]]
    """Values by condition operator and condition key, as in the document."""

    @property
    def is_allow(self) -> bool:
        """True unless the effect is Deny, so that checks of permissions do not overlook an invalid effect."""
        return self.effect != "Deny"

    def covers_action(self, action: str) -> bool:
        """Return True if the statement contains the action, a wildcard for it, or `NotAction`, which can cover it."""
        return "NotAction" in self.not_elements or any(matches_pattern(action, pattern) for pattern in self.actions)

    def list_conditions(self, key: str) -> list[tuple[str, list[str]]]:
        """Return operator and values of each condition on a key. IAM ignores the case of a key's name."""
        return [
            (operator, [str(value) for value in to_list(values)])
            for operator, keys in self.conditions.items()
            for name, values in keys.items()
            if name.lower() == key.lower()
        ]

    def requires_key(self, key: str) -> bool:
        """Return True if the condition `"Null": {key: "false"}` refuses requests without the key."""
        return any(
            operator == "Null" and [value.lower() for value in values] == ["false"]
            for operator, values in self.list_conditions(key)
        )

    def find_restriction(self, key: str, operators: Sequence[str] = LISTING_OPERATORS) -> list[str]:
        """Return the only values that a request may have for a key. An empty list means that the key is not restricted:
        no condition compares it, a condition uses an operator that is not given, or the key may be absent.

        With several conditions, the list has the values of each. IAM requires them all, so it allows no other value.
        """
        conditions = [condition for condition in self.list_conditions(key) if condition[0] != "Null"]
        is_optional = any(operator in SET_OPERATORS for operator, _ in conditions) and not self.requires_key(key)
        if is_optional or any(operator not in operators for operator, _ in conditions):
            return []
        return [value for _, values in conditions for value in values]

    def restricts_exactly(self, key: str, operators: Sequence[str] = LISTING_OPERATORS) -> bool:
        """Return True if a key is restricted to values without wildcards (`*`, `?`) and policy variables (`${…}`)."""
        allowed = self.find_restriction(key, operators)
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
    """Yield kind and value of each principal, for example `Service` and `lambda.amazonaws.com`, or `*` and `*`."""
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
    """Return the items of a list, or a single value as a list, because IAM allows both."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
