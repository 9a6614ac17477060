"""Guardrail policies about cost: the monthly estimate and budget, and limits on settings that make the cost grow. The
package `pricing` computes the estimate.
"""

from guardrails.cost import (
    estimate_and_budget,
    function_limits,
    hourly_charge_policies,
    job_limits,
    log_groups,
    monitoring_limits,
    required_tags,
    storage_limits,
)
from guardrails.pack.policy_kinds import Policy

MODULES = (
    estimate_and_budget,
    log_groups,
    storage_limits,
    function_limits,
    job_limits,
    hourly_charge_policies,
    monitoring_limits,
    required_tags,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
