"""Log groups."""

from local.drivers.model import Call, Driver

RETENTION = Call(
    "PutRetentionPolicy",
    {"logGroupName": "name", "retentionInDays": "retentionInDays"},
    when="retentionInDays",
)

DRIVERS = (
    Driver(
        type="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        create=(Call("CreateLogGroup", {"logGroupName": "name", "tags": "tags"}), RETENTION),
        update=(RETENTION, Call("TagResource", {"resourceArn": "arn", "tags": "tags"})),
        delete=(Call("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
    ),
)
