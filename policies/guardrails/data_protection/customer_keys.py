"""Customer keys: rotated, never locked out, and not gone by one mistake."""

from collections.abc import Iterator

from guardrails.model.iam_documents import parse_statements
from guardrails.model.resource_types import KMS_KEY, KMS_KEY_POLICY, KMS_REPLICA_KEY
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

ANY_KEY = frozenset({KMS_KEY})


@POLICIES.resource(
    "key-rotates",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Customer keys are rotated.",
    remedy="Set enableKeyRotation.",
    frameworks=("AWS Security Hub KMS.4", "CIS AWS 3.0 3.6"),
    types=ANY_KEY,
)
def _check_key_rotates(key: CheckedResource) -> Iterator[str]:
    symmetric = key.props.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    if symmetric and not key.props.get("enableKeyRotation"):
        yield "It is never rotated (enableKeyRotation is off)."


@POLICIES.resource(
    "key-keeps-its-account",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A key's policy lets its own account manage it.",
    remedy="Add a statement that allows arn:aws:iam::<account>:root kms:*.",
    types=ANY_KEY | {KMS_KEY_POLICY, KMS_REPLICA_KEY},
)
def _check_key_keeps_its_account(resource: CheckedResource) -> Iterator[str]:
    document = resource.props.get("policy")
    if not document:  # KMS then lets the account in
        return
    if not any(
        statement.is_allow and kind == "AWS" and value.endswith(":root")
        for statement in parse_statements(document)
        for kind, value in statement.principals
    ):
        yield "Its policy does not name the account's root: nobody could ever change or delete it."


@POLICIES.resource(
    "key-deletion-waits",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="A key's deletion can be taken back for some time.",
    remedy="Raise deletionWindowInDays.",
    limits=(PolicyLimit("days", 14, "The shortest time between asking for a deletion and the deletion."),),
    types=ANY_KEY,
)
def _check_key_deletion_waits(key: CheckedResource) -> Iterator[str]:
    days, least = float(key.props.get("deletionWindowInDays") or 30), key.limits["days"]
    if days < least:
        yield f"It is gone {days:g} days after its deletion was asked for, sooner than {least:g}."
