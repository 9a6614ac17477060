"""Guardrail policies about data protection: stored data is encrypted, private and restorable, and is not exposed to
logs or foreign callers.
"""

from guardrails.data_protection import (
    access_control_lists,
    api_authorization,
    api_integration_targets,
    bucket_protection,
    container_isolation,
    cors_and_logged_data,
    ecr_and_glue,
    kms_key_protection,
    network_access,
    queues_and_topics,
    table_protection,
)
from guardrails.pack.policy_kinds import Policy

MODULES = (
    bucket_protection,
    table_protection,
    queues_and_topics,
    kms_key_protection,
    cors_and_logged_data,
    api_authorization,
    api_integration_targets,
    ecr_and_glue,
    container_isolation,
    network_access,
    access_control_lists,
)
POLICIES: tuple[Policy, ...] = tuple(policy for module in MODULES for policy in module.POLICIES)
