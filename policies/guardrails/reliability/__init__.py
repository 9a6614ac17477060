"""Reliability: nothing that fails is lost, somebody hears of it, and can see why."""

from datetime import date

from guardrails.record import Policy
from guardrails.reliability import alarms, apis, dead_letters, functions, jobs, queues, runtimes, workflows

FIXED: tuple[Policy, ...] = (
    *dead_letters.POLICIES,
    *queues.POLICIES,
    *functions.POLICIES,
    *alarms.POLICIES,
    *workflows.POLICIES,
    *apis.POLICIES,
    *jobs.POLICIES,
)


def policies(today: date) -> tuple[Policy, ...]:
    """All of them; that of runtimes speaks of a day."""
    return (*FIXED, *runtimes.policies(today))
