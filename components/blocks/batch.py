"""AWS Batch on Fargate: job definition with its roles and log group, and job queues. Workflows submit the jobs.

Batch starts a new attempt only if a Spot interruption ended the previous attempt. If the program itself fails, the
workflow that submitted the job decides what to do. The job definition contains the environment variables that are the
same for every job, and the workflow passes the others.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

import pulumi
from pulumi_aws import batch

from components.blocks.iam import Grant, Role, Service, grant
from components.core import Block, Kind, Scope

SPOT_INTERRUPTED_REASON = "Your Spot Task was interrupted*"
"""Status reason of an attempt that ended because AWS reclaimed its Spot capacity (ECS guide, "Fargate Spot termination
notices")."""
MIN_DISK_GIB = 21
"""Smallest configurable ephemeral storage in GiB. The default is 20 GiB, and Fargate refuses 20 as an explicit
value."""


class Capacity(StrEnum):
    """Capacity that jobs run on."""

    SPOT = "FARGATE_SPOT"
    """Fargate Spot, at about a third of the on-demand price. AWS may reclaim it with a warning of two minutes."""
    ON_DEMAND = "FARGATE"


class BatchJob(Block):
    """Job definition that workflows submit."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        repository: str,
        digest: str,
        vcpus: int,
        memory_mb: int,
        disk_gib: int,
        attempts: int,
        timeout_seconds: int,
        variables: Mapping[str, str],
        grants: Sequence[Grant],
    ) -> None:
        """Create the job definition.

        - `repository` is the name of the image's repository in ECR, and `digest` the digest of the image (`sha256:…`).
        - `attempts` is the maximum number of attempts, including the first. `timeout_seconds` is the time limit of one
          attempt.
        - `grants` are the permissions of the program in the container.
        """
        super().__init__("BatchJob", scope, short_name, display_name)
        context = scope.context
        self.name = scope.name(Kind.BATCH_JOB, short_name)
        self.arn = context.arn("batch", f"job-definition/{self.name}")
        log_group = f"/aws/batch/{self.name}"
        logs = self.create_log_group("logs", log_group)
        log_actions = ["CreateLogStream", "PutLogEvents"]
        pull_actions = ["BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"]
        start_grants = [
            grant("ecr", ["GetAuthorizationToken"], "*"),  # ECR has one token for all repositories
            grant("ecr", pull_actions, context.arn("ecr", f"repository/{repository}")),
            grant("logs", log_actions, context.arn("logs", f"log-group:{log_group}:*")),
        ]
        # `start` stands for the execution role, with which Fargate starts the container.
        start_role, job_role = (
            Role(
                self.scope,
                name,
                display_name=display_name,
                trust=Service.ECS_TASKS,
                grants=role_grants,
                source_arn=context.arn("ecs", "*"),
            )
            for name, role_grants in ((f"{short_name}-start", start_grants), (short_name, grants))
        )
        container = {
            "image": f"{context.account}.dkr.ecr.{context.region}.amazonaws.com/{repository}@{digest}",
            "executionRoleArn": start_role.arn,
            "jobRoleArn": job_role.arn,
            "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"},
            "fargatePlatformConfiguration": {"platformVersion": "1.4.0"},
            # In a public subnet with a public address, the task reaches the registry without a NAT gateway, which costs
            # money.
            "networkConfiguration": {"assignPublicIp": "ENABLED"},
            "resourceRequirements": [
                {"type": "VCPU", "value": str(vcpus)},
                {"type": "MEMORY", "value": str(memory_mb)},
            ],
            "ephemeralStorage": {"sizeInGiB": max(MIN_DISK_GIB, disk_gib)},
            "linuxParameters": {"initProcessEnabled": True},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": log_group,
                    "awslogs-region": context.region,
                    "awslogs-stream-prefix": "job",
                },
            },
            "environment": [{"name": name, "value": value} for name, value in sorted(variables.items())],
        }
        batch.JobDefinition(
            self.part_name("definition"),
            name=self.name,
            type="container",
            platform_capabilities=["FARGATE"],
            propagate_tags=True,
            retry_strategy={
                "attempts": attempts,
                "evaluate_on_exits": [
                    {"action": "RETRY", "on_status_reason": SPOT_INTERRUPTED_REASON},
                    # Without this rule, Batch would also retry all other failures.
                    {"action": "EXIT", "on_reason": "*"},
                ],
            },
            timeout={"attempt_duration_seconds": timeout_seconds},
            container_properties=json.dumps(container),
            tags=self.tags,
            opts=self.scope.options(logs, *start_role.parts, *job_role.parts),
        )
        self.register_outputs({"arn": self.arn})

    def grant_run(self, queue_arns: Sequence[str]) -> list[Grant]:
        """Return the grants for a workflow that submits the job to queues, polls it, and terminates it."""
        return [
            # For a job that is submitted by name, IAM checks the definition's ARN without revision (aws-sdk-js #4280).
            grant("batch", ["SubmitJob"], [self.arn, f"{self.arn}:*", *queue_arns]),
            grant("batch", ["DescribeJobs"], "*"),
            # Batch generates the job's id at submission.
            grant("batch", ["TerminateJob"], self.scope.context.arn("batch", "job/*")),
        ]


class BatchQueue(Block):
    """Job queue with its compute environment, on Spot or on-demand capacity.

    Each queue has one compute environment, because Batch does not move a waiting job to a second environment if Spot
    capacity is missing. Instead, the workflow submits the job to another queue.

    The provider generates the end of the environment's name. So a new environment can be created, and the queue moved to
    it, before the old environment is deleted, as Batch requires. The environment has no role, because Batch uses its
    service-linked role.
    """

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        capacity: Capacity,
        subnet_ids: Sequence[pulumi.Input[str]],
        group_id: pulumi.Input[str],
        max_vcpus: int,
    ) -> None:
        """Create the queue. `group_id` is the jobs' security group, and `max_vcpus` the total of all jobs that run at the
        same time.
        """
        super().__init__("BatchQueue", scope, short_name, display_name)
        self.name = scope.name(Kind.BATCH_QUEUE, short_name)
        self.arn = scope.context.arn("batch", f"job-queue/{self.name}")
        environment = batch.ComputeEnvironment(
            self.part_name("environment"),
            name_prefix=f"{scope.name(Kind.COMPUTE_ENVIRONMENT, short_name)}-",
            type="MANAGED",
            state="ENABLED",
            compute_resources={
                "type": capacity.value,
                "max_vcpus": max_vcpus,
                "subnets": list(subnet_ids),
                "security_group_ids": [group_id],
            },
            tags=self.tags,
            opts=self.scope.options(),
        )
        batch.JobQueue(
            self.part_name("queue"),
            name=self.name,
            priority=1,
            state="ENABLED",
            compute_environment_orders=[{"order": 1, "compute_environment": environment.arn}],
            tags=self.tags,
            opts=self.scope.options(),
        )
        self.register_outputs({"arn": self.arn})
