"""Every policy of the pack."""

from guardrails import cost, least_privilege, reliability, waivers
from guardrails.record import Policy
from guardrails.surroundings import Surroundings

FIXED: tuple[Policy, ...] = (*least_privilege.POLICIES, *cost.POLICIES, *reliability.POLICIES)


def policies(surroundings: Surroundings) -> tuple[Policy, ...]:
    """All policies: the fixed ones, and those that speak of this stack's exceptions."""
    return (*FIXED, *waivers.policies(surroundings, frozenset(policy.name for policy in FIXED)))
