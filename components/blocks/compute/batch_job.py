"""AWS Batch job on Fargate: job definition, job role, execution role and log group. Workflows submit the job.

Batch starts a new attempt only if a Spot interruption ended the previous attempt. If the program itself fails, the
workflow that submitted the job decides what to do. The job definition contains the environment variables that are the
same for every job, and the workflow passes the others.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import batch

from components.blocks.block import Block
from components.blocks.compute.image_repository import ImageRepository
from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

SPOT_INTERRUPTED_REASON = "Your Spot Task was interrupted*"
"""Status reason of an attempt that ended because AWS reclaimed its Spot capacity (ECS guide, "Fargate Spot termination
notices")."""
MIN_DISK_GIB = 21
"""Smallest configurable ephemeral storage in GiB. The default is 20 GiB, and Fargate refuses 20 as an explicit
value."""


@dataclass(frozen=True)
class BatchJobArgs:
    scope: Scope
    display_name: str
    repository: ImageRepository
    digest: str | None
    """Digest of the image (`sha256:…`); None runs the tag `latest`."""
    vcpus: float
    memory_mb: int
    disk_gib: int
    attempts: int
    """Maximum number of attempts, including the first attempt."""
    timeout_seconds: int
    """Time limit of one attempt."""
    variables: Mapping[str, str] = field(default_factory=dict)
    grants: Sequence[Grant] = ()
    """Permissions of the program in the container."""


class BatchJob(Block):
    """Job definition that workflows submit."""

    def __init__(self, short_name: str, args: BatchJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("BatchJob", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.BATCH_JOB, short_name)
        self.arn = scope.context.arn("batch", f"job-definition/{self.name}")
        self.log_group = f"/aws/batch/{self.name}"
        logs = self.create_log_group("logs", self.log_group, args.display_name)
        log_grant = grant(
            "logs",
            ["CreateLogStream", "PutLogEvents"],
            scope.context.arn("logs", f"log-group:{self.log_group}:*"),
        )
        task_arn_pattern = scope.context.arn("ecs", "*")
        # `start` in these names stands for the execution role, with which Fargate starts the container.
        execution_role = Role(
            self.part_name("start"),
            RoleArgs(
                scope,
                f"{short_name}-start",
                args.display_name,
                Service.ECS_TASKS,
                [*args.repository.grant_pull(), log_grant],
                task_arn_pattern,
            ),
            self.part_options(),
        )
        job_role = Role(
            self.label,
            RoleArgs(scope, short_name, args.display_name, Service.ECS_TASKS, args.grants, task_arn_pattern),
            self.part_options(),
        )
        batch.JobDefinition(
            self.part_name("definition"),
            name=self.name,
            type="container",
            platform_capabilities=["FARGATE"],
            propagate_tags=True,
            retry_strategy={
                "attempts": args.attempts,
                "evaluate_on_exits": [
                    {"action": "RETRY", "on_status_reason": SPOT_INTERRUPTED_REASON},
                    # Without this rule, Batch would also retry all other failures.
                    {"action": "EXIT", "on_reason": "*"},
                ],
            },
            timeout={"attempt_duration_seconds": args.timeout_seconds},
            container_properties=self._container(args, execution_role.arn, job_role.arn),
            tags=scope.tags(args.display_name),
            opts=self.part_options(logs, *execution_role.parts, *job_role.parts),
        )
        self.register_outputs({"arn": self.arn})

    def grant_run(self, queue_arns: Sequence[str]) -> list[Grant]:
        """Return the grants for a workflow that submits the job to queues, waits for its result, and cancels it."""
        jobs = self.scope.context.arn("batch", "job/*")
        return [
            # For a job that is submitted by name, IAM checks the definition's ARN without revision (aws-sdk-js #4280).
            grant("batch", ["SubmitJob"], [self.arn, f"{self.arn}:*", *queue_arns]),
            grant("batch", ["DescribeJobs", "ListJobs"], "*"),
            # Batch generates the job's id at submission.
            grant("batch", ["CancelJob", "TerminateJob"], jobs),
        ]

    def _container(self, args: BatchJobArgs, execution_role: str, job_role: str) -> str:
        """Return the container properties as JSON.

        Fargate accepts only certain values of CPU and memory, written as `1`, not `1.0`.
        """
        context = self.scope.context
        return json.dumps(
            {
                "image": args.repository.image_uri(args.digest),
                "executionRoleArn": execution_role,
                "jobRoleArn": job_role,
                "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"},
                "fargatePlatformConfiguration": {"platformVersion": "1.4.0"},
                # In a public subnet with a public address, the task reaches the registry without a NAT gateway, which
                # costs money.
                "networkConfiguration": {"assignPublicIp": "ENABLED"},
                "resourceRequirements": [
                    {"type": "VCPU", "value": f"{args.vcpus:g}"},
                    {"type": "MEMORY", "value": str(args.memory_mb)},
                ],
                "ephemeralStorage": {"sizeInGiB": max(MIN_DISK_GIB, args.disk_gib)},
                "linuxParameters": {"initProcessEnabled": True},
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": self.log_group,
                        "awslogs-region": context.region,
                        "awslogs-stream-prefix": "job",
                    },
                },
                "environment": [{"name": name, "value": value} for name, value in sorted(args.variables.items())],
            },
            sort_keys=True,
        )
