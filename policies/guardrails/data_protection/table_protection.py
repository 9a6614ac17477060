"""Tables: restorable to any second, protected from deletion, and copied by the backup plan."""

from collections.abc import Iterator

from guardrails.model.resource_types import BACKUP_SELECTION, TABLE
from guardrails.pack.policy_kinds import ONLY_IN_PROD, REASON, Group, Judged, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.DATA_PROTECTION)

ANY_TABLE = frozenset({TABLE})


@POLICIES.resource(
    "table-point-in-time-recovery",
    severity=Severity.HIGH,
    levels=ONLY_IN_PROD,
    description="Every table in prod can be restored to any second of the last weeks.",
    remedy="Set foundation.data.pointInTimeRecovery.",
    frameworks=("AWS FSBP DynamoDB.2",),
    types=ANY_TABLE,
)
def _no_recovery(one: Judged) -> Iterator[str]:
    if not one.at("pointInTimeRecovery", "enabled"):
        yield "It cannot be restored to a point in time."


@POLICIES.resource(
    "table-deletion-protected",
    severity=Severity.HIGH,
    levels=ONLY_IN_PROD,
    description="Every table in prod refuses deletion.",
    remedy="Set foundation.data.deletionProtection.",
    frameworks=("AWS FSBP DynamoDB.6",),
    types=ANY_TABLE,
)
def _deletable(one: Judged) -> Iterator[str]:
    if not one.props.get("deletionProtectionEnabled"):
        yield "It can be deleted by one call."


@POLICIES.relation(
    "table-backed-up",
    severity=Severity.HIGH,
    levels=ONLY_IN_PROD,
    description="Every table in prod is in a backup selection, or its tag Reason says why not.",
    remedy=f"Back it up, or give the tag {REASON} (15 characters or more): the block's no_backup_reason.",
    frameworks=("AWS Security Hub DynamoDB.4",),
    types=ANY_TABLE,
)
def _no_backup(table: Judged, stack: Stack) -> Iterator[str]:
    if not table.explains() and not any(_selects(one, table) for one in stack.of(BACKUP_SELECTION)):
        yield f"No backup selection takes it: its tags are {dict(table.props.get('tags') or {})}."


def _selects(selection: Judged, table: Judged) -> bool:
    tags = table.props.get("tags") or {}
    by_tag = [
        tags.get(each["key"]) == each["value"]
        for each in selection.props.get("selectionTags") or ()
        if each.get("type") == "STRINGEQUALS"
    ]
    by_name = [str(arn).endswith(f":table/{table.props.get('name')}") for arn in selection.props.get("resources") or ()]
    return any(by_tag) or any(by_name)
