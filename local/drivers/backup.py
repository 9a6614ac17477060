"""Drivers of AWS Backup vaults, plans and selections: the API calls that create, update and delete them.

The emulator has no region settings of AWS Backup, so no call is made for them (`RecordedOnly`).
"""

from local.drivers.model import Driver, DriverCall, RecordedOnly, from_response

PLAN_RENAMES = {
    "schedule": "ScheduleExpression",
    "startWindow": "StartWindowMinutes",
    "completionWindow": "CompletionWindowMinutes",
    "targetVaultName": "TargetBackupVaultName",
    "deleteAfter": "DeleteAfterDays",
    "coldStorageAfter": "MoveToColdStorageAfterDays",
}
"""Names of a plan's members in the API, by their names in Pulumi."""
SELECTION_RENAMES = {"type": "ConditionType", "key": "ConditionKey", "value": "ConditionValue"}
"""Names of a selection's members in the API, by their names in Pulumi."""


DRIVERS = (
    Driver(
        type="aws:backup/vault:Vault",
        service="backup",
        create=(DriverCall("CreateBackupVault", {"BackupVaultName": "name", "BackupVaultTags": "tags"}),),
        delete=(DriverCall("DeleteBackupVault", {"BackupVaultName": "name"}),),
        id="name",
        outputs={"arn": from_response("CreateBackupVault", "BackupVaultArn")},
        ignored={"forceDestroy": "it permits the deletion of a vault with content, which the emulator always permits"},
    ),
    Driver(
        type="aws:backup/plan:Plan",
        service="backup",
        create=(
            DriverCall(
                "CreateBackupPlan",
                {"BackupPlan.BackupPlanName": "name", "BackupPlan.Rules": "rules", "BackupPlanTags": "tags"},
                nested_renames=PLAN_RENAMES,
            ),
        ),
        update=(
            DriverCall(
                "UpdateBackupPlan",
                {"BackupPlanId": "id", "BackupPlan.BackupPlanName": "name", "BackupPlan.Rules": "rules"},
                nested_renames=PLAN_RENAMES,
            ),
        ),
        delete=(DriverCall("DeleteBackupPlan", {"BackupPlanId": "id"}),),
        id=from_response("CreateBackupPlan", "BackupPlanId"),
        outputs={"arn": from_response("CreateBackupPlan", "BackupPlanArn")},
    ),
    Driver(
        type="aws:backup/selection:Selection",
        service="backup",
        create=(
            DriverCall(
                "CreateBackupSelection",
                {
                    "BackupPlanId": "planId",
                    "BackupSelection.SelectionName": "name",
                    "BackupSelection.IamRoleArn": "iamRoleArn",
                    "BackupSelection.ListOfTags": "selectionTags",
                },
                nested_renames=SELECTION_RENAMES,
            ),
        ),
        delete=(DriverCall("DeleteBackupSelection", {"BackupPlanId": "planId", "SelectionId": "id"}),),
        id=from_response("CreateBackupSelection", "SelectionId"),
    ),
)

RECORDED = (
    RecordedOnly(
        type="aws:backup/regionSettings:RegionSettings",
        service="backup",
        reason="the emulator's Backup service has no region settings",
        create=(
            DriverCall(
                "UpdateRegionSettings",
                {
                    "ResourceTypeOptInPreference": "resourceTypeOptInPreference",
                    "ResourceTypeManagementPreference": "resourceTypeManagementPreference",
                },
            ),
        ),
    ),
)
