"""Data protection: encrypted, private, versioned, restorable, and never shown where it need not be."""

from guardrails.data_protection import exposure, keys, messages, network, objects, repositories, tables
from guardrails.record import Policy

POLICIES: tuple[Policy, ...] = (
    *objects.POLICIES,
    *tables.POLICIES,
    *messages.POLICIES,
    *keys.POLICIES,
    *exposure.POLICIES,
    *repositories.POLICIES,
    *network.POLICIES,
)
