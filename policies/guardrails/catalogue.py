"""All policies of the pack, in the order of their checks. The last check reports the undecided parts of the others."""

from guardrails import exceptions
from guardrails.records import Policy
from guardrails.rules import (
    cost,
    failed_work,
    networks_and_apis,
    own_data,
    reliability,
    roles,
    secrets,
    spending,
    stored_data,
)
from guardrails.surface import policies as surface

CHECKING_POLICIES: tuple[Policy, ...] = (
    *surface.POLICIES,
    *own_data.POLICIES,
    *roles.POLICIES,
    *secrets.POLICIES,
    *stored_data.POLICIES,
    *networks_and_apis.POLICIES,
    *reliability.POLICIES,
    *failed_work.POLICIES,
    *cost.POLICIES,
    *spending.POLICIES,
)
"""All policies that an exception may name."""
POLICIES: tuple[Policy, ...] = (*CHECKING_POLICIES, *exceptions.POLICIES)
