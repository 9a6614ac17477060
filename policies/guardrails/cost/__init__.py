"""Cost: what the stack is estimated to cost, and settings that would make it grow without anybody deciding it."""

from guardrails.cost import compute, jobs, logs, network, observability, spend, storage, tags
from guardrails.record import Policy

MODULES = (spend, logs, storage, compute, jobs, network, observability, tags)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
