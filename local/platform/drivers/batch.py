"""Where jobs run, the queues that they wait in, and what they are."""

import json
from typing import Any

from local.platform.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    constant,
    from_response,
    name_or_prefixed,
)
from local.preview.property_values import UNKNOWN

ENVIRONMENT = {
    "state": "state",
    "computeResources": "computeResources",
    "serviceRole": "serviceRole",
}
QUEUE = {
    "state": "state",
    "priority": "priority",
    "computeEnvironmentOrder": "computeEnvironmentOrders",
    "jobStateTimeLimitActions": "jobStateTimeLimitActions",
    "schedulingPolicyArn": "schedulingPolicyArn",
}


@computed_from("containerProperties")
def container(text: str) -> Any:
    """A container, which the provider takes as a text."""
    return json.loads(text)


def _without_revision(known: ResourceValues) -> Any:
    arn = known.answers.get("RegisterJobDefinition", {}).get("jobDefinitionArn")
    return UNKNOWN if arn is None else arn.rpartition(":")[0]


def _one_before(known: ResourceValues) -> Any:
    revision = int(known.answers["RegisterJobDefinition"]["revision"])
    return f"{known['name']}:{revision - 1}"


REGISTER = DriverCall(
    "RegisterJobDefinition",
    {
        "jobDefinitionName": "name",
        "type": "type",
        "platformCapabilities": "platformCapabilities",
        "containerProperties": container,
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
        # One that takes jobs cannot be deleted.
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
        # A change is a new revision; the one before is taken out of use then, which is the provider's default.
        update=(
            REGISTER,
            DriverCall(
                "DeregisterJobDefinition",
                {"jobDefinition": ComputedValue(_one_before)},
                after=("RegisterJobDefinition",),
            ),
        ),
        delete=(DriverCall("DeregisterJobDefinition", {"jobDefinition": "arn"}),),
        id=from_response("RegisterJobDefinition", "jobDefinitionArn"),
        outputs={
            "arn": from_response("RegisterJobDefinition", "jobDefinitionArn"),
            "arnPrefix": ComputedValue(_without_revision),
            "revision": from_response("RegisterJobDefinition", "revision"),
        },
        changed_by_update=("arn", "revision"),
        ignored={"deregisterOnNewRevision": "the revision before is always taken out of use here"},
    ),
)
