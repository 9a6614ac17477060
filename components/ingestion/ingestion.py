"""Component of ingestion: landing bucket → queue → manifest builder → file table → workflow → Spark → lake.

The manifest builder records new files in the file table and collects them in manifests, which are the lists of files
for one run of Spark. A workflow runs Spark for each manifest. The sweeper, a scheduled function, creates the manifests
that are overdue, and repairs what the builder and the workflow left unfinished.

docs/decisions/0030 describes the protocol between the functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.compute.function import AsyncInvocation, Function, FunctionArgs, NetworkAttachment, QueueSource
from components.blocks.compute.schedule import Schedule, ScheduleArgs
from components.blocks.iam.grant import Grant
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs, Queue, QueueArgs, Sender
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket, BucketArgs, CorsRule, LifecycleRule, QueueNotification
from components.blocks.storage.table import SecondaryIndex, Table, TableArgs
from components.blocks.workflow.workflow import Workflow, WorkflowArgs
from components.foundation.network import Network
from components.ingestion import manifest_workflow_states
from components.ingestion.alarms import register_alarms
from components.ingestion.lake import MANIFESTS, Lake, LakeArgs
from components.ingestion.spark_job import SparkJob, SparkJobArgs
from components.ingestion.usage_estimate import OLD_VERSION_DAYS
from components.settings import IngestionSettings
from handlers.ingestion.environment_bases import ALLOWED_SUFFIXES
from handlers.ingestion.manifest_builder.environment import BuilderEnvironment
from handlers.ingestion.sweeper.environment import SweeperEnvironment
from handlers.ingestion.workflow_steps.environment import WorkflowStepsEnvironment

INCOMING = "incoming/"
"""Prefix of the files in the landing bucket."""
OPEN_INDEX = "open"
"""Name of the index of the files that wait for a run, and of the manifests that are running."""
GIGABYTE = 1024**3
"""Bytes of a gigabyte in the size limits of files and manifests, which count in powers of two."""
ENDPOINT_REASONS = {
    "glue": "the Spark job reads its Glue connection",
    "logs": "the Spark job writes its logs",
    "monitoring": "the Spark job writes its metrics",
    "sqs": "the requirements ask for it if the builder is in the network",
    "states": "the builder starts workflows",
}
"""Services that need an endpoint in the network of the builder and the Spark job, in addition to S3 and DynamoDB: name
of the service → reason, which becomes a tag of the endpoint. The builder itself does not call SQS, because Lambda
receives its messages outside of the network."""
KEY_SERVICE = {"kms": "the Spark job uses its customer key"}
"""Service that the Spark job calls only if it has a customer key (setting `spark.encryptionKeyArn`)."""


def list_endpoint_services(settings: IngestionSettings) -> Mapping[str, str]:
    """Return the services that need an endpoint in the network, with the reason."""
    return ENDPOINT_REASONS | (KEY_SERVICE if settings.spark.encryption_key_arn else {})


@dataclass(frozen=True)
class IngestionArgs:
    scope: Scope
    settings: IngestionSettings
    network: Network | None = None
    """Network for the builder and the Spark job, used only if the settings attach them."""


class Ingestion(pulumi.ComponentResource):
    """Storage, Spark job, workflow, functions and alarms of ingestion."""

    def __init__(self, name: str, args: IngestionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:ingestion:Ingestion", name, None, opts)
        self._scope, self._settings = args.scope, args.settings
        self._network = args.network if args.settings.network_attached else None
        self._child = pulumi.ResourceOptions(parent=self)
        self._create_storage()
        self.job = SparkJob(
            "ingestion-spark",
            SparkJobArgs(args.scope, args.settings.spark, self.lake, self.landing, INCOMING, self._network),
            self._child,
        )
        self._create_workflow()
        self._create_builder()
        self._create_sweeper()
        register_alarms(args.scope, args.settings, self.intake, self.builder, self.sweeper, self._child)
        intake = args.settings.intake
        self.frontend: dict[str, pulumi.Input[object]] = {
            "bucket": self.landing.name,
            "prefix": INCOMING,
            "table": self.files.name,
            "suffixes": ALLOWED_SUFFIXES.split(","),
            "max_file_bytes": int(intake.max_file_gigabytes * GIGABYTE),
            "flush_minutes": args.settings.manifests.flush_minutes,
        }
        self.register_outputs({"landingBucket": self.landing.name, "fileTable": self.files.name})

    def _create_storage(self) -> None:
        scope, settings, intake = self._scope, self._settings, self._settings.intake
        # The requirements name the file table `ManifestTable`. It has a record for each file and for each manifest.
        self.files = Table(
            "files",
            TableArgs(
                scope=scope,
                display_name="ManifestTable",
                hash_key="date_prefix",
                range_key="file_key",
                # Sparse index: a file has these keys while it waits for a manifest or is claimed (reserved) for one,
                # and a manifest has them while it runs.
                indexes=[
                    SecondaryIndex(
                        OPEN_INDEX, "open_shard", "open_since", projected_attributes=["manifest_id", "execution_arn"]
                    )
                ],
                ttl_attribute="ttl",
            ),
            self._child,
        )
        self.intake = Queue(
            "intake",
            QueueArgs(
                scope=scope,
                display_name="IntakeQueue",
                consumer_timeout_seconds=settings.builder.timeout_seconds,
                batching_window_seconds=settings.intake.batch_window_seconds,
                senders=[Sender("s3.amazonaws.com", scope.context.bucket_arn(scope.name(Kind.BUCKET, "landing")))],
            ),
            self._child,
        )
        self.landing = Bucket(
            "landing",
            BucketArgs(
                scope=scope,
                display_name="LandingBucket",
                versioned=True,
                upload_prefix=INCOMING,
                # The version is part of a file's key in the file table, so the page that uploads a file must read it.
                cors=CorsRule([intake.cors_origin], ("PUT",), exposed_headers=["x-amz-version-id"])
                if intake.cors_origin
                else None,
                lifecycle=[
                    LifecycleRule(
                        "expire-files",
                        expire_days=settings.intake.landing_days,
                        old_version_days=OLD_VERSION_DAYS,
                    )
                ],
                notify=[QueueNotification(self.intake, prefix=INCOMING)],
            ),
            self._child,
        )
        self.lake = Lake("ingestion-store", LakeArgs(scope, settings), self._child)

    def _create_workflow(self) -> None:
        """Create the function behind the workflow's steps, and the workflow."""
        scope, settings = self._scope, self._settings
        lake = self.lake.bucket
        self.steps = Function(
            "steps",
            FunctionArgs(
                scope=scope,
                display_name="WorkflowSteps",
                entry="handlers.ingestion.workflow_steps.handler.handler",
                settings=settings.steps,
                environment=WorkflowStepsEnvironment,
                environment_key_arn=settings.environment_key_arn,
                values={
                    "manifest_table_name": self.files.name,
                    "record_days": settings.intake.table_record_days,
                    "lake_bucket": lake.name,
                },
                grants=[
                    self.files.grant("GetItem", "UpdateItem"),
                    lake.grant("GetObject", "PutObject", prefix=f"{MANIFESTS}/*"),
                    lake.grant_list(),
                ],
            ),
            self._child,
        )
        self.workflow = Workflow(
            "workflow",
            WorkflowArgs(
                scope=scope,
                display_name="ManifestWorkflow",
                comment="One manifest: confirm its files, run Spark, record the results",
                start=manifest_workflow_states.FIRST_STATE,
                states=manifest_workflow_states.build_states(self.steps, self.job, settings.spark),
                grants=[self.steps.grant_invoke(), self.job.grant_run()],
                timeout_seconds=manifest_workflow_states.timeout_seconds(settings.spark),
            ),
            self._child,
        )

    def _create_builder(self) -> None:
        scope, settings = self._scope, self._settings
        self.builder = Function(
            "manifest-builder",
            FunctionArgs(
                scope=scope,
                display_name="ManifestBuilder",
                entry="handlers.ingestion.manifest_builder.handler.handler",
                settings=settings.builder,
                environment=BuilderEnvironment,
                environment_key_arn=settings.environment_key_arn,
                values={
                    **self._manifest_creation_variables(),
                    "max_file_bytes": int(settings.intake.max_file_gigabytes * GIGABYTE),
                    "flush_at_once": settings.manifests.flush_minutes == 0,
                },
                grants=[*self._manifest_creation_grants(), self.files.grant("PutItem", "ConditionCheckItem")],
                attachment=(
                    NetworkAttachment(self._network.subnet_ids, [self._network.functions.id]) if self._network else None
                ),
                queues=[
                    QueueSource(
                        self.intake,
                        batch_size=settings.intake.batch_size,
                        max_concurrency=settings.intake.max_concurrency,
                    )
                ],
            ),
            self._child,
        )

    def _create_sweeper(self) -> None:
        scope, settings = self._scope, self._settings
        manifests = settings.manifests
        failed = DeadLetterQueue("sweeper-failed", DeadLetterQueueArgs(scope, "SweeperFailed"), self._child)
        self.sweeper = Function(
            "sweeper",
            FunctionArgs(
                scope=scope,
                display_name="Sweeper",
                entry="handlers.ingestion.sweeper.handler.handler",
                settings=settings.sweeper,
                environment=SweeperEnvironment,
                environment_key_arn=settings.environment_key_arn,
                values={
                    **self._manifest_creation_variables(),
                    "flush_seconds": manifests.flush_minutes * 60,
                },
                grants=[*self._manifest_creation_grants(), *self._sweeper_grants()],
                asynchronous=AsyncInvocation(failed),
            ),
            self._child,
        )
        expression = f"rate({manifests.sweep_minutes} minute{'s' if manifests.sweep_minutes > 1 else ''})"
        Schedule("sweep", ScheduleArgs(scope, "Sweep", expression, self.sweeper, {"kind": "sweep"}), self._child)

    def _manifest_creation_variables(self) -> dict[str, object]:
        """Return the environment variables of the functions that create manifests."""
        settings, scope = self._settings, self._scope
        return {
            "manifest_table_name": self.files.name,
            "record_days": settings.intake.table_record_days,
            "lake_bucket": self.lake.bucket.name,
            "state_machine_arn": scope.context.arn(
                "states", f"stateMachine:{scope.name(Kind.STATE_MACHINE, 'workflow')}"
            ),
            "files_per_manifest": settings.manifests.files,
            "manifest_bytes": int(settings.manifests.gigabytes * GIGABYTE),
        }

    def _manifest_creation_grants(self) -> list[Grant]:
        """Return the permissions of the functions that create manifests."""
        return [
            self.files.grant("UpdateItem"),
            self.files.grant("Query", index=OPEN_INDEX),
            self.lake.bucket.grant("PutObject", prefix=f"{MANIFESTS}/*"),
            self.workflow.grant_start(),
        ]

    def _sweeper_grants(self) -> list[Grant]:
        """Return the permissions of the sweeper for repairs."""
        return [
            self.files.grant("GetItem"),
            self.lake.bucket.grant("GetObject", prefix=f"{MANIFESTS}/*"),
            self.lake.bucket.grant_list(),
            self.workflow.grant_describe(),
        ]
