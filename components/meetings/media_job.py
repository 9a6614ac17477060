"""The media job, the AWS Batch job that makes a recording's video and audio: job definition, queues and network.

The image is in a repository that the bootstrap template creates (`bootstrap/roles.yaml`), because it must exist before the
stack's first deployment.
"""

from collections.abc import Sequence

import pulumi
from pulumi_aws import ecr

from components.blocks.batch import BatchJob, BatchQueue, Capacity
from components.blocks.bucket import Bucket
from components.blocks.iam import Grant
from components.blocks.network import JobNetwork
from components.core import Kind, Scope
from components.meetings import media_image
from components.settings import MeetingsSettings
from components.settings.meetings import ATTEMPTS, ProcessingEngine
from handlers.meetings.environment import MediaDeployment
from handlers.meetings.s3_keys import AUDIO, RAW, VIDEO, WORK

DISK_GIGABYTES = 40
"""Disk of a job: room for about twice the largest recording, and for the image."""
RESERVED_GIGABYTES = 5
"""Part of the disk that the image and the system need."""


class MediaJob:
    """The media job and the queues to which it is submitted."""

    def __init__(self, scope: Scope, settings: MeetingsSettings, bucket: Bucket) -> None:
        processing = settings.processing
        network = JobNetwork(scope, "jobs", settings=settings.network)
        capacities = {"media-spot": Capacity.SPOT, "media-on-demand": Capacity.ON_DEMAND}
        if processing.engine is not ProcessingEngine.BATCH_SPOT:
            del capacities["media-spot"]
        self.queues: Sequence[BatchQueue] = [
            BatchQueue(
                scope,
                name,
                display_name="MediaQueue",
                capacity=capacity,
                subnet_ids=network.subnet_ids,
                group_id=network.group_id,
                max_vcpus=processing.max_vcpus,
            )
            for name, capacity in capacities.items()
        ]
        """Queues in the order in which the workflow submits to them: Spot, if used, then on demand."""
        repository = scope.name(Kind.IMAGE_REPOSITORY, "media-images")
        self.job = BatchJob(
            scope,
            "media",
            display_name="MediaJob",
            repository=repository,
            digest=find_image(repository, media_image.get_tag()),
            vcpus=processing.size.vcpus,
            memory_mb=processing.size.memory_mb,
            disk_gib=DISK_GIGABYTES,
            attempts=ATTEMPTS,
            timeout_seconds=processing.timeout_minutes * 60,
            variables=_variables(scope, settings, bucket),
            grants=[
                bucket.grant("GetObject", prefix=f"{RAW}*"),
                *(bucket.grant("PutObject", "AbortMultipartUpload", prefix=f"{prefix}*") for prefix in (VIDEO, AUDIO)),
                bucket.grant("PutObject", prefix=f"{WORK}*"),
                bucket.grant_list(),  # without it, S3 answers 403 and not 404 for a missing chunk
            ],
        )

    def grant_run(self) -> list[Grant]:
        """Return the grants with which the workflow runs the job."""
        return self.job.grant_run([queue.arn for queue in self.queues])


def find_image(repository: str, tag: str) -> str:
    """Return the digest of an image. Raise RunError with what to do if the repository has no such image."""
    try:
        return ecr.get_image(repository_name=repository, image_tag=tag).image_digest
    except Exception as error:  # the class with which Pulumi reports every failure of a provider function
        raise pulumi.RunError(
            f"the image {repository}:{tag} of meetings' media job could not be found. If it was not pushed yet, run the GitHub "
            f"workflow `image` for this stack and commit, or push it by hand (docs/deploying.md, section 4). The cause: {error}"
        ) from error


def _variables(scope: Scope, settings: MeetingsSettings, bucket: Bucket) -> dict[str, str]:
    deployment = MediaDeployment(
        log_level=scope.log_level.value,
        bucket_name=bucket.name,
        scratch_mb=(DISK_GIGABYTES - RESERVED_GIGABYTES) * 1000,
        max_hours=settings.processing.max_hours,
    )
    # These two variables have defaults that fit the image, so the job definition does not set them.
    image_defaults = {"SCRATCH_FOLDER", "FFMPEG"}
    variables = {name: value for name, value in deployment.variables().items() if name not in image_defaults}
    return {**variables, "POWERTOOLS_SERVICE_NAME": scope.subsystem.value}
