"""Guardrail policies about data protection: stored data is encrypted, private and restorable, and is not exposed to
logs or foreign callers.
"""

from guardrails.data_protection import (
    access_control_lists,
    api_authorization,
    api_integration_targets,
    bucket_protection,
    container_policies,
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
    api_integration_targets,
    ecr_and_glue,
    container_policies,
    network_ingress,
    access_control_lists,
    single_companions,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
