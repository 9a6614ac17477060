"""Customer keys: rotated, never locked out, and not gone by one mistake."""

from collections.abc import Iterator

from guardrails.model.iam_documents import statements
from guardrails.model.resource_types import KEY, KEY_POLICY, KEY_REPLICA
from guardrails.pack.policy_kinds import ALWAYS, NOT_IN_DEV, Group, Judged, Limit, PolicySet, Severity

POLICIES = PolicySet(Group.DATA_PROTECTION)

ANY_KEY = frozenset({KEY})


@POLICIES.resource(
    "key-rotates",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Customer keys are rotated.",
    remedy="Set enableKeyRotation.",
    frameworks=("AWS Security Hub KMS.4", "CIS AWS 3.0 3.6"),
    types=ANY_KEY,
)
def _unrotated(one: Judged) -> Iterator[str]:
    symmetric = one.props.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    if symmetric and not one.props.get("enableKeyRotation"):
        yield "It is never rotated (enableKeyRotation is off)."


@POLICIES.resource(
    "key-keeps-its-account",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="A key's policy lets its own account manage it.",
    remedy="Add a statement that allows arn:aws:iam::<account>:root kms:*.",
    types=ANY_KEY | {KEY_POLICY, KEY_REPLICA},
)
def _locked_out(one: Judged) -> Iterator[str]:
    document = one.props.get("policy")
    if not document:  # KMS then lets the account in
        return
    if not any(
        statement.allows and kind == "AWS" and value.endswith(":root")
        for statement in statements(document)
        for kind, value in statement.principals
    ):
        yield "Its policy does not name the account's root: nobody could ever change or delete it."


@POLICIES.resource(
    "key-deletion-waits",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="A key's deletion can be taken back for some time.",
    remedy="Raise deletionWindowInDays.",
    limits=(Limit("days", 14, "The shortest time between asking for a deletion and the deletion."),),
    types=ANY_KEY,
)
def _soon_gone(one: Judged) -> Iterator[str]:
    days, least = float(one.props.get("deletionWindowInDays") or 30), one.limits["days"]
    if days < least:
        yield f"It is gone {days:g} days after its deletion was asked for, sooner than {least:g}."
