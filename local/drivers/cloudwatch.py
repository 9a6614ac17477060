"""Drivers of CloudWatch alarms, dashboards, log groups and metric filters: the API calls that create, update and
delete them.
"""

from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    Source,
)


def _dimensions(values: ResourceValues) -> list[dict[str, object]]:
    """Return an alarm's dimensions in the API's form, which is a list."""
    return [{"name": name, "value": value} for name, value in sorted((values["dimensions"] or {}).items())]


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

DRIVERS = (
    Driver(
        type="aws:cloudwatch/metricAlarm:MetricAlarm",
        service="cloudwatch",
        create=(DriverCall("PutMetricAlarm", {**ALARM, "Tags": "tags"}),),
        update=(DriverCall("PutMetricAlarm", ALARM),),
        delete=(DriverCall("DeleteAlarms", {"AlarmNames": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        create=(PUT_DASHBOARD,),
        update=(PUT_DASHBOARD,),
        delete=(DriverCall("DeleteDashboards", {"DashboardNames": "dashboardName"}),),
        id="dashboardName",
    ),
    Driver(
        type="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        create=(
            DriverCall("CreateLogGroup", {"logGroupName": "name", "kmsKeyId": "kmsKeyId", "tags": "tags"}),
            PUT_RETENTION,
        ),
        update=(PUT_RETENTION,),
        delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        create=(PUT_FILTER,),
        update=(PUT_FILTER,),
        delete=(DriverCall("DeleteMetricFilter", {"logGroupName": "logGroupName", "filterName": "name"}),),
        id="name",
    ),
)
