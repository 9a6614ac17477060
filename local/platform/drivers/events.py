"""Rules on the event bus, their targets, and schedules."""

from typing import Any

from local.platform.drivers.model import Call, Driver, Known, Made, answered, made

RULE = Call(
    "PutRule",
    {
        "Name": "name",
        "EventPattern": "eventPattern",
        "ScheduleExpression": "scheduleExpression",
        "Description": "description",
        "State": "state",
        "Tags": "tags",
    },
)


@made("targetId", "arn", "input", "retryPolicy", "deadLetterConfig", "roleArn")
def target(identifier: str, arn: str, text: str | None, retry: Any, dead_letters: Any, role: str | None) -> list[Any]:
    """The one target of a rule."""
    parts = {"Id": identifier, "Arn": arn, "Input": text, "RoleArn": role}
    blocks = {"RetryPolicy": retry, "DeadLetterConfig": dead_letters}
    return [{name: value for name, value in {**parts, **blocks}.items() if value is not None}]


def _target_ids(known: Known) -> list[str]:
    return [known["targetId"]]


def _target_id(known: Known) -> str:
    return f"{known['rule']}-{known['targetId']}"


TARGET = Call("PutTargets", {"Rule": "rule", "Targets": target})

ARCHIVE = {
    "ArchiveName": "name",
    "EventSourceArn": "eventSourceArn",
    "EventPattern": "eventPattern",
    "RetentionDays": "retentionDays",
    "Description": "description",
}
SCHEDULE = {
    "Name": "name",
    "GroupName": "groupName",
    "ScheduleExpression": "scheduleExpression",
    "ScheduleExpressionTimezone": "scheduleExpressionTimezone",
    "State": "state",
    "FlexibleTimeWindow": "flexibleTimeWindow",
    "Target": "target",
}

DRIVERS = (
    Driver(
        type="aws:cloudwatch/eventRule:EventRule",
        service="events",
        create=(RULE,),
        update=(RULE,),
        delete=(Call("DeleteRule", {"Name": "name"}),),
        id="name",
        outputs={"arn": answered("PutRule", "RuleArn")},
    ),
    Driver(
        type="aws:cloudwatch/eventTarget:EventTarget",
        service="events",
        create=(TARGET,),
        update=(TARGET,),
        delete=(Call("RemoveTargets", {"Rule": "rule", "Ids": Made(_target_ids, ("targetId",))}),),
        id=Made(_target_id, ("rule", "targetId")),
    ),
    Driver(
        type="aws:cloudwatch/eventArchive:EventArchive",
        service="events",
        create=(Call("CreateArchive", ARCHIVE),),
        update=(Call("UpdateArchive", {name: one for name, one in ARCHIVE.items() if name != "EventSourceArn"}),),
        delete=(Call("DeleteArchive", {"ArchiveName": "name"}),),
        id="name",
        outputs={"arn": answered("CreateArchive", "ArchiveArn")},
    ),
    Driver(
        type="aws:scheduler/schedule:Schedule",
        service="scheduler",
        create=(Call("CreateSchedule", SCHEDULE),),
        update=(Call("UpdateSchedule", SCHEDULE),),
        delete=(Call("DeleteSchedule", {"Name": "name", "GroupName": "groupName"}),),
        id="name",
        outputs={"arn": answered("CreateSchedule", "ScheduleArn")},
    ),
)
