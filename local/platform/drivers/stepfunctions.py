"""Driver of Step Functions state machines."""

from local.platform.driver_model.driver import ComputedValue, Driver, DriverCall, ResourceValues, Source, from_response


def _destinations(values: ResourceValues) -> list[dict[str, object]]:
    return [{"cloudWatchLogsLogGroup": {"logGroupArn": values["loggingConfiguration"]["logDestination"]}}]


def _level(values: ResourceValues) -> object:
    return values["loggingConfiguration"]["level"]


def _includes_data(values: ResourceValues) -> object:
    return values["loggingConfiguration"]["includeExecutionData"]


USES = ("loggingConfiguration",)
MACHINE: dict[str, Source] = {
    "definition": "definition",
    "roleArn": "roleArn",
    "loggingConfiguration.level": ComputedValue(_level, USES),
    "loggingConfiguration.includeExecutionData": ComputedValue(_includes_data, USES),
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
