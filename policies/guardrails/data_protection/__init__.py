"""Data protection: encrypted, private, versioned, restorable, and never shown where it need not be."""

from guardrails.data_protection import exposure, keys, messages, network, objects, repositories, tables
from guardrails.record import Policy

MODULES = (objects, tables, messages, keys, exposure, repositories, network)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
