"""Driver of Step Functions state machines: the API calls that create, update and delete them."""

from typing import Any

from local.drivers.model import (
    Driver,
    DriverCall,
    Source,
    computed_from,
    from_response,
)


@computed_from("loggingConfiguration")
def logging_configuration(given: dict[str, Any]) -> dict[str, Any]:
    """Return the logging configuration in the API's form, in which the log group is a list with one destination."""
    return {
        "level": given["level"],
        "includeExecutionData": given["includeExecutionData"],
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": given["logDestination"]}}],
    }


MACHINE: dict[str, Source] = {
    "definition": "definition",
    "roleArn": "roleArn",
    "loggingConfiguration": logging_configuration,
    "tracingConfiguration": "tracingConfiguration",
}
"""Parameters of the calls that create and update a state machine, each with its source."""

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
