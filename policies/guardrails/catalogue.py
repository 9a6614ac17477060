"""Every policy of the pack."""

from datetime import date

from guardrails import cost, data_protection, least_privilege, reliability, waivers
from guardrails.record import Policy
from guardrails.surroundings import Surroundings


def named(today: date) -> tuple[Policy, ...]:
    """The policies that an exception may speak of."""
    return (
        *least_privilege.POLICIES,
        *cost.POLICIES,
        *data_protection.POLICIES,
        *reliability.policies(today),
    )


def policies(surroundings: Surroundings) -> tuple[Policy, ...]:
    """All policies: the named ones, and those about this stack's exceptions."""
    known = named(surroundings.today)
    return (*known, *waivers.policies(surroundings, frozenset(policy.name for policy in known)))
