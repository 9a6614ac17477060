"""Daily AWS Backup of every table with the backup tag, and the role to back up.

The role reaches no table of another stack. The event of a failed backup goes to a queue with an alarm. Otherwise the
failure would not be noticed until a table must be restored.
"""

import pulumi
from pulumi_aws import backup

from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs
from components.blocks.naming.context import Subsystem
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.table import BACKUP_TAG, backup_tag_value

SCHEDULE = "cron(0 3 * * ? *)"
"""Daily at 03:00 UTC."""
START_WINDOW_MINUTES = 60
"""AWS Backup cancels a job that has not started within this time."""
COMPLETION_WINDOW_MINUTES = 360
"""AWS Backup cancels a job that has not completed within this time."""


class Backup(pulumi.ComponentResource):
    """Backup vault, plan and selection by tag, with the role of the backups."""

    def __init__(self, scope: Scope, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:foundation:Backup", f"{scope.subsystem}-backup", None, opts)
        self._scope = scope
        self._child = pulumi.ResourceOptions(parent=self, depends_on=list(scope.prerequisites))
        self.vault_name = scope.name(Kind.BACKUP_VAULT, "backups")
        vault = backup.Vault(
            "foundation-backup-vault",
            name=self.vault_name,
            force_destroy=not scope.foundation.backup.outlives_stack,
            tags=scope.tags(self.vault_name),
            opts=pulumi.ResourceOptions.merge(
                self._child,
                pulumi.ResourceOptions(
                    protect=scope.foundation.data.deletion_protection,
                    # AWS refuses to delete a vault with backups, so `pulumi destroy` must only forget it.
                    retain_on_delete=scope.foundation.backup.outlives_stack,
                ),
            ),
        )
        role = Role(
            "foundation-backup-backup",
            RoleArgs(scope, "backup", scope.name(Kind.ROLE, "backup"), Service.BACKUP, backup_grants(scope)),
            self._child,
        )
        plan = self._create_plan(vault)
        backup.Selection(
            "foundation-backup-selection",
            name=scope.name(Kind.BACKUP_SELECTION, "tables"),
            plan_id=plan.id,
            iam_role_arn=role.arn,
            selection_tags=[{"type": "STRINGEQUALS", "key": BACKUP_TAG, "value": backup_tag_value(scope.context)}],
            opts=pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=role.parts)),
        )
        if scope.foundation.backup.region_settings_owned:
            backup.RegionSettings(
                "foundation-backup-region-settings",
                resource_type_opt_in_preference={"DynamoDB": True},
                resource_type_management_preference={"DynamoDB": True},
                # AWS returns the preferences of all services, and Pulumi would reset those that are not listed here. So
                # Pulumi ignores differences after the creation.
                opts=pulumi.ResourceOptions.merge(
                    self._child,
                    pulumi.ResourceOptions(
                        ignore_changes=["resourceTypeOptInPreference", "resourceTypeManagementPreference"]
                    ),
                ),
            )
        # Without `target`, the events go to a queue whose alarm notifies the operators.
        EventRule(
            "backup-failed",
            EventRuleArgs(
                scope=scope,
                display_name="BackupFailed",
                pattern={
                    "source": ["aws.backup"],
                    "detail-type": ["Backup Job State Change"],
                    "detail": {"state": ["FAILED", "ABORTED", "EXPIRED"], "backupVaultName": [self.vault_name]},
                },
            ),
            self._child,
        )
        self.register_outputs({"vault": self.vault_name})

    def _create_plan(self, vault: backup.Vault) -> backup.Plan:
        scope, settings = self._scope, self._scope.foundation.backup
        return backup.Plan(
            "foundation-backup-plan",
            name=scope.name(Kind.BACKUP_PLAN, "daily"),
            rules=[
                {
                    "rule_name": "daily",
                    "target_vault_name": vault.name,
                    "schedule": SCHEDULE,
                    "start_window": START_WINDOW_MINUTES,
                    "completion_window": COMPLETION_WINDOW_MINUTES,
                    "lifecycle": {"delete_after": settings.retention_days},
                    "recovery_point_tags": scope.tags(self.vault_name),
                }
            ],
            tags=scope.tags(self.vault_name),
            opts=self._child,
        )


def _table_arns(scope: Scope) -> list[str]:
    """Return ARN patterns for the tables of this stack, one for each subsystem.

    A single pattern for the stack `prod` would also match the tables of a stack `prod-2`.
    """
    context = scope.context
    return [context.arn("dynamodb", f"table/{context.stack_label}-{subsystem}-*") for subsystem in Subsystem]


def backup_grants(scope: Scope) -> list[Grant]:
    """Return the permissions to back up tables: AWS' managed policy, limited to DynamoDB and to this stack."""
    context = scope.context
    tables = _table_arns(scope)
    vault = context.arn("backup", f"backup-vault:{scope.name(Kind.BACKUP_VAULT, 'backups')}")
    return [
        grant("dynamodb", ["CreateBackup", "DescribeTable", "ListTagsOfResource", "StartAwsBackupJob"], tables),
        grant("dynamodb", ["DeleteBackup", "DescribeBackup"], [f"{table}/backup/*" for table in tables]),
        grant("backup", ["CopyIntoBackupVault", "DescribeBackupVault"], vault),
        # A backup copies the table's tags, and fails without this permission.
        grant("backup", ["TagResource"], context.arn("backup", "recovery-point:*")),
        grant("tag", ["GetResources"], "*"),
    ]
