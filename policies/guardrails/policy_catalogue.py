"""List of all guardrail policies of the pack.

The policies about exceptions come last. One of them reports all undecided checks: checks that have no result yet,
because they read a value that AWS assigns only during the deployment.
"""

from guardrails import exceptions_and_undecided_checks
from guardrails.exceptions_and_undecided_checks import CHECKING_POLICIES
from guardrails.pack.policy_kinds import Policy

POLICIES: tuple[Policy, ...] = (*CHECKING_POLICIES, *exceptions_and_undecided_checks.POLICIES)
