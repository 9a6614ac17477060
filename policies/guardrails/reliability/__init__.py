"""Policies about reliability: failed work is kept, alarms notify operators, and logs and traces show the cause."""

from guardrails.pack.policy_kinds import Policy
from guardrails.reliability import (
    alarms,
    api_stages,
    dead_letter_queues,
    function_triggers,
    job_resilience,
    lambda_functions,
    runtime_support,
    workflow_resilience,
)

MODULES = (
    dead_letter_queues,
    function_triggers,
    lambda_functions,
    alarms,
    workflow_resilience,
    api_stages,
    job_resilience,
    runtime_support,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
