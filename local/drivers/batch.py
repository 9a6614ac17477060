"""Drivers of AWS Batch compute environments, job queues and job definitions: the API calls that create, update
and delete them.
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
    name_or_prefixed,
)

ENVIRONMENT = {
    "state": "state",
    "computeResources": "computeResources",
    "serviceRole": "serviceRole",
}
"""Parameters of the calls that create and update a compute environment, each with its Pulumi property."""
QUEUE = {
    "state": "state",
    "priority": "priority",
    "computeEnvironmentOrder": "computeEnvironmentOrders",
    "jobStateTimeLimitActions": "jobStateTimeLimitActions",
    "schedulingPolicyArn": "schedulingPolicyArn",
}
"""Parameters of the calls that create and update a job queue, each with its Pulumi property."""
container_properties = computed_from("containerProperties")(json.loads)
"""The container properties as an object. In Pulumi they are a JSON text."""


def _previous_revision(values: ResourceValues) -> Any:
    """Return the revision that an update has just replaced, for example `media-job:3`."""
    revision = int(values.responses["RegisterJobDefinition"]["revision"])
    return f"{values['name']}:{revision - 1}"


REGISTER = DriverCall(
    "RegisterJobDefinition",
    {
        "jobDefinitionName": "name",
        "type": "type",
        "platformCapabilities": "platformCapabilities",
        "containerProperties": container_properties,
        "parameters": "parameters",
        "retryStrategy": "retryStrategy",
        "timeout": "timeout",
        "propagateTags": "propagateTags",
        "schedulingPriority": "schedulingPriority",
        "tags": "tags",
    },
)

DRIVERS = (
    Driver(
        type="aws:batch/computeEnvironment:ComputeEnvironment",
        service="batch",
        create=(
            DriverCall(
                "CreateComputeEnvironment",
                {"computeEnvironmentName": name_or_prefixed, "type": "type", **ENVIRONMENT, "tags": "tags"},
            ),
        ),
        update=(DriverCall("UpdateComputeEnvironment", {"computeEnvironment": "id", **ENVIRONMENT}),),
        # AWS Batch refuses to delete an enabled compute environment or job queue, so each is disabled first.
        delete=(
            DriverCall("UpdateComputeEnvironment", {"computeEnvironment": "id", "state": constant("DISABLED")}),
            DriverCall("DeleteComputeEnvironment", {"computeEnvironment": "id"}),
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
        create=(DriverCall("CreateJobQueue", {"jobQueueName": "name", **QUEUE, "tags": "tags"}),),
        update=(DriverCall("UpdateJobQueue", {"jobQueue": "id", **QUEUE}),),
        delete=(
            DriverCall("UpdateJobQueue", {"jobQueue": "id", "state": constant("DISABLED")}),
            DriverCall("DeleteJobQueue", {"jobQueue": "id"}),
        ),
        id=from_response("CreateJobQueue", "jobQueueArn"),
        outputs={"arn": from_response("CreateJobQueue", "jobQueueArn")},
    ),
    Driver(
        type="aws:batch/jobDefinition:JobDefinition",
        service="batch",
        create=(REGISTER,),
        # A change registers a new revision and deregisters the previous one, as the provider does by default.
        update=(
            REGISTER,
            DriverCall(
                "DeregisterJobDefinition",
                {"jobDefinition": ComputedValue(_previous_revision)},
                after=("RegisterJobDefinition",),
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
        ignored={"deregisterOnNewRevision": "this driver always deregisters the previous revision"},
    ),
)
