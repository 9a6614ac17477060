"""Drivers of CloudWatch log groups and metric filters."""

from local.platform.drivers.model import Driver, DriverCall

RETENTION = DriverCall(
    "PutRetentionPolicy",
    {"logGroupName": "name", "retentionInDays": "retentionInDays"},
    when="retentionInDays",
)

FILTER = DriverCall(
    "PutMetricFilter",
    {
        "logGroupName": "logGroupName",
        "filterName": "name",
        "filterPattern": "pattern",
        "metricTransformations": "metricTransformation",
    },
    renames={"name": "metricName", "namespace": "metricNamespace", "value": "metricValue"},
)

DRIVERS = (
    Driver(
        type="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        create=(
            DriverCall("CreateLogGroup", {"logGroupName": "name", "kmsKeyId": "kmsKeyId", "tags": "tags"}),
            RETENTION,
        ),
        update=(RETENTION, DriverCall("TagResource", {"resourceArn": "arn", "tags": "tags"})),
        delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        create=(FILTER,),
        update=(FILTER,),
        delete=(DriverCall("DeleteMetricFilter", {"logGroupName": "logGroupName", "filterName": "name"}),),
        id="name",
    ),
)
