"""Log groups, and metrics made of log lines."""

from local.platform.drivers.model import Call, Driver

RETENTION = Call(
    "PutRetentionPolicy",
    {"logGroupName": "name", "retentionInDays": "retentionInDays"},
    when="retentionInDays",
)

FILTER = Call(
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
        create=(Call("CreateLogGroup", {"logGroupName": "name", "kmsKeyId": "kmsKeyId", "tags": "tags"}), RETENTION),
        update=(RETENTION, Call("TagResource", {"resourceArn": "arn", "tags": "tags"})),
        delete=(Call("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
    ),
    Driver(
        type="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        create=(FILTER,),
        update=(FILTER,),
        delete=(Call("DeleteMetricFilter", {"logGroupName": "logGroupName", "filterName": "name"}),),
        id="name",
    ),
)
