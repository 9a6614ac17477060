"""Daily AWS Backup of the tables with the backup tag, and the role to back up. The foundation creates them.

The role reaches no table of another stack. The event of a failed backup goes to a queue with an alarm. Otherwise the
failure would not be noticed until a table must be restored.
"""

import pulumi
from pulumi_aws import backup

from components.blocks.events import EventRule, create_failed_events_queue
from components.blocks.iam import Grant, Role, Service, grant
from components.blocks.table import BACKUP_TAG, backup_tag_value, grant_key_through_dynamodb
from components.core import Kind, Scope, Subsystem

SCHEDULE = "cron(0 3 * * ? *)"
"""Daily at 03:00 UTC."""


def create_backup(scope: Scope, table_key_arn: str | None) -> None:
    """Create the backup vault, the plan and the selection by tag, with the role of the backups.

    `table_key_arn` is the customer managed key of a table that is backed up; None if no such table has one.
    """
    settings = scope.foundation.backup
    vault_name = scope.name(Kind.BACKUP_VAULT, "backups")
    vault = backup.Vault(
        "foundation-backup-vault",
        name=vault_name,
        force_destroy=not settings.outlives_stack,
        tags=scope.tags(vault_name),
        opts=pulumi.ResourceOptions.merge(
            scope.options(holds_data=True),
            # AWS refuses to delete a vault with backups, so `pulumi destroy` must only forget it.
            pulumi.ResourceOptions(retain_on_delete=settings.outlives_stack),
        ),
    )
    plan = backup.Plan(
        "foundation-backup-plan",
        name=scope.name(Kind.BACKUP_PLAN, "daily"),
        rules=[
            {
                "rule_name": "daily",
                "target_vault_name": vault.name,
                "schedule": SCHEDULE,
                "lifecycle": {"delete_after": settings.retention_days},
                "recovery_point_tags": scope.tags(vault_name),
            }
        ],
        tags=scope.tags(vault_name),
        opts=scope.options(),
    )
    role = Role(scope, "backup", trust=Service.BACKUP, grants=_backup_grants(scope, table_key_arn))
    backup.Selection(
        "foundation-backup-selection",
        name=scope.name(Kind.BACKUP_SELECTION, "tables"),
        plan_id=plan.id,
        iam_role_arn=role.arn,
        selection_tags=[{"type": "STRINGEQUALS", "key": BACKUP_TAG, "value": backup_tag_value(scope.context)}],
        opts=scope.options(after=role.role_and_policies),
    )
    if settings.region_settings_owned:
        backup.RegionSettings(
            "foundation-backup-region-settings",
            resource_type_opt_in_preference={"DynamoDB": True},
            resource_type_management_preference={"DynamoDB": True},
            # AWS returns the preferences of all services, and Pulumi would reset those that are not listed here. So
            # Pulumi ignores differences after the creation.
            opts=scope.options(ignore=["resourceTypeOptInPreference", "resourceTypeManagementPreference"]),
        )
    # Without `target`, the events go to the queue whose alarm notifies the operators.
    EventRule(
        scope,
        "backup-failed",
        display_name="BackupFailed",
        pattern={
            "source": ["aws.backup"],
            "detail-type": ["Backup Job State Change"],
            "detail": {"state": ["FAILED", "ABORTED", "EXPIRED"], "backupVaultName": [vault_name]},
        },
        failed_events=create_failed_events_queue(scope),
    )


def _backup_grants(scope: Scope, table_key_arn: str | None) -> list[Grant]:
    """Return the permissions to back up tables.

    They are those statements of AWS' managed policy that its guide lists for DynamoDB, limited to this stack.
    https://docs.aws.amazon.com/aws-backup/latest/devguide/security-iam-awsmanpol.html
    """
    context = scope.context
    # A single pattern for the stack `prod` would also match the tables of a stack `prod-2`.
    tables = [context.arn("dynamodb", f"table/{context.stack_label}-{subsystem}-*") for subsystem in Subsystem]
    vault = context.arn("backup", f"backup-vault:{scope.name(Kind.BACKUP_VAULT, 'backups')}")
    key_actions = ("Decrypt", "GenerateDataKey")
    return [
        grant("dynamodb", ["CreateBackup", "DescribeTable", "ListTagsOfResource", "StartAwsBackupJob"], tables),
        grant("dynamodb", ["DeleteBackup", "DescribeBackup"], [f"{table}/backup/*" for table in tables]),
        grant("backup", ["CopyIntoBackupVault", "DescribeBackupVault"], vault),
        # A backup copies the table's tags, and fails without this permission.
        grant("backup", ["TagResource"], context.arn("backup", "recovery-point:*")),
        grant("tag", ["GetResources"], "*"),
        *([grant_key_through_dynamodb(context, key_actions, table_key_arn)] if table_key_arn else []),
    ]
