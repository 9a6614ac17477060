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

POLICIES: tuple[Policy, ...] = (
    *documents.POLICIES,
    *identity.POLICIES,
    *passing.POLICIES,
    *escalation.POLICIES,
    *trust.POLICIES,
    *guests.POLICIES,
    *resource_policies.POLICIES,
    *secret_values.POLICIES,
)
