"""Policies about data protection: stored data is encrypted, private and restorable, and is not exposed to logs or
foreign callers.
"""

from guardrails.data_protection import (
    bucket_protection,
    customer_keys,
    data_exposure,
    image_repositories,
    message_encryption,
    network_ingress,
    table_protection,
)
from guardrails.pack.policy_kinds import Policy

MODULES = (
    bucket_protection,
    table_protection,
    message_encryption,
    customer_keys,
    data_exposure,
    image_repositories,
    network_ingress,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
