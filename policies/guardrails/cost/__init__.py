"""Cost: what the stack is estimated to cost, and settings that would make it grow without anybody deciding it."""

from guardrails.cost import compute, jobs, logs, network, observability, spend, storage, tags
from guardrails.record import Policy

POLICIES: tuple[Policy, ...] = (
    *spend.POLICIES,
    *logs.POLICIES,
    *storage.POLICIES,
    *compute.POLICIES,
    *jobs.POLICIES,
    *network.POLICIES,
    *observability.POLICIES,
    *tags.POLICIES,
)
