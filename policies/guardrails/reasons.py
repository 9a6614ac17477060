"""The tag by which somebody says why a resource is as it is, where a policy would have it otherwise."""

from typing import Final

from guardrails.record import Judged

REASON: Final = "Reason"
SHORTEST: Final = 15


def reason_missing(one: Judged) -> bool:
    """Whether nobody has given a reason."""
    return len(str((one.props.get("tags") or {}).get(REASON, "")).strip()) < SHORTEST
