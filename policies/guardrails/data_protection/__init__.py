"""Guardrail policies about data protection: stored data is encrypted, private and restorable, and is not exposed to
logs or foreign callers.
"""

from guardrails.data_protection import (
    api_authorization,
    bucket_protection,
    cors_and_logged_data,
    customer_keys,
    ecr_and_glue,
    network_ingress,
    queues_and_topics,
    single_companions,
    table_protection,
)
from guardrails.pack.policy_kinds import Policy

MODULES = (
    bucket_protection,
    table_protection,
    queues_and_topics,
    customer_keys,
    cors_and_logged_data,
    api_authorization,
    ecr_and_glue,
    network_ingress,
    single_companions,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
