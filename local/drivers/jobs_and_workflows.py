"""Drivers of AWS Batch compute environments, queues and job definitions, Glue jobs with their connections and security
configurations, and Step Functions state machines.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.
"""

import json
from typing import Any

from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    constant,
    from_response,
    prefixed_name,
)

container_properties = computed_from("containerProperties")(json.loads)
"""The container properties as an object. In Pulumi they are a JSON text."""


def _previous_revision(values: ResourceValues) -> Any:
    """Return the revision before that of this update, for example `media-job:3`."""
    revision = int(values.responses["RegisterJobDefinition"]["revision"])
    return f"{values['name']}:{revision - 1}"


@computed_from("loggingConfiguration")
def logging_configuration(given: dict[str, Any]) -> dict[str, Any]:
    """Return the logging configuration in the API's form, in which the log group is a list with one destination."""
    return {
        "level": given["level"],
        "includeExecutionData": given["includeExecutionData"],
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": given["logDestination"]}}],
    }


REGISTER = DriverCall("RegisterJobDefinition", {"containerProperties": container_properties})
DISABLED = {"state": constant("DISABLED")}
LOGGING = {"loggingConfiguration": logging_configuration}

DRIVERS = (
    Driver(
        type="aws:batch/computeEnvironment:ComputeEnvironment",
        service="batch",
        api_names={"id": "computeEnvironment"},
        create=(DriverCall("CreateComputeEnvironment", {"computeEnvironmentName": prefixed_name}),),
        update=(DriverCall("UpdateComputeEnvironment"),),
        # AWS Batch refuses to delete an enabled compute environment or job queue, so each is disabled first.
        delete=(
            DriverCall("UpdateComputeEnvironment", DISABLED, only_properties=("id",)),
            DriverCall("DeleteComputeEnvironment"),
        ),
        id=from_response("CreateComputeEnvironment", "computeEnvironmentName"),
        outputs={
            "name": from_response("CreateComputeEnvironment", "computeEnvironmentName"),
            "arn": from_response("CreateComputeEnvironment", "computeEnvironmentArn"),
        },
    ),
    Driver(
        type="aws:batch/jobQueue:JobQueue",
        service="batch",
        api_names={"id": "jobQueue", "name": "jobQueueName"},
        create=(DriverCall("CreateJobQueue"),),
        update=(DriverCall("UpdateJobQueue"),),
        delete=(DriverCall("UpdateJobQueue", DISABLED, only_properties=("id",)), DriverCall("DeleteJobQueue")),
        id=from_response("CreateJobQueue", "jobQueueArn"),
        outputs={"arn": from_response("CreateJobQueue", "jobQueueArn")},
    ),
    Driver(
        type="aws:batch/jobDefinition:JobDefinition",
        service="batch",
        api_names={"name": "jobDefinitionName"},
        create=(REGISTER,),
        # A change registers a new revision and deregisters the previous one, as the provider does by default.
        update=(
            REGISTER,
            DriverCall(
                "DeregisterJobDefinition",
                {"jobDefinition": ComputedValue(_previous_revision)},
                after_operations=("RegisterJobDefinition",),
            ),
        ),
        delete=(DriverCall("DeregisterJobDefinition", {"jobDefinition": "arn"}),),
        id=from_response("RegisterJobDefinition", "jobDefinitionArn"),
        outputs={
            "arn": from_response("RegisterJobDefinition", "jobDefinitionArn"),
            # The ARN without its revision.
            "arnPrefix": from_response("RegisterJobDefinition", "jobDefinitionArn", lambda arn: arn.rpartition(":")[0]),
            "revision": from_response("RegisterJobDefinition", "revision"),
        },
        changed_by_update=dict.fromkeys(("arn", "revision"), "RegisterJobDefinition"),
    ),
    Driver(
        type="aws:glue/job:Job",
        service="glue",
        api_names={"name": "JobName", "roleArn": "Role"},
        create=(DriverCall("CreateJob", {"Connections.Connections": "connections"}),),
        update=(
            DriverCall("UpdateJob", {"JobUpdate.Connections.Connections": "connections"}, parent_parameter="JobUpdate"),
        ),
        delete=(DriverCall("DeleteJob"),),
        id="name",
    ),
    Driver(
        type="aws:glue/connection:Connection",
        service="glue",
        api_names={"name": "ConnectionName"},
        create=(DriverCall("CreateConnection", parent_parameter="ConnectionInput"),),
        delete=(DriverCall("DeleteConnection"),),
        id="name",
    ),
    Driver(
        type="aws:glue/securityConfiguration:SecurityConfiguration",
        service="glue",
        create=(DriverCall("CreateSecurityConfiguration"),),
        delete=(DriverCall("DeleteSecurityConfiguration"),),
        id="name",
    ),
    Driver(
        type="aws:sfn/stateMachine:StateMachine",
        service="stepfunctions",
        api_names={"id": "stateMachineArn"},
        create=(DriverCall("CreateStateMachine", LOGGING),),
        update=(DriverCall("UpdateStateMachine", LOGGING),),
        delete=(DriverCall("DeleteStateMachine"),),
        id=from_response("CreateStateMachine", "stateMachineArn"),
        outputs={"arn": from_response("CreateStateMachine", "stateMachineArn")},
    ),
)
