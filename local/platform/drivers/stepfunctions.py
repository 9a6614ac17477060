"""State machines."""

from local.platform.drivers.model import ComputedValue, Driver, DriverCall, ResourceValues, Source, from_response


def _destinations(known: ResourceValues) -> list[dict[str, object]]:
    return [{"cloudWatchLogsLogGroup": {"logGroupArn": known["loggingConfiguration"]["logDestination"]}}]


def _level(known: ResourceValues) -> object:
    return known["loggingConfiguration"]["level"]


def _data(known: ResourceValues) -> object:
    return known["loggingConfiguration"]["includeExecutionData"]


USES = ("loggingConfiguration",)
MACHINE: dict[str, Source] = {
    "definition": "definition",
    "roleArn": "roleArn",
    "loggingConfiguration.level": ComputedValue(_level, USES),
    "loggingConfiguration.includeExecutionData": ComputedValue(_data, USES),
    "loggingConfiguration.destinations": ComputedValue(_destinations, USES),
    "tracingConfiguration": "tracingConfiguration",
}

DRIVERS = (
    Driver(
        type="aws:sfn/stateMachine:StateMachine",
        service="stepfunctions",
        create=(DriverCall("CreateStateMachine", {"name": "name", "type": "type", **MACHINE, "tags": "tags"}),),
        update=(DriverCall("UpdateStateMachine", {"stateMachineArn": "id", **MACHINE}),),
        delete=(DriverCall("DeleteStateMachine", {"stateMachineArn": "id"}),),
        id=from_response("CreateStateMachine", "stateMachineArn"),
        outputs={"arn": from_response("CreateStateMachine", "stateMachineArn")},
    ),
)
