"""Drivers of alarms, dashboards, logs, SSM parameters, backups, budgets, and cost anomaly detection.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.

The emulator has no Cost Explorer and no region settings of AWS Backup. So their drivers are `RecordedOnly`: their calls
are never made, and only serve to check the parameters against the service's API.
"""

import json
from typing import Any

from local import ACCOUNT, REGION
from local.drivers.model import Driver, DriverCall, RecordedOnly, computed_from, constant, from_response


@computed_from("name")
def parameter_arn(name: str) -> str:
    """Return the ARN of an SSM parameter."""
    return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name.removeprefix('/')}"


@computed_from("costFilters")
def cost_filters(given: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return a budget's filters in the API's form: lists of values by the filter's name."""
    return {cost_filter["name"]: cost_filter["values"] for cost_filter in given}


@computed_from("notifications")
def notifications(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each notification of a budget with its subscribers."""
    return [
        {
            "Notification": {key: value for key, value in notification.items() if not key.startswith("subscriber")},
            "Subscribers": [
                {"SubscriptionType": kind, "Address": address}
                for kind, name in (("SNS", "subscriberSnsTopicArns"), ("EMAIL", "subscriberEmailAddresses"))
                for address in notification.get(name, ())
            ],
        }
        for notification in given
    ]


monitor_specification = computed_from("monitorSpecification")(json.loads)
"""The expression that selects the monitored costs. In Pulumi it is a JSON text."""

PUT_ALARM = DriverCall("PutMetricAlarm")
PUT_DASHBOARD = DriverCall("PutDashboard")
PUT_RETENTION = DriverCall("PutRetentionPolicy", if_property="retentionInDays")
PUT_FILTER = DriverCall("PutMetricFilter")
ACCOUNT_PARAMETER = {"AccountId": constant(ACCOUNT)}

DRIVERS = (
    Driver(
        type="aws:cloudwatch/metricAlarm:MetricAlarm",
        service="cloudwatch",
        api_names={"name": "AlarmName"},
        create=(PUT_ALARM,),
        update=(PUT_ALARM,),
        delete=(DriverCall("DeleteAlarms"),),
        id="name",
    ),
    Driver(
        type="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        create=(PUT_DASHBOARD,),
        update=(PUT_DASHBOARD,),
        delete=(DriverCall("DeleteDashboards"),),
        id="dashboardName",
    ),
    Driver(
        type="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        api_names={"name": "logGroupName"},
        create=(DriverCall("CreateLogGroup"), PUT_RETENTION),
        update=(PUT_RETENTION,),
        delete=(DriverCall("DeleteLogGroup"),),
        id="name",
    ),
    Driver(
        type="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        api_names={
            "name": ("filterName", "metricName"),  # of the filter, and of its `metricTransformation`
            "pattern": "filterPattern",
            "namespace": "metricNamespace",
            "value": "metricValue",
        },
        create=(PUT_FILTER,),
        update=(PUT_FILTER,),
        delete=(DriverCall("DeleteMetricFilter"),),
        id="name",
    ),
    Driver(
        type="aws:ssm/parameter:Parameter",
        service="ssm",
        create=(DriverCall("PutParameter"),),
        # AWS refuses tags together with `Overwrite`, and a parameter with the value None is omitted.
        update=(DriverCall("PutParameter", {"Overwrite": constant(True), "Tags": constant(None)}),),
        delete=(DriverCall("DeleteParameter"),),
        id="name",
        outputs={"arn": parameter_arn, "version": from_response("PutParameter", "Version")},
        changed_by_update={"version": "PutParameter"},
    ),
    Driver(
        type="aws:backup/vault:Vault",
        service="backup",
        api_names={"name": "BackupVaultName", "tags": "BackupVaultTags"},
        create=(DriverCall("CreateBackupVault"),),
        delete=(DriverCall("DeleteBackupVault"),),
        id="name",
        outputs={"arn": from_response("CreateBackupVault", "BackupVaultArn")},
        ignored={"forceDestroy": "it permits the deletion of a vault with content, which the emulator always permits"},
    ),
    Driver(
        type="aws:backup/plan:Plan",
        service="backup",
        api_names={
            "id": "BackupPlanId",
            "name": "BackupPlanName",
            "tags": "BackupPlanTags",
            "schedule": "ScheduleExpression",
            "targetVaultName": "TargetBackupVaultName",
            "deleteAfter": "DeleteAfterDays",
        },
        create=(DriverCall("CreateBackupPlan", parent_parameter="BackupPlan"),),
        update=(DriverCall("UpdateBackupPlan", parent_parameter="BackupPlan"),),
        delete=(DriverCall("DeleteBackupPlan"),),
        id=from_response("CreateBackupPlan", "BackupPlanId"),
        outputs={"arn": from_response("CreateBackupPlan", "BackupPlanArn")},
    ),
    Driver(
        type="aws:backup/selection:Selection",
        service="backup",
        api_names={
            "id": "SelectionId",
            "planId": "BackupPlanId",
            "name": "SelectionName",
            "selectionTags": "ListOfTags",
            "type": "ConditionType",
            "key": "ConditionKey",
            "value": "ConditionValue",
        },
        create=(DriverCall("CreateBackupSelection", parent_parameter="BackupSelection"),),
        delete=(DriverCall("DeleteBackupSelection"),),
        id=from_response("CreateBackupSelection", "SelectionId"),
    ),
    Driver(
        type="aws:budgets/budget:Budget",
        service="budgets",
        api_names={"name": "BudgetName", "tags": "ResourceTags"},
        create=(
            DriverCall(
                "CreateBudget",
                {
                    **ACCOUNT_PARAMETER,
                    "Budget.BudgetLimit.Amount": "limitAmount",
                    "Budget.BudgetLimit.Unit": "limitUnit",
                    "Budget.CostFilters": cost_filters,
                    "NotificationsWithSubscribers": notifications,
                },
                parent_parameter="Budget",
            ),
        ),
        delete=(DriverCall("DeleteBudget", ACCOUNT_PARAMETER),),
        id="name",
    ),
)

MONITOR_ARN = f"arn:aws:ce::{ACCOUNT}:anomalymonitor/0a1b2c3d-0000-4000-8000-00000000000a"
"""On AWS, the id at the end is generated. A stack has only one monitor."""
NO_COST_EXPLORER = "the emulator has no Cost Explorer"

RECORDED_ONLY = (
    RecordedOnly(
        type="aws:backup/regionSettings:RegionSettings",
        service="backup",
        reason="the emulator's Backup service has no region settings",
        create=(DriverCall("UpdateRegionSettings"),),
    ),
    RecordedOnly(
        type="aws:costexplorer/anomalyMonitor:AnomalyMonitor",
        service="ce",
        reason=NO_COST_EXPLORER,
        api_names={"name": "MonitorName", "tags": "ResourceTags"},
        create=(
            DriverCall(
                "CreateAnomalyMonitor",
                {"AnomalyMonitor.MonitorSpecification": monitor_specification},
                parent_parameter="AnomalyMonitor",
            ),
        ),
        outputs={"arn": constant(MONITOR_ARN)},
    ),
    RecordedOnly(
        type="aws:costexplorer/anomalySubscription:AnomalySubscription",
        service="ce",
        reason=NO_COST_EXPLORER,
        api_names={"name": "SubscriptionName", "tags": "ResourceTags"},
        create=(DriverCall("CreateAnomalySubscription", parent_parameter="AnomalySubscription"),),
    ),
)
