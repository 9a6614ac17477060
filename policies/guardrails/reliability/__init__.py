"""Reliability: nothing that fails is lost, somebody hears of it, and can see why."""

from guardrails.record import Policy
from guardrails.reliability import alarms, apis, dead_letters, functions, jobs, queues, runtimes, workflows

POLICIES: tuple[Policy, ...] = (
    *dead_letters.POLICIES,
    *queues.POLICIES,
    *functions.POLICIES,
    *alarms.POLICIES,
    *workflows.POLICIES,
    *apis.POLICIES,
    *jobs.POLICIES,
    *runtimes.POLICIES,
)
