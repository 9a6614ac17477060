"""Backup vaults, plans and what they select."""

from local.platform.drivers.model import Call, Driver, Known, Made, RecordedOnly, answered

PLAN_RENAMES = {
    "schedule": "ScheduleExpression",
    "startWindow": "StartWindowMinutes",
    "completionWindow": "CompletionWindowMinutes",
    "targetVaultName": "TargetBackupVaultName",
    "deleteAfter": "DeleteAfterDays",
    "coldStorageAfter": "MoveToColdStorageAfterDays",
}
SELECTION_RENAMES = {"type": "ConditionType", "key": "ConditionKey", "value": "ConditionValue"}


def _selection_id(known: Known) -> str:
    return str(known["id"])


DRIVERS = (
    Driver(
        type="aws:backup/vault:Vault",
        service="backup",
        create=(Call("CreateBackupVault", {"BackupVaultName": "name", "BackupVaultTags": "tags"}),),
        delete=(Call("DeleteBackupVault", {"BackupVaultName": "name"}),),
        id="name",
        outputs={"arn": answered("CreateBackupVault", "BackupVaultArn")},
        ignored={"forceDestroy": "not a trait of the vault: it says what a removal may do"},
    ),
    Driver(
        type="aws:backup/plan:Plan",
        service="backup",
        create=(
            Call(
                "CreateBackupPlan",
                {"BackupPlan.BackupPlanName": "name", "BackupPlan.Rules": "rules", "BackupPlanTags": "tags"},
                renames=PLAN_RENAMES,
            ),
        ),
        update=(
            Call(
                "UpdateBackupPlan",
                {"BackupPlanId": "id", "BackupPlan.BackupPlanName": "name", "BackupPlan.Rules": "rules"},
                renames=PLAN_RENAMES,
            ),
        ),
        delete=(Call("DeleteBackupPlan", {"BackupPlanId": "id"}),),
        id=answered("CreateBackupPlan", "BackupPlanId"),
        outputs={"arn": answered("CreateBackupPlan", "BackupPlanArn")},
    ),
    Driver(
        type="aws:backup/selection:Selection",
        service="backup",
        create=(
            Call(
                "CreateBackupSelection",
                {
                    "BackupPlanId": "planId",
                    "BackupSelection.SelectionName": "name",
                    "BackupSelection.IamRoleArn": "iamRoleArn",
                    "BackupSelection.ListOfTags": "selectionTags",
                },
                renames=SELECTION_RENAMES,
            ),
        ),
        delete=(Call("DeleteBackupSelection", {"BackupPlanId": "planId", "SelectionId": Made(_selection_id)}),),
        id=answered("CreateBackupSelection", "SelectionId"),
    ),
)

RECORDED = (
    RecordedOnly(
        type="aws:backup/regionSettings:RegionSettings",
        service="backup",
        reason="the emulator's Backup knows no settings of a region",
        create=(
            Call(
                "UpdateRegionSettings",
                {
                    "ResourceTypeOptInPreference": "resourceTypeOptInPreference",
                    "ResourceTypeManagementPreference": "resourceTypeManagementPreference",
                },
            ),
        ),
    ),
)
