"""Ingestion's intake: landing bucket → queue → manifest builder → file table."""

from dataclasses import dataclass

import pulumi

from components.blocks.bucket import Bucket, BucketArgs, Lifecycle, NotifyQueue, bucket_name
from components.blocks.charts import duration_chart, function_chart, queue_chart, table_chart
from components.blocks.dashboard import Chart, Dashboard, DashboardArgs
from components.blocks.function import Function, FunctionArgs, QueueSource
from components.blocks.queue import Queue, QueueArgs, Sender
from components.blocks.scope import Scope
from components.blocks.table import Table, TableArgs
from components.settings import IngestionSettings
from handlers.ingestion.environment import BuilderEnvironment

INCOMING = "incoming/"


@dataclass(frozen=True)
class IngestionArgs:
    """What ingestion needs."""

    scope: Scope
    settings: IngestionSettings


class Ingestion(pulumi.ComponentResource):
    """NDJSON files in, each tracked once."""

    def __init__(self, name: str, args: IngestionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:ingestion:Ingestion", name, None, opts)
        scope, settings = args.scope, args.settings
        child = pulumi.ResourceOptions(parent=self)
        self.files = Table(
            "files",
            TableArgs(
                scope=scope,
                logical_name="ManifestTable",
                hash_key="date_prefix",
                range_key="file_key",
                ttl_attribute="ttl",
            ),
            child,
        )
        self.intake = Queue(
            "intake",
            QueueArgs(
                scope=scope,
                logical_name="IntakeQueue",
                consumer_timeout_seconds=settings.builder.timeout_seconds,
                max_receive_count=settings.intake.max_receive_count,
                senders=[Sender("s3.amazonaws.com", scope.context.bucket_arn(bucket_name(scope, "landing")))],
            ),
            child,
        )
        self.landing = Bucket(
            "landing",
            BucketArgs(
                scope=scope,
                logical_name="LandingBucket",
                versioned=True,
                lifecycle=[
                    Lifecycle(
                        "expire-files",
                        expire_days=settings.intake.landing_days,
                        old_version_days=settings.intake.old_version_days,
                    )
                ],
                notify=[NotifyQueue(self.intake, prefix=INCOMING)],
            ),
            child,
        )
        self.builder = Function(
            "manifest-builder",
            FunctionArgs(
                scope=scope,
                logical_name="ManifestBuilder",
                entry="handlers.ingestion.manifest_builder.handler",
                settings=settings.builder,
                environment=BuilderEnvironment,
                values={
                    "manifest_table_name": self.files.name,
                    "record_days": settings.intake.table_record_days,
                },
                grants=[self.files.grant("PutItem")],
                queues=[
                    QueueSource(
                        self.intake,
                        batch_size=settings.intake.batch_size,
                        window_seconds=settings.intake.batch_window_seconds,
                        max_concurrency=settings.intake.max_concurrency,
                    )
                ],
            ),
            child,
        )
        Dashboard("overview", DashboardArgs(scope, self._charts()), child)
        self.frontend: dict[str, pulumi.Input[str]] = {"bucket": self.landing.name, "prefix": INCOMING}
        self.register_outputs({"landingBucket": self.landing.name, "fileTable": self.files.name})

    def _charts(self) -> list[list[Chart]]:
        return [
            [function_chart(self.builder), duration_chart(self.builder)],
            [queue_chart(self.intake), table_chart(self.files)],
        ]
