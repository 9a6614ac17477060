"""State machines."""

from local.platform.drivers.model import Call, Driver, Known, Made, Source, answered


def _destinations(known: Known) -> list[dict[str, object]]:
    return [{"cloudWatchLogsLogGroup": {"logGroupArn": known["loggingConfiguration"]["logDestination"]}}]


def _level(known: Known) -> object:
    return known["loggingConfiguration"]["level"]


def _data(known: Known) -> object:
    return known["loggingConfiguration"]["includeExecutionData"]


USES = ("loggingConfiguration",)
MACHINE: dict[str, Source] = {
    "definition": "definition",
    "roleArn": "roleArn",
    "loggingConfiguration.level": Made(_level, USES),
    "loggingConfiguration.includeExecutionData": Made(_data, USES),
    "loggingConfiguration.destinations": Made(_destinations, USES),
    "tracingConfiguration": "tracingConfiguration",
}

DRIVERS = (
    Driver(
        type="aws:sfn/stateMachine:StateMachine",
        service="stepfunctions",
        create=(Call("CreateStateMachine", {"name": "name", "type": "type", **MACHINE, "tags": "tags"}),),
        update=(Call("UpdateStateMachine", {"stateMachineArn": "id", **MACHINE}),),
        delete=(Call("DeleteStateMachine", {"stateMachineArn": "id"}),),
        id=answered("CreateStateMachine", "stateMachineArn"),
        outputs={"arn": answered("CreateStateMachine", "stateMachineArn")},
    ),
)
