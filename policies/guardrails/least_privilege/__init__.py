"""Least privilege: everybody may do what he needs, on what he needs it for, and nobody else may."""

from guardrails.least_privilege import (
    documents,
    escalation,
    guests,
    identity,
    passing,
    resource_policies,
    secret_values,
    trust,
)
from guardrails.record import Policy

MODULES = (documents, identity, passing, escalation, trust, guests, resource_policies, secret_values)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
