"""Checks that must wait for the deployment, because they read a value that AWS decides during it.

The SDK would report each of them as an advisory diagnostic. The pack reports each as not applicable instead, so the
engine counts it neither as passed nor as failed. The policy `checks-at-deployment` lists all of them in one finding.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

REASON = "undecided until the deployment: "
"""Start of the reason of a policy that is not applicable because it has undecided checks. The rest is JSON."""


@dataclass(frozen=True, order=True)
class UndecidedCheck:
    """Policy that has no verdict about a resource, because it read an unknown value."""

    policy: str
    urn: str
    """URN of the resource; empty for the stack as a whole."""
    message: str
    """Message of the SDK, which names the property with the unknown value."""


def to_reason(checks: Iterable[UndecidedCheck]) -> str:
    """Return the reason for which a policy is not applicable to its resources."""
    return REASON + json.dumps({check.urn: check.message for check in checks})


def parse_reason(policy: str, reason: str) -> Iterator[UndecidedCheck]:
    """Yield the undecided checks of a policy that is not applicable. If it has another reason, yield nothing."""
    if reason.startswith(REASON):
        for urn, message in json.loads(reason.removeprefix(REASON)).items():
            yield UndecidedCheck(policy, urn, message)
