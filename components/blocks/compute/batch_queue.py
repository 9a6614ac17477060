"""A queue of AWS Batch on Fargate, with the compute environment behind it: on spare capacity, or on demand.

One environment a queue: of two, Batch would only use the second once the first is full, and Fargate's never is. Who
wants a job to go on elsewhere submits it to another queue.

The environment's name ends in letters of AWS' own: a new one is made, and the queue moved to it, before the old one
goes, which Batch demands. Its service role is the one that is linked to Batch in every account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_aws import batch

from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block, Scope


class Capacity(StrEnum):
    """What machines a job runs on."""

    SPOT = "FARGATE_SPOT"
    """Spare ones, for a third of the price; AWS may take one back, two minutes after it said so."""
    ON_DEMAND = "FARGATE"


@dataclass(frozen=True)
class BatchQueueArgs:
    """One queue."""

    scope: Scope
    logical_name: str
    capacity: Capacity
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    max_vcpus: int
    """Processors of all jobs at once."""


class BatchQueue(Block):
    """A queue, and the machines that it is served by."""

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
            tags=scope.tags(args.logical_name),
            opts=self.part_options(),
        )
        batch.JobQueue(
            self.part_name("queue"),
            name=self.name,
            priority=1,
            state="ENABLED",
            compute_environment_orders=[{"order": 1, "compute_environment": environment.arn}],
            tags=scope.tags(args.logical_name),
            opts=self.part_options(),
        )
        self.register_outputs({"arn": self.arn})
