"""Component of the meetings backend: a workflow makes a video, a transcript and a summary of each uploaded recording.

The user reads the results directly from the bucket and the table. This module creates both, the queue of upload events,
the workflow, the functions that the queue and the workflow call, and the daily measurement of storage. `Platform` creates
this component. docs/decisions/0060 describes how a meeting is identified.

A function gets its environment variables from two arguments. A grant in `uses` that names a `variable` sets this field of
the function's environment model to the name, URL or ARN of its resource. `values` has the values of the other fields.
"""

import pulumi

from components.blocks.bedrock import model_grants
from components.blocks.bucket import Bucket, cors_rule, lifecycle_rule
from components.blocks.events import EventRule, create_failed_events_queue, object_created_pattern, rule_sender
from components.blocks.function import AsyncInvocation, Function, QueueSource
from components.blocks.iam import Grant, grant, grant_metrics
from components.blocks.queue import Queue
from components.blocks.schedule import Schedule
from components.blocks.table import SecondaryIndex, Table
from components.blocks.workflow import Workflow
from components.core import SubsystemArgs
from components.meetings import workflow
from components.meetings.alarms import create_alarms
from components.meetings.client_access import create_client_access
from components.meetings.media_job import MediaJob
from components.settings import MeetingsSettings
from handlers.meetings.auth_exchange.api import OPERATIONS
from handlers.meetings.environment import (
    CREDENTIAL_SECONDS,
    MeetingCleanupEnvironment,
    StartEnvironment,
    StepsEnvironment,
    StorageEnvironment,
    SummaryEnvironment,
)
from handlers.meetings.metrics import NAMESPACE
from handlers.meetings.record import INDEX, INDEX_SORT, PARTITION, SORT, TTL
from handlers.meetings.s3_keys import ALL_PREFIXES, AUDIO, COMPLETE_FILE_NAME, RAW, SUMMARIES, TRANSCRIPTS, VIDEO, WORK

RULE = "recording-uploaded"
"""Short name of the event rule for uploads."""
MAX_BUSY_FAILURES = 20
"""Number of calls of the summary function that may fail in five minutes, usually because a model is busy."""


class Meetings(pulumi.ComponentResource):
    """Bucket, table, workflow and functions of the meetings backend."""

    def __init__(
        self, name: str, args: SubsystemArgs[MeetingsSettings], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("polyphony:meetings:Meetings", name, None, opts)
        self._scope, self._settings = args.scope.within(self), args.settings
        scope, settings = self._scope, args.settings
        self.failed_events = create_failed_events_queue(scope)
        self._create_storage()
        cleanup_seconds = settings.meeting_cleanup.timeout_seconds
        self.deletions = Queue(scope, "deletions", display_name="MeetingDeletions", consumer_timeout=cleanup_seconds)
        api = create_client_access(scope, settings, self.bucket, self.table, self.deletions)
        self._create_workflow(MediaJob(scope, settings, self.bucket))
        self._create_start()
        self._create_meeting_cleanup()
        self._create_storage_count()
        create_alarms(scope, settings, self.uploads, self.workflow, self.steps, self.summarize)
        self.frontend: dict[str, pulumi.Input[object]] = {
            "api_url": api.url,
            "bucket": self.bucket.name,
            "table": self.table.name,
            "index": INDEX,
            "credential_seconds": CREDENTIAL_SECONDS,
            "raw_days": settings.kept.raw_days,
            "routes": [operation.route for operation in OPERATIONS],
        }
        self.register_outputs({"apiUrl": api.url})

    def _create_storage(self) -> None:
        settings, kept = self._settings, self._settings.kept
        self.table = Table(
            self._scope,
            "meetings",
            display_name="Meetings",
            hash_key=PARTITION,
            range_key=SORT,
            indexes=[SecondaryIndex(INDEX, PARTITION, INDEX_SORT)],
            ttl_attribute=TTL,
            kms_key_arn=settings.table_kms_key,
            daily_backup=True,
        )
        old_days = kept.old_version_days
        # WORK has intermediate objects: the result of the media job, and the transcripts of the parts.
        expiring = ((RAW, kept.raw_days), (AUDIO, kept.audio_days), (WORK, kept.raw_days))
        self.bucket = Bucket(
            self._scope,
            "recordings",
            display_name="Recordings",
            versioned=True,
            upload_prefix=RAW,
            cors=cors_rule([settings.exchange.cors_origin], methods=("GET", "PUT", "HEAD"), exposed_headers=["ETag"]),
            lifecycle=[
                *(lifecycle_rule(f"expire-{prefix.rstrip('/')}", prefix, days, old_days) for prefix, days in expiring),
                lifecycle_rule("tier-video", VIDEO, old_version_days=old_days, intelligent_tiering_days=0),
                *(
                    lifecycle_rule(f"old-{prefix.rstrip('/')}", prefix, old_version_days=old_days)
                    for prefix in (TRANSCRIPTS, SUMMARIES)
                ),
            ],
            event_bridge=True,
        )

    def _create_workflow(self, media: MediaJob) -> None:
        """Create the workflow and the functions behind its steps."""
        scope, settings = self._scope, self._settings
        self.steps = Function(
            scope,
            "steps",
            settings=settings.steps,
            environment=StepsEnvironment,
            uses=[
                self.table.grant("GetItem", "PutItem", variable="table_name"),
                self.bucket.grant("GetObject", keys=f"{WORK}*", variable="bucket_name"),
                self.bucket.grant_list(),  # S3 then answers 404 and not 403 for a missing object
                grant_metrics(NAMESPACE),
            ],
            values={"stack": scope.context.stack_label},
        )
        self.summarize = self._create_summarize_function()
        self.workflow = Workflow(
            scope,
            "workflow",
            display_name="MeetingWorkflow",
            comment="Processes one recording: video, transcript, summary, and the status of the meeting",
            start=workflow.FIRST_STATE,
            states=workflow.build_states(media, self.steps, self.summarize, self.bucket.name, settings),
            grants=[
                self.steps.grant_invoke(),
                self.summarize.grant_invoke(),
                *media.grant_run(),
                *self._transcription_grants(),
            ],
            timeout_seconds=workflow.TIMEOUT_SECONDS,
        )

    def _transcription_grants(self) -> list[Grant]:
        """Return the workflow's grants for Amazon Transcribe, which reads and writes with the permissions of its
        caller.
        """
        context = self._scope.context
        jobs = context.arn("transcribe", f"transcription-job/{context.stack_label}-*")
        return [
            grant("transcribe", ["StartTranscriptionJob"], "*"),  # IAM knows no resource of this action
            grant("transcribe", ["GetTranscriptionJob"], jobs),
            self.bucket.grant("GetObject", keys=f"{AUDIO}*"),
            self.bucket.grant("PutObject", keys=f"{WORK}*"),
        ]

    def _create_summarize_function(self) -> Function:
        models = self._settings.models
        return Function(
            self._scope,
            "bedrock-summarize",
            settings=self._settings.bedrock_summarize,
            environment=SummaryEnvironment,
            uses=[
                self.bucket.grant("GetObject", keys=f"{WORK}*", variable="bucket_name"),
                self.bucket.grant("PutObject", keys=f"{TRANSCRIPTS}*"),
                self.bucket.grant("PutObject", keys=f"{SUMMARIES}*"),
                self.bucket.grant_list(),  # S3 then answers 404 and not 403 for a missing object
                grant_metrics(NAMESPACE),
                *model_grants(self._scope, {models.summary, models.action_items}, models.regions),
            ],
            values={
                "stack": self._scope.context.stack_label,
                "summary_model_id": models.summary,
                "action_model_id": models.action_items,
                "max_output_tokens": models.max_output_tokens,
                "answer_seconds": models.answer_seconds,
                "part_characters": models.part_characters,
                "at_once": models.at_once,
            },
            # An invocation also fails if a model is busy, and the workflow retries it. So some errors are normal, even if
            # few meetings are processed. If the last retry fails, the meeting fails, which raises the alarm
            # `meetings-failed`.
            errors_above=MAX_BUSY_FAILURES,
        )

    def _create_start(self) -> None:
        """Create the queue of upload events, and the function that starts the workflow."""
        scope, settings = self._scope, self._settings
        self.uploads = Queue(
            scope,
            "uploads",
            display_name="Uploads",
            consumer_timeout=settings.start.timeout_seconds,
            senders=[rule_sender(scope, RULE)],
        )
        Function(
            scope,
            "start",
            settings=settings.start,
            environment=StartEnvironment,
            uses=[
                self.table.grant("GetItem", "PutItem", variable="table_name"),
                self.bucket.grant("GetObject", keys=f"{RAW}*/{COMPLETE_FILE_NAME}", variable="bucket_name"),
                self.bucket.grant_list(),  # to list the uploaded chunks
                self.workflow.grant_start(variable="state_machine_arn"),
                self.workflow.grant_describe(),
            ],
            source=QueueSource(self.uploads, batch_size=10, max_concurrency=5),
        )
        # A prefix and a suffix in one list would each match alone.
        pattern = object_created_pattern(self.bucket.name, {"wildcard": f"{RAW}*/{COMPLETE_FILE_NAME}"})
        EventRule(
            scope, RULE, display_name="Uploads", pattern=pattern, failed_events=self.failed_events, target=self.uploads
        )

    def _create_meeting_cleanup(self) -> None:
        """Create the function that removes the data of deleted meetings."""
        prefixes = [f"{prefix}*" for prefix in ALL_PREFIXES]
        Function(
            self._scope,
            "meeting-cleanup",
            settings=self._settings.meeting_cleanup,
            environment=MeetingCleanupEnvironment,
            uses=[
                self.table.grant("GetItem", variable="table_name"),
                *(self.bucket.grant_list_versions(prefix) for prefix in prefixes),
                # DeleteObjects needs both permissions to delete versions (S3 API reference).
                *(
                    self.bucket.grant("DeleteObject", "DeleteObjectVersion", keys=prefix, variable="bucket_name")
                    for prefix in prefixes
                ),
                grant("states", ["ListExecutions"], self.workflow.arn).with_variable(
                    "state_machine_arn", self.workflow.arn
                ),
                self.deletions.grant("SendMessage", variable="deletions_queue_url"),
            ],
            source=QueueSource(self.deletions, batch_size=1, max_concurrency=5),
        )

    def _create_storage_count(self) -> None:
        """Create the function that measures the growth of each user's storage once a day."""
        scope, settings = self._scope, self._settings
        storage = Function(
            scope,
            "storage",
            settings=settings.storage,
            environment=StorageEnvironment,
            uses=[self.bucket.grant_list().with_variable("bucket_name", self.bucket.name), grant_metrics(NAMESPACE)],
            values={"stack": scope.context.stack_label, "max_users": settings.storage_users},
            asynchronous=AsyncInvocation(self.failed_events),
        )
        Schedule(
            scope,
            "storage-schedule",
            display_name="StorageSchedule",
            expression="cron(0 2 * * ? *)",
            target=storage,
            failed_events=self.failed_events,
        )
