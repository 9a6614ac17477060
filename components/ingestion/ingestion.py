"""Component of ingestion: landing bucket → queue → manifest builder → file table → workflow → Spark → lake.

The manifest builder records new files in the file table and collects them in manifests, which are the lists of files
for one run of Spark. A workflow runs Spark for each manifest. The sweeper, a scheduled function, creates the manifests
that are overdue, and repairs what the builder and the workflow left unfinished.

A function gets its environment variables from two arguments. A grant in `uses` that names a `variable` sets this field of
the function's environment model to the name, URL or ARN of its resource. `values` has the values of the other fields.

`Platform` creates this component. docs/decisions/0030 describes the protocol between the functions.
"""

import pulumi

from components.blocks.bucket import Bucket, QueueNotification, cors_rule, lifecycle_rule
from components.blocks.events import create_failed_events_queue
from components.blocks.function import AsyncInvocation, Function, QueueSource
from components.blocks.iam import Grant
from components.blocks.network import PrivateNetwork
from components.blocks.queue import DeadLetterQueue, Queue, Sender
from components.blocks.schedule import Schedule
from components.blocks.table import SecondaryIndex, Table
from components.blocks.workflow import Workflow
from components.core import Kind, SubsystemArgs
from components.ingestion import workflow
from components.ingestion.alarms import create_alarms
from components.ingestion.cost import OLD_VERSION_DAYS
from components.ingestion.lake import MANIFESTS, create_catalog, create_lake_bucket
from components.ingestion.spark_job import SparkJob
from components.settings import IngestionSettings
from handlers.ingestion.environment import (
    ALLOWED_SUFFIXES,
    BuilderEnvironment,
    SweeperEnvironment,
    WorkflowStepsEnvironment,
)

INCOMING = "incoming/"
"""Prefix of the files in the landing bucket."""
OPEN_INDEX = "open"
"""Name of the index of the files that wait for a run, and of the manifests that are running."""
LISTED_ATTRIBUTES = ["bucket", "object_key", "version_id", "size", "arrived_at"]
"""Attributes of a file that the list of a manifest contains, so the index must have them."""
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


class Ingestion(pulumi.ComponentResource):
    """Storage, Spark job, workflow, functions and alarms of ingestion."""

    def __init__(
        self, name: str, args: SubsystemArgs[IngestionSettings], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("polyphony:ingestion:Ingestion", name, None, opts)
        self._scope, self._settings = args.scope.within(self), args.settings
        scope, settings = self._scope, args.settings
        self._create_storage()
        network = self._create_network()
        failed_events = create_failed_events_queue(scope)
        self.job = SparkJob(
            scope,
            settings=settings.spark,
            lake=self.lake,
            landing=self.landing,
            incoming=INCOMING,
            network=network,
            failed_events=failed_events,
        )
        self._create_workflow()
        self._create_builder(network)
        self._create_sweeper(failed_events)
        create_alarms(scope, settings, self.intake, self.builder, self.sweeper)
        self.frontend: dict[str, pulumi.Input[object]] = {
            "bucket": self.landing.name,
            "prefix": INCOMING,
            "table": self.files.name,
            "suffixes": list(ALLOWED_SUFFIXES),
            "max_file_bytes": int(settings.intake.max_file_gigabytes * GIGABYTE),
            "flush_minutes": settings.manifests.flush_minutes,
        }
        self.register_outputs({"landingBucket": self.landing.name, "fileTable": self.files.name})

    def _create_storage(self) -> None:
        scope, settings, intake = self._scope, self._settings, self._settings.intake
        projected = [*LISTED_ATTRIBUTES, "execution_arn"]
        # The requirements name the file table `ManifestTable`. It has a record for each file and for each manifest.
        self.files = Table(
            scope,
            "files",
            display_name="ManifestTable",
            hash_key="date_prefix",
            range_key="file_key",
            # Sparse index: a file has these keys while it waits for a manifest, and a manifest while it runs.
            indexes=[SecondaryIndex(OPEN_INDEX, "open_shard", "open_since", projected_attributes=projected)],
            ttl_attribute="ttl",
        )
        self.intake = Queue(
            scope,
            "intake",
            display_name="IntakeQueue",
            consumer_timeout=settings.manifest_builder.timeout_seconds,
            batching_window=intake.batch_window_seconds,
            senders=[Sender("s3.amazonaws.com", scope.context.bucket_arn(scope.name(Kind.BUCKET, "landing")))],
        )
        # The version is part of a file's key in the file table, so the page that uploads a file must read it.
        cors = cors_rule([intake.cors_origin], ("PUT",), ["x-amz-version-id"]) if intake.cors_origin else None
        expiry = lifecycle_rule("expire-files", expire_days=intake.landing_days, old_version_days=OLD_VERSION_DAYS)
        self.landing = Bucket(
            scope,
            "landing",
            display_name="LandingBucket",
            versioned=True,
            upload_prefix=INCOMING,
            cors=cors,
            lifecycle=[expiry],
            notify=QueueNotification(self.intake, prefix=INCOMING),
        )
        self.lake = create_lake_bucket(scope)
        create_catalog(scope, settings, self.lake)

    def _create_network(self) -> PrivateNetwork | None:
        """Create the network of the builder and the Spark job, if the settings attach them."""
        if not self._settings.network_attached:
            return None
        services = ENDPOINT_REASONS | (KEY_SERVICE if self._settings.spark.encryption_key_arn else {})
        return PrivateNetwork(self._scope, "network", settings=self._scope.foundation.network, services=services)

    def _create_workflow(self) -> None:
        """Create the function behind the workflow's steps, and the workflow."""
        scope, settings = self._scope, self._settings
        self.steps = Function(
            scope,
            "steps",
            settings=settings.steps,
            environment=WorkflowStepsEnvironment,
            environment_key_arn=settings.environment_key_arn,
            uses=[
                self.files.grant("GetItem", "UpdateItem", variable="manifest_table_name"),
                self.lake.grant("GetObject", "PutObject", keys=f"{MANIFESTS}/*", variable="lake_bucket"),
                self.lake.grant_list(),  # S3 then answers 404 and not 403 for a missing object
            ],
            values={"record_days": settings.intake.table_record_days},
        )
        self.workflow = Workflow(
            scope,
            "workflow",
            display_name="ManifestWorkflow",
            comment="One manifest: confirm its files, run Spark, record the results",
            start=workflow.FIRST_STATE,
            states=workflow.build_states(self.steps, self.job, settings),
            grants=[self.steps.grant_invoke(), self.job.grant_run()],
            timeout_seconds=workflow.timeout_seconds(settings.spark),
        )

    def _create_builder(self, network: PrivateNetwork | None) -> None:
        settings, intake = self._settings, self._settings.intake
        self.builder = Function(
            self._scope,
            "manifest-builder",
            settings=settings.manifest_builder,
            environment=BuilderEnvironment,
            environment_key_arn=settings.environment_key_arn,
            uses=[*self._manifest_creation_grants(), self.files.grant("PutItem")],
            values={
                **self._manifest_creation_values(),
                "max_file_bytes": int(intake.max_file_gigabytes * GIGABYTE),
                "flush_at_once": settings.manifests.flush_minutes == 0,
            },
            attachment=network.attachment if network else None,
            source=QueueSource(self.intake, intake.batch_size, intake.max_concurrency),
        )

    def _create_sweeper(self, failed_events: DeadLetterQueue) -> None:
        scope, settings = self._scope, self._settings
        manifests = settings.manifests
        self.sweeper = Function(
            scope,
            "sweeper",
            settings=settings.sweeper,
            environment=SweeperEnvironment,
            environment_key_arn=settings.environment_key_arn,
            uses=[
                *self._manifest_creation_grants(),
                self.files.grant("GetItem"),
                self.lake.grant("GetObject", keys=f"{MANIFESTS}/*"),
                self.lake.grant_list(),  # S3 then answers 404 and not 403 for a missing object
                self.workflow.grant_describe(),
            ],
            values={**self._manifest_creation_values(), "flush_seconds": manifests.flush_minutes * 60},
            asynchronous=AsyncInvocation(failed_events),
        )
        Schedule(
            scope,
            "sweep",
            display_name="Sweep",
            expression=f"rate({manifests.sweep_minutes} minute{'s' if manifests.sweep_minutes > 1 else ''})",
            target=self.sweeper,
            failed_events=failed_events,
            event={"kind": "sweep"},
        )

    def _manifest_creation_grants(self) -> list[Grant]:
        """Return the grants of the functions that create manifests."""
        return [
            self.files.grant("UpdateItem", variable="manifest_table_name"),
            self.files.grant("Query", index=OPEN_INDEX),
            self.lake.grant("PutObject", keys=f"{MANIFESTS}/*", variable="lake_bucket"),
            self.workflow.grant_start(variable="state_machine_arn"),
        ]

    def _manifest_creation_values(self) -> dict[str, object]:
        """Return the values of further fields of the environment models of these functions."""
        manifests = self._settings.manifests
        return {
            "record_days": self._settings.intake.table_record_days,
            "files_per_manifest": manifests.files,
            "manifest_bytes": int(manifests.gigabytes * GIGABYTE),
        }
