"""Drivers of EventBridge rules, targets and archives, and of EventBridge Scheduler schedules: the API calls that
create, update and delete them.
"""

from local.drivers.model import Driver, DriverCall, from_response, from_template

RULE = {
    "Name": "name",
    "EventPattern": "eventPattern",
    "ScheduleExpression": "scheduleExpression",
    "Description": "description",
    "State": "state",
}
"""Parameters of PutRule, which creates and updates a rule, each with its Pulumi property."""


PUT_TARGET = DriverCall(
    "PutTargets",
    {
        "Rule": "rule",
        "Targets.Id": "targetId",
        "Targets.Arn": "arn",
        "Targets.Input": "input",
        "Targets.RoleArn": "roleArn",
        "Targets.RetryPolicy": "retryPolicy",
        "Targets.DeadLetterConfig": "deadLetterConfig",
    },
)
ARCHIVE = {
    "ArchiveName": "name",
    "EventSourceArn": "eventSourceArn",
    "EventPattern": "eventPattern",
    "RetentionDays": "retentionDays",
    "Description": "description",
}
"""Parameters of the calls that create and update an archive, each with its Pulumi property."""
SCHEDULE = {
    "Name": "name",
    "GroupName": "groupName",
    "ScheduleExpression": "scheduleExpression",
    "ScheduleExpressionTimezone": "scheduleExpressionTimezone",
    "State": "state",
    "FlexibleTimeWindow": "flexibleTimeWindow",
    "Target": "target",
}
"""Parameters of the calls that create and update a schedule, each with its Pulumi property."""

DRIVERS = (
    Driver(
        type="aws:cloudwatch/eventRule:EventRule",
        service="events",
        create=(DriverCall("PutRule", {**RULE, "Tags": "tags"}),),
        update=(DriverCall("PutRule", RULE),),
        delete=(DriverCall("DeleteRule", {"Name": "name"}),),
        id="name",
        outputs={"arn": from_response("PutRule", "RuleArn")},
    ),
    Driver(
        type="aws:cloudwatch/eventTarget:EventTarget",
        service="events",
        create=(PUT_TARGET,),
        update=(PUT_TARGET,),
        delete=(DriverCall("RemoveTargets", {"Rule": "rule", "Ids": "targetId"}),),
        id=from_template("{rule}-{targetId}"),
    ),
    Driver(
        type="aws:cloudwatch/eventArchive:EventArchive",
        service="events",
        create=(DriverCall("CreateArchive", ARCHIVE),),
        update=(
            DriverCall("UpdateArchive", {name: source for name, source in ARCHIVE.items() if name != "EventSourceArn"}),
        ),
        delete=(DriverCall("DeleteArchive", {"ArchiveName": "name"}),),
        id="name",
        outputs={"arn": from_response("CreateArchive", "ArchiveArn")},
    ),
    Driver(
        type="aws:scheduler/schedule:Schedule",
        service="scheduler",
        create=(DriverCall("CreateSchedule", SCHEDULE),),
        update=(DriverCall("UpdateSchedule", SCHEDULE),),
        delete=(DriverCall("DeleteSchedule", {"Name": "name", "GroupName": "groupName"}),),
        id="name",
        outputs={"arn": from_response("CreateSchedule", "ScheduleArn")},
    ),
)
