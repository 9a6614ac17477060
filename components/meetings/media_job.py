"""Component of the media job, the AWS Batch job that makes a recording's video and audio: job definition, image
repository, queues and network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.blocks.compute.batch_job import BatchJob, BatchJobArgs
from components.blocks.compute.batch_queue import BatchQueue, BatchQueueArgs, Capacity
from components.blocks.compute.image_repository import ImageRepository, ImageRepositoryArgs
from components.blocks.iam.grant import Grant
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.meetings.job_network import JobNetwork, JobNetworkArgs
from components.settings import MeetingsSettings
from components.settings.meetings_media import ATTEMPTS, ProcessingEngine
from handlers.meetings.media_job.environment import MediaDeployment
from handlers.meetings.s3_keys import AUDIO, RAW, VIDEO, WORK

NO_IMAGE = f"sha256:{'0' * 64}"
"""Digest in a stack file before the first image was pushed."""
DISK_GIGABYTES = 40
"""Disk of a job: room for about twice the largest recording, and for the image."""
RESERVED_GIGABYTES = 5
"""Part of the disk that the image and the system need."""


@dataclass(frozen=True)
class MediaBatchJobArgs:
    scope: Scope
    settings: MeetingsSettings
    bucket: Bucket


class MediaBatchJob(pulumi.ComponentResource):
    """The media job and the queues to which it is submitted.

    The Pulumi type `polyphony:meetings:Media` must not change. It is part of the URNs of all resources in the
    component, so Pulumi would replace them.
    """

    def __init__(self, name: str, args: MediaBatchJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:meetings:Media", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        scope, processing = args.scope, args.settings.processing
        uses_spot = processing.engine is ProcessingEngine.BATCH_SPOT
        network = JobNetwork("jobs", JobNetworkArgs(scope, args.settings.network), self._child)

        def create_queue(short_name: str, capacity: Capacity) -> BatchQueue:
            return BatchQueue(
                short_name,
                BatchQueueArgs(
                    scope, "MediaQueue", capacity, network.subnet_ids, network.group_id, processing.max_vcpus
                ),
                self._child,
            )

        on_demand = create_queue("media-on-demand", Capacity.ON_DEMAND)
        self.queues: Sequence[BatchQueue] = (
            [create_queue("media-spot", Capacity.SPOT), on_demand] if uses_spot else [on_demand]
        )
        """Queues in the order in which the workflow submits to them (`media_job_states.py`): Spot, if used, then on
        demand."""
        size = processing.size
        digest = processing.image_digest
        if digest == NO_IMAGE:
            pulumi.log.warn(
                "image missing: meetings.processing.imageDigest has 64 zeros, so no recording can be processed. The first "
                "deployment creates the image's repository. Then push the image and set its digest (docs/deploying.md)."
            )
        repository = ImageRepository(
            "media-images", ImageRepositoryArgs(scope, "MediaImages", latest_mutable=digest is None), self._child
        )
        self.job = BatchJob(
            "media",
            BatchJobArgs(
                scope=scope,
                display_name="MediaJob",
                repository=repository,
                digest=digest,
                vcpus=size.vcpus,
                memory_mb=size.memory_mb,
                disk_gib=DISK_GIGABYTES,
                attempts=ATTEMPTS,
                timeout_seconds=processing.timeout_minutes * 60,
                variables=self._variables(args),
                grants=media_job_grants(args.bucket),
            ),
            self._child,
        )
        self.register_outputs({})

    def grant_run(self) -> list[Grant]:
        """Return the grants with which the workflow runs the job."""
        return self.job.grant_run([queue.arn for queue in self.queues])

    def _variables(self, args: MediaBatchJobArgs) -> dict[str, str]:
        deployment = MediaDeployment(
            log_level=args.scope.log_level.value,
            bucket_name=args.bucket.name,
            scratch_mb=(DISK_GIGABYTES - RESERVED_GIGABYTES) * 1000,
            max_hours=args.settings.processing.max_hours,
        )
        # These two variables have defaults that fit the image, so the job definition does not set them.
        image_defaults = {"SCRATCH_FOLDER", "FFMPEG"}
        variables = {name: value for name, value in deployment.variables().items() if name not in image_defaults}
        return {**variables, "POWERTOOLS_SERVICE_NAME": args.scope.subsystem.value}


def media_job_grants(bucket: Bucket) -> list[Grant]:
    """Return the job's grants: read uploads, read and write its output and its internal files, and list the bucket."""
    return [
        bucket.grant("GetObject", prefix=f"{RAW}*"),
        *(
            bucket.grant("GetObject", "PutObject", "AbortMultipartUpload", prefix=f"{prefix}*")
            for prefix in (VIDEO, AUDIO, WORK)
        ),
        bucket.grant_list(),
    ]
