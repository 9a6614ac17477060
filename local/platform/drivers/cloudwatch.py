"""Alarms and dashboards."""

from local.platform.drivers.model import Call, Driver, Known, Made


def _dimensions(known: Known) -> list[dict[str, object]]:
    return [{"name": name, "value": value} for name, value in sorted((known["dimensions"] or {}).items())]


def _name_list(known: Known) -> list[str]:
    return [known["name"]]


ALARM = Call(
    "PutMetricAlarm",
    {
        "AlarmName": "name",
        "AlarmDescription": "alarmDescription",
        "Namespace": "namespace",
        "MetricName": "metricName",
        "Dimensions": Made(_dimensions, ("dimensions",)),
        "Statistic": "statistic",
        "ExtendedStatistic": "extendedStatistic",
        "Period": "period",
        "EvaluationPeriods": "evaluationPeriods",
        "Threshold": "threshold",
        "ComparisonOperator": "comparisonOperator",
        "TreatMissingData": "treatMissingData",
        "AlarmActions": "alarmActions",
        "OKActions": "okActions",
        "Tags": "tags",
    },
)

DASHBOARD = Call("PutDashboard", {"DashboardName": "dashboardName", "DashboardBody": "dashboardBody"})


def _dashboards(known: Known) -> list[str]:
    return [known["dashboardName"]]


DRIVERS = (
    Driver(
        type="aws:cloudwatch/metricAlarm:MetricAlarm",
        service="cloudwatch",
        create=(ALARM,),
        update=(ALARM,),
        delete=(Call("DeleteAlarms", {"AlarmNames": Made(_name_list)}),),
        id="name",
    ),
    Driver(
        type="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        create=(DASHBOARD,),
        update=(DASHBOARD,),
        delete=(Call("DeleteDashboards", {"DashboardNames": Made(_dashboards)}),),
        id="dashboardName",
    ),
)
