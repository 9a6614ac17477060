"""AWS Batch job queue on Fargate with its compute environment, on Spot or on-demand capacity.

Each queue has one compute environment, because Batch does not move a waiting job to a second environment if Spot
capacity is missing. Instead, the workflow submits the job to another queue.

The provider generates the end of the environment's name. So a new environment can be created, and the queue moved to
it, before the old environment is deleted, as Batch requires. The environment has no role, because Batch uses its
service-linked role.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_aws import batch

from components.blocks.block import Block
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope


class Capacity(StrEnum):
    """Capacity that jobs run on."""

    SPOT = "FARGATE_SPOT"
    """Fargate Spot, at about a third of the on-demand price. AWS may reclaim it with a warning of two minutes."""
    ON_DEMAND = "FARGATE"


@dataclass(frozen=True)
class BatchQueueArgs:
    scope: Scope
    display_name: str
    capacity: Capacity
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    """Id of the jobs' security group."""
    max_vcpus: int
    """Total vCPUs of all jobs that run at the same time."""


class BatchQueue(Block):
    def __init__(self, short_name: str, args: BatchQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("BatchQueue", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.BATCH_QUEUE, short_name)
        self.arn = scope.context.arn("batch", f"job-queue/{self.name}")
        environment = batch.ComputeEnvironment(
            self.part_name("environment"),
            name_prefix=f"{scope.name(Kind.COMPUTE_ENVIRONMENT, short_name)}-",
            type="MANAGED",
            state="ENABLED",
            compute_resources={
                "type": args.capacity.value,
                "max_vcpus": args.max_vcpus,
                "subnets": list(args.subnet_ids),
                "security_group_ids": [args.group_id],
            },
            tags=scope.tags(args.display_name),
            opts=self.part_options(),
        )
        batch.JobQueue(
            self.part_name("queue"),
            name=self.name,
            priority=1,
            state="ENABLED",
            compute_environment_orders=[{"order": 1, "compute_environment": environment.arn}],
            tags=scope.tags(args.display_name),
            opts=self.part_options(),
        )
        self.register_outputs({"arn": self.arn})
