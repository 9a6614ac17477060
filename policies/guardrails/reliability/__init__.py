"""Policies about reliability: failed work is kept, alarms notify operators, and logs and traces show the cause."""

from guardrails.pack.policy_kinds import Policy
from guardrails.reliability import (
    alarm_actions,
    api_stages,
    dead_letter_queues,
    function_monitoring,
    job_retries,
    queue_consumers,
    runtime_support,
    workflow_resilience,
)

MODULES = (
    dead_letter_queues,
    queue_consumers,
    function_monitoring,
    alarm_actions,
    workflow_resilience,
    api_stages,
    job_retries,
    runtime_support,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
