"""Reliability: nothing that fails is lost, somebody hears of it, and can see why."""

from guardrails.record import Policy
from guardrails.reliability import alarms, apis, dead_letters, functions, jobs, queues, runtimes, workflows

MODULES = (dead_letters, queues, functions, alarms, workflows, apis, jobs, runtimes)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
