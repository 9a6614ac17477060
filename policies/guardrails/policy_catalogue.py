"""List of all guardrail policies of the pack.

An entry of the setting `polyphony:exceptions` excuses one policy for one resource. The list has the policies that an
entry may name, and those that check the entries.
"""

from guardrails import exception_policies
from guardrails.exception_policies import CHECKING_POLICIES
from guardrails.pack.policy_kinds import Policy

POLICIES: tuple[Policy, ...] = (*CHECKING_POLICIES, *exception_policies.POLICIES)
