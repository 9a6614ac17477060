"""Guardrail policies about customer-managed KMS keys: they are rotated, their own account keeps access, and their
deletion is delayed.
"""

from collections.abc import Iterator

from guardrails.model.iam_documents import parse_statements
from guardrails.model.resource_types import KMS_KEY, KMS_KEY_POLICY, KMS_REPLICA_KEY
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

MIN_DELETION_DAYS = 14
"""Minimum days between the request for a deletion and the deletion."""


@POLICIES.resource(
    "key-rotates",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Symmetric customer-managed keys are rotated automatically.",
    remedy="Set enableKeyRotation to true.",
    frameworks=("AWS Security Hub KMS.4", "CIS AWS 3.0 3.6"),
    types={KMS_KEY},
)
def _check_key_rotates(key: CheckedResource) -> Iterator[str]:
    symmetric = key.props.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    if symmetric and not key.props.get("enableKeyRotation"):
        yield "enableKeyRotation is not true, so the key is never rotated."


@POLICIES.resource(
    "key-keeps-its-account",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A key policy lets the key's own account manage the key.",
    remedy="Add a statement that allows kms:* to arn:aws:iam::<account>:root.",
    types={KMS_KEY, KMS_KEY_POLICY, KMS_REPLICA_KEY},
)
def _check_key_keeps_its_account(resource: CheckedResource) -> Iterator[str]:
    document = resource.props.get("policy")
    if not document:  # the default policy of KMS allows the account
        return
    if not any(
        statement.is_allow and kind == "AWS" and value.endswith(":root")
        for statement in parse_statements(document)
        for kind, value in statement.principals
    ):
        yield "The key policy does not name the account's root user, so no identity could manage the key."


@POLICIES.resource(
    "key-deletion-waits",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description=f"The deletion of a key can be cancelled for at least {MIN_DELETION_DAYS} days.",
    remedy="Raise deletionWindowInDays.",
    types={KMS_KEY},
)
def _check_key_deletion_waits(key: CheckedResource) -> Iterator[str]:
    days = float(key.props.get("deletionWindowInDays") or 30)
    if days < MIN_DELETION_DAYS:
        yield f"deletionWindowInDays is {days:g}; at least {MIN_DELETION_DAYS} are required."
