"""Guardrail policies about data protection: stored data is encrypted, private and restorable, and is not exposed to
logs or foreign callers.
"""

from guardrails.data_protection import (
    api_authorization,
    api_integrations,
    bucket_protection,
    container_isolation,
    cors_and_logged_data,
    customer_keys,
    ecr_and_glue,
    network_ingress,
    object_acls,
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
    api_integrations,
    ecr_and_glue,
    container_isolation,
    network_ingress,
    object_acls,
    single_companions,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
