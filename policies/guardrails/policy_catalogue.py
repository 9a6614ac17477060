"""List of all guardrail policies of the pack: those that an exception may name, and those about exceptions."""

from guardrails import exception_policies
from guardrails.exception_policies import EXCUSABLE_POLICIES
from guardrails.pack.policy_kinds import Policy

POLICIES: tuple[Policy, ...] = (*EXCUSABLE_POLICIES, *exception_policies.POLICIES)
