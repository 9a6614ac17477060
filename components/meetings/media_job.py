"""The media job, the AWS Batch job that makes a recording's video and audio, on Fargate: job definition with its roles
and log group, queues and network. The workflow submits the job.

The image is in a repository that the bootstrap template creates (`bootstrap/roles.yaml`), because it must exist before the
stack's first deployment.
"""

import json
from collections.abc import Sequence

import pulumi
from pulumi_aws import batch, ecr

from components.blocks.bucket import Bucket
from components.blocks.iam import Grant, Role, Service, grant
from components.blocks.network import JobNetwork
from components.core import Block, Kind, Scope
from components.meetings import media_image
from components.settings import MeetingsSettings
from components.settings.meetings import ATTEMPTS, ProcessingEngine
from handlers.meetings.environment import MediaDeployment
from handlers.meetings.s3_keys import AUDIO, RAW, VIDEO, WORK

DISK_GIGABYTES = 40
"""Disk of a job: room for about twice the largest recording, and for the image."""
RESERVED_GIGABYTES = 5
"""Part of the disk that the image and the system need."""
SPOT_INTERRUPTED_REASON = "Your Spot Task was interrupted*"
"""Status reason of an attempt that ended because AWS reclaimed its Spot capacity (ECS guide, "Fargate Spot termination
notices")."""
SPOT, ON_DEMAND = "FARGATE_SPOT", "FARGATE"
"""Capacities that jobs run on. Fargate Spot costs about a third of the on-demand price, and AWS may reclaim it with a
warning of two minutes."""


class MediaJob(Block):
    """Job definition that the workflow submits, and the queues to which it is submitted.

    Batch starts a new attempt only if a Spot interruption ended the previous attempt. If the program itself fails, the
    workflow decides what to do. The job definition contains the environment variables that are the same for every job,
    and the workflow passes the others.
    """

    def __init__(self, scope: Scope, settings: MeetingsSettings, bucket: Bucket) -> None:
        super().__init__("BatchJob", scope, "media", "MediaJob")
        context, processing = scope.context, settings.processing
        network = JobNetwork(scope, "jobs", settings=settings.network)
        capacities = {"media-spot": SPOT, "media-on-demand": ON_DEMAND}
        if processing.engine is not ProcessingEngine.BATCH_SPOT:
            del capacities["media-spot"]
        self.queue_arns = [
            BatchQueue(scope, name, capacity=capacity, network=network, max_vcpus=processing.max_vcpus).arn
            for name, capacity in capacities.items()
        ]
        """ARNs of the queues in the order in which the workflow submits to them: Spot, if used, then on demand."""
        self.name = scope.name(Kind.BATCH_JOB, "media")
        self.arn = context.arn("batch", f"job-definition/{self.name}")
        repository = scope.name(Kind.IMAGE_REPOSITORY, "media-images")
        log_group = f"/aws/batch/{self.name}"
        logs = self.create_log_group("logs", log_group)
        pull_actions = ["BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"]
        start_grants = [
            grant("ecr", ["GetAuthorizationToken"], "*"),  # ECR has one token for all repositories
            grant("ecr", pull_actions, context.arn("ecr", f"repository/{repository}")),
            grant("logs", ["CreateLogStream", "PutLogEvents"], context.arn("logs", f"log-group:{log_group}:*")),
        ]
        grants = [
            bucket.grant("GetObject", keys=f"{RAW}*"),
            *(bucket.grant("PutObject", "AbortMultipartUpload", keys=f"{prefix}*") for prefix in (VIDEO, AUDIO)),
            bucket.grant("PutObject", keys=f"{WORK}*"),  # the job's result, which the function `steps` reads
            bucket.grant_list(),  # without it, S3 answers 403 and not 404 for a missing chunk
        ]
        # Fargate starts the container with `start_role`, and the program in it has `job_role`.
        start_role, job_role = (
            Role(
                self.scope,
                name,
                display_name=self.display_name,
                trust=Service.ECS_TASKS,
                grants=role_grants,
                source_arn=context.arn("ecs", "*"),
            )
            for name, role_grants in (("media-start", start_grants), ("media", grants))
        )
        digest = find_image(repository, media_image.get_tag())
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
                {"type": "VCPU", "value": str(processing.size.vcpus)},
                {"type": "MEMORY", "value": str(processing.size.memory_mb)},
            ],
            "ephemeralStorage": {"sizeInGiB": DISK_GIGABYTES},
            "linuxParameters": {"initProcessEnabled": True},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": log_group,
                    "awslogs-region": context.region,
                    "awslogs-stream-prefix": "job",
                },
            },
            "environment": _list_variables(scope, settings, bucket),
        }
        batch.JobDefinition(
            self.part_name("definition"),
            name=self.name,
            type="container",
            platform_capabilities=["FARGATE"],
            propagate_tags=True,
            retry_strategy={
                "attempts": ATTEMPTS,
                "evaluate_on_exits": [
                    {"action": "RETRY", "on_status_reason": SPOT_INTERRUPTED_REASON},
                    # Without this rule, Batch would also retry all other failures.
                    {"action": "EXIT", "on_reason": "*"},
                ],
            },
            timeout={"attempt_duration_seconds": processing.timeout_minutes * 60},
            container_properties=json.dumps(container),
            tags=self.tags,
            opts=self.scope.options(after=[logs, *start_role.role_and_policies, *job_role.role_and_policies]),
        )
        self.register_outputs({"arn": self.arn})

    def grant_run(self) -> list[Grant]:
        """Return the grants for a workflow that submits the job to the queues, polls it, and terminates it."""
        return [
            # For a job that is submitted by name, IAM checks the definition's ARN without revision (aws-sdk-js #4280).
            grant("batch", ["SubmitJob"], [self.arn, f"{self.arn}:*", *self.queue_arns]),
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

    def __init__(self, scope: Scope, short_name: str, *, capacity: str, network: JobNetwork, max_vcpus: int) -> None:
        """Create the queue. `max_vcpus` is the total of all jobs that run at the same time."""
        super().__init__("BatchQueue", scope, short_name, "MediaQueue")
        name = scope.name(Kind.BATCH_QUEUE, short_name)
        self.arn = scope.context.arn("batch", f"job-queue/{name}")
        environment = batch.ComputeEnvironment(
            self.part_name("environment"),
            name_prefix=f"{scope.name(Kind.COMPUTE_ENVIRONMENT, short_name)}-",
            type="MANAGED",
            state="ENABLED",
            compute_resources={
                "type": capacity,
                "max_vcpus": max_vcpus,
                "subnets": network.subnet_ids,
                "security_group_ids": [network.group_id],
            },
            tags=self.tags,
            opts=self.scope.options(),
        )
        batch.JobQueue(
            self.part_name("queue"),
            name=name,
            priority=1,
            state="ENABLED",
            compute_environment_orders=[{"order": 1, "compute_environment": environment.arn}],
            tags=self.tags,
            opts=self.scope.options(),
        )
        self.register_outputs({"arn": self.arn})


def find_image(repository: str, tag: str) -> str:
    """Return the digest of an image. Raise RunError with what to do if the repository has no such image."""
    try:
        return ecr.get_image(repository_name=repository, image_tag=tag).image_digest
    except Exception as error:  # the class with which Pulumi reports every failure of a provider function
        raise pulumi.RunError(
            f"the image {repository}:{tag} of meetings' media job could not be found. If it was not pushed yet, run the GitHub "
            f"workflow `image` for this stack and commit, or push it by hand (docs/deploying.md, section 4). The cause: {error}"
        ) from error


def _list_variables(scope: Scope, settings: MeetingsSettings, bucket: Bucket) -> Sequence[dict[str, str]]:
    deployment = MediaDeployment(
        log_level=scope.log_level.value,
        bucket_name=bucket.name,
        scratch_mb=(DISK_GIGABYTES - RESERVED_GIGABYTES) * 1000,
        max_hours=settings.processing.max_hours,
    )
    # These two variables have defaults that fit the image, so the job definition does not set them.
    image_defaults = {"SCRATCH_FOLDER", "FFMPEG"}
    variables = {name: value for name, value in deployment.variables().items() if name not in image_defaults}
    variables["POWERTOOLS_SERVICE_NAME"] = scope.subsystem.value
    return [{"name": name, "value": value} for name, value in sorted(variables.items())]
