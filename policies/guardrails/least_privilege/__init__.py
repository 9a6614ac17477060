"""Guardrail policies about least privilege: every identity may use only the actions and resources that it needs."""

from guardrails.least_privilege import (
    federated_trust,
    foreign_identities,
    guest_permissions,
    managed_policies_and_credentials,
    privilege_escalation,
    resource_policies,
    role_and_policy_limits,
    role_passing,
    secret_values,
    statement_policies,
    trust_policies,
    user_session_permissions,
)
from guardrails.pack.policy_kinds import Policy

MODULES = (
    statement_policies,
    managed_policies_and_credentials,
    role_passing,
    role_and_policy_limits,
    privilege_escalation,
    trust_policies,
    federated_trust,
    guest_permissions,
    user_session_permissions,
    resource_policies,
    secret_values,
    foreign_identities,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
