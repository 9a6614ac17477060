"""Drivers of CloudWatch alarms, dashboards, log groups and metric filters: the API calls that create, update, read and
delete them.
"""

from local.platform.driver_model.driver import (
    ComputedValue,
    Driver,
    DriverCall,
    ReadCall,
    ResourceValues,
    Source,
    from_template,
    read_tags,
)
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.property_value_conversion import Props


def _dimensions(values: ResourceValues) -> list[dict[str, object]]:
    """Return an alarm's dimensions in the API's form, which is a list."""
    return [{"name": name, "value": value} for name, value in sorted((values["dimensions"] or {}).items())]


def _current_dimensions(alarm: Props) -> Props:
    """Return an alarm's dimensions in Pulumi's form, which is a map."""
    return {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", ())}


def _current_actions_enabled(alarm: Props) -> bool | None:
    """Return False if the alarm's actions are disabled, otherwise None.

    The program never gives `actionsEnabled`, so False means that they were disabled by hand.
    """
    return False if alarm.get("ActionsEnabled") is False else None


ALARM: dict[str, Source] = {
    "AlarmName": "name",
    "AlarmDescription": "alarmDescription",
    "Namespace": "namespace",
    "MetricName": "metricName",
    "Dimensions": ComputedValue(_dimensions, ("dimensions",)),
    "Statistic": "statistic",
    "ExtendedStatistic": "extendedStatistic",
    "Period": "period",
    "EvaluationPeriods": "evaluationPeriods",
    "Threshold": "threshold",
    "ComparisonOperator": "comparisonOperator",
    "TreatMissingData": "treatMissingData",
    "AlarmActions": "alarmActions",
    "OKActions": "okActions",
}
"""Parameters of the call that creates and updates an alarm, each with its Pulumi property."""
ALARM_ARN = from_template(f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{name}}")

PUT_DASHBOARD = DriverCall("PutDashboard", {"DashboardName": "dashboardName", "DashboardBody": "dashboardBody"})


PUT_RETENTION = DriverCall(
    "PutRetentionPolicy",
    {"logGroupName": "name", "retentionInDays": "retentionInDays"},
    when="retentionInDays",
)

PUT_FILTER = DriverCall(
    "PutMetricFilter",
    {
        "logGroupName": "logGroupName",
        "filterName": "name",
        "filterPattern": "pattern",
        "metricTransformations": "metricTransformation",
    },
    nested_renames={"name": "metricName", "namespace": "metricNamespace", "value": "metricValue"},
)

LOG_GROUP_ARN = from_template(f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}")

DRIVERS = (
    Driver(
        type="aws:cloudwatch/metricAlarm:MetricAlarm",
        service="cloudwatch",
        create=(DriverCall("PutMetricAlarm", {**ALARM, "Tags": "tags"}),),
        # PutMetricAlarm sets tags only when it creates the alarm, so an update needs TagResource.
        update=(
            DriverCall("PutMetricAlarm", ALARM),
            DriverCall("TagResource", {"ResourceARN": ALARM_ARN, "Tags": "tags"}),
        ),
        delete=(DriverCall("DeleteAlarms", {"AlarmNames": "name"}),),
        id="name",
        read=(
            ReadCall(
                "DescribeAlarms",
                {"AlarmNames": "name"},
                "MetricAlarms",
                matching_item=("AlarmName", "name"),
                values_in_result={"dimensions": _current_dimensions, "actionsEnabled": _current_actions_enabled},
                returned_only_if_set=("dimensions", "alarmActions", "okActions", "actionsEnabled"),
            ),
            read_tags("ListTagsForResource", {"ResourceARN": ALARM_ARN}),
        ),
    ),
    Driver(
        type="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        create=(PUT_DASHBOARD,),
        update=(PUT_DASHBOARD,),
        delete=(DriverCall("DeleteDashboards", {"DashboardNames": "dashboardName"}),),
        id="dashboardName",
        read=(ReadCall("GetDashboard", {"DashboardName": "dashboardName"}),),
    ),
    Driver(
        type="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        create=(
            DriverCall("CreateLogGroup", {"logGroupName": "name", "kmsKeyId": "kmsKeyId", "tags": "tags"}),
            PUT_RETENTION,
        ),
        update=(PUT_RETENTION, DriverCall("TagResource", {"resourceArn": LOG_GROUP_ARN, "tags": "tags"})),
        delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
        read=(
            ReadCall(
                "DescribeLogGroups",
                {"logGroupNamePrefix": "name"},
                "logGroups",
                matching_item=("logGroupName", "name"),
                returned_only_if_set=("retentionInDays", "kmsKeyId"),
            ),
            read_tags("ListTagsForResource", {"resourceArn": LOG_GROUP_ARN}, "tags"),
        ),
    ),
    Driver(
        type="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        create=(PUT_FILTER,),
        update=(PUT_FILTER,),
        delete=(DriverCall("DeleteMetricFilter", {"logGroupName": "logGroupName", "filterName": "name"}),),
        id="name",
        read=(
            ReadCall(
                "DescribeMetricFilters",
                {"logGroupName": "logGroupName", "filterNamePrefix": "name"},
                "metricFilters",
                matching_item=("filterName", "name"),
            ),
        ),
    ),
)
