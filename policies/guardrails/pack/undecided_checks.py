"""Undecided checks, which must wait for the deployment because they read a value that AWS assigns during it.

The SDK would report each of them as an advisory diagnostic. Instead, the pack answers that the policy is not
applicable, so the engine counts the policy neither as passed nor as failed. The answer includes a reason, a text that
lists the undecided checks. The policy `checks-at-deployment` reports all of them in one finding.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

REASON = "undecided until the deployment: "
"""Beginning of the reason why a policy with undecided checks is not applicable. The checks follow as JSON."""


@dataclass(frozen=True, order=True)
class UndecidedCheck:
    """Check of a resource by a policy that read an unknown value, so that it has no result yet."""

    policy: str
    urn: str
    """URN of the resource; empty for the stack as a whole."""
    message: str
    """Message of the SDK, which names the property with the unknown value."""


def to_reason(checks: Iterable[UndecidedCheck]) -> str:
    """Return the reason that encodes the undecided checks of one policy."""
    return REASON + json.dumps({check.urn: check.message for check in checks})


def parse_reason(policy: str, reason: str) -> Iterator[UndecidedCheck]:
    """Yield the undecided checks that a policy's reason encodes, or nothing if the policy has another reason."""
    if reason.startswith(REASON):
        for urn, message in json.loads(reason.removeprefix(REASON)).items():
            yield UndecidedCheck(policy, urn, message)
