"""List of all guardrail policies of the pack.

The policies about exceptions come last, because one of them reports which checks the policies before it left undecided.
"""

from guardrails import exception_policies
from guardrails.exception_policies import CHECKING_POLICIES
from guardrails.pack.policy_kinds import Policy

POLICIES: tuple[Policy, ...] = (*CHECKING_POLICIES, *exception_policies.POLICIES)
