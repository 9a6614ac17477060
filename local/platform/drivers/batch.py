"""Where jobs run, the queues that they wait in, and what they are."""

import json
from typing import Any

from local.platform.drivers.model import Call, Driver, Known, Made, answered, const, made, named
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


@made("containerProperties")
def container(text: str) -> Any:
    """A container, which the provider takes as a text."""
    return json.loads(text)


def _without_revision(known: Known) -> Any:
    arn = known.answers.get("RegisterJobDefinition", {}).get("jobDefinitionArn")
    return UNKNOWN if arn is None else arn.rpartition(":")[0]


def _one_before(known: Known) -> Any:
    revision = int(known.answers["RegisterJobDefinition"]["revision"])
    return f"{known['name']}:{revision - 1}"


REGISTER = Call(
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
            Call(
                "CreateComputeEnvironment",
                {"computeEnvironmentName": named, "type": "type", **ENVIRONMENT, "tags": "tags"},
            ),
        ),
        update=(Call("UpdateComputeEnvironment", {"computeEnvironment": "id", **ENVIRONMENT}),),
        # One that takes jobs cannot be deleted.
        delete=(
            Call("UpdateComputeEnvironment", {"computeEnvironment": "id", "state": const("DISABLED")}),
            Call("DeleteComputeEnvironment", {"computeEnvironment": "id"}),
        ),
        id=answered("CreateComputeEnvironment", "computeEnvironmentName"),
        outputs={
            "name": answered("CreateComputeEnvironment", "computeEnvironmentName"),
            "arn": answered("CreateComputeEnvironment", "computeEnvironmentArn"),
        },
    ),
    Driver(
        type="aws:batch/jobQueue:JobQueue",
        service="batch",
        create=(Call("CreateJobQueue", {"jobQueueName": "name", **QUEUE, "tags": "tags"}),),
        update=(Call("UpdateJobQueue", {"jobQueue": "id", **QUEUE}),),
        delete=(
            Call("UpdateJobQueue", {"jobQueue": "id", "state": const("DISABLED")}),
            Call("DeleteJobQueue", {"jobQueue": "id"}),
        ),
        id=answered("CreateJobQueue", "jobQueueArn"),
        outputs={"arn": answered("CreateJobQueue", "jobQueueArn")},
    ),
    Driver(
        type="aws:batch/jobDefinition:JobDefinition",
        service="batch",
        create=(REGISTER,),
        # A change is a new revision; the one before is taken out of use then, which is the provider's default.
        update=(
            REGISTER,
            Call("DeregisterJobDefinition", {"jobDefinition": Made(_one_before)}, after=("RegisterJobDefinition",)),
        ),
        delete=(Call("DeregisterJobDefinition", {"jobDefinition": "arn"}),),
        id=answered("RegisterJobDefinition", "jobDefinitionArn"),
        outputs={
            "arn": answered("RegisterJobDefinition", "jobDefinitionArn"),
            "arnPrefix": Made(_without_revision),
            "revision": answered("RegisterJobDefinition", "revision"),
        },
        renewed=("arn", "revision"),
        ignored={"deregisterOnNewRevision": "the revision before is always taken out of use here"},
    ),
)
