"""Guardrail policies about DynamoDB tables in prod: point-in-time recovery, deletion protection and backup."""

from collections.abc import Iterator

from guardrails.model.resource_types import BACKUP_SELECTION, TABLE
from guardrails.pack.policy_kinds import (
    MANDATORY_IN_PROD,
    REASON_TAG,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)


@POLICIES.resource(
    "table-point-in-time-recovery",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, every table has point-in-time recovery.",
    remedy="Set foundation.data.pointInTimeRecovery to true.",
    frameworks=("AWS FSBP DynamoDB.2",),
    types={TABLE},
)
def _check_table_point_in_time_recovery(table: CheckedResource) -> Iterator[str]:
    if not table.get_nested("pointInTimeRecovery", "enabled"):
        yield "pointInTimeRecovery.enabled is not true, so the table cannot be restored to a point in time."


@POLICIES.resource(
    "table-deletion-protected",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, every table has deletion protection.",
    remedy="Set foundation.data.deletionProtection to true.",
    frameworks=("AWS FSBP DynamoDB.6",),
    types={TABLE},
)
def _check_table_deletion_protected(table: CheckedResource) -> Iterator[str]:
    if not table.props.get("deletionProtectionEnabled"):
        yield "deletionProtectionEnabled is not true, so one call can delete the table."


@POLICIES.resource_in_stack(
    "table-backed-up",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, every table is in a backup selection, or its tag Reason says why not.",
    remedy=(
        "Back up the table, or set no_backup_reason (15 characters or more) of the table block "
        f"(components/blocks/storage/table.py). The block gives the table the tag {REASON_TAG} with this text."
    ),
    frameworks=("AWS Security Hub DynamoDB.4",),
    types={TABLE},
)
def _check_table_backed_up(table: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not table.has_reason() and not any(
        _selects_table(selection, table) for selection in stack.list_resources(BACKUP_SELECTION)
    ):
        yield f"No backup selection includes the table. Its tags are {dict(table.props.get('tags') or {})}."


def _selects_table(selection: CheckedResource, table: CheckedResource) -> bool:
    """Return True if a backup selection includes a table, by a tag or by its name."""
    tags = table.props.get("tags") or {}
    by_tag = [
        tags.get(condition["key"]) == condition["value"]
        for condition in selection.props.get("selectionTags") or ()
        if condition.get("type") == "STRINGEQUALS"
    ]
    by_name = [str(arn).endswith(f":table/{table.props.get('name')}") for arn in selection.props.get("resources") or ()]
    return any(by_tag) or any(by_name)
