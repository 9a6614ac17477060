"""Guardrail policies about reliability: failed messages and events are retried and then kept, alarms notify operators,
and logs and traces show the cause.
"""

from guardrails.pack.policy_kinds import Policy
from guardrails.reliability import (
    alarm_configuration,
    api_stages,
    batch_and_glue_jobs,
    dead_letter_queues,
    function_triggers,
    lambda_functions,
    runtime_support,
    step_functions_workflows,
)

MODULES = (
    dead_letter_queues,
    function_triggers,
    lambda_functions,
    alarm_configuration,
    step_functions_workflows,
    api_stages,
    batch_and_glue_jobs,
    runtime_support,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
