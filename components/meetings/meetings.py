"""Component of the meetings backend: a workflow makes a video, a transcript and a summary of each uploaded recording.

The user reads the results directly from the bucket and the table. This module creates both, the queue of upload events,
the workflow, and the functions that the queue and the workflow call. docs/decisions/0060 describes how a meeting is
identified.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.bedrock.model_grants import model_grants
from components.blocks.compute.function import Function, FunctionArgs, QueueSource
from components.blocks.iam.grant import Grant, grant, grant_metrics
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs, object_created_pattern, rule_sender
from components.blocks.messaging.queue import Queue, QueueArgs
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket, BucketArgs, CorsRule, LifecycleRule
from components.blocks.storage.table import SecondaryIndex, Table, TableArgs
from components.blocks.workflow.workflow import Workflow, WorkflowArgs
from components.meetings import media_job_states, recording_workflow
from components.meetings.alarms import MAX_BUSY_FAILURES, MeetingAlarmsArgs, create_alarms
from components.meetings.client_role_and_exchange import ClientAccess, ClientAccessArgs
from components.meetings.media_job import MediaBatchJob, MediaBatchJobArgs
from components.meetings.storage_count import StorageCount, StorageCountArgs
from components.settings import MeetingsSettings
from handlers.meetings.auth_exchange.environment import CREDENTIAL_SECONDS
from handlers.meetings.auth_exchange.operation_definitions import OPERATIONS
from handlers.meetings.bedrock_summarize.environment import SummaryEnvironment
from handlers.meetings.meeting_record import INDEX, INDEX_SORT, PARTITION, SORT
from handlers.meetings.metrics import NAMESPACE
from handlers.meetings.s3_keys import AUDIO, COMPLETE_FILE_NAME, RAW, SUMMARIES, TRANSCRIPTS, VIDEO, WORK
from handlers.meetings.upload_events.environment import StartEnvironment
from handlers.meetings.workflow_steps.environment import MeetingStepsEnvironment

RULE = "recording-uploaded"
"""Short name of the event rule for uploads."""


@dataclass(frozen=True)
class MeetingsArgs:
    scope: Scope
    settings: MeetingsSettings


class Meetings(pulumi.ComponentResource):
    """Bucket, table, workflow and functions of the meetings backend."""

    def __init__(self, name: str, args: MeetingsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:meetings:Meetings", name, None, opts)
        self._scope, self._settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self._create_storage()
        self.access = ClientAccess(
            "meetings-access", ClientAccessArgs(args.scope, args.settings, self.bucket, self.table), self._child
        )
        self.media = MediaBatchJob(
            "meetings-media-processing", MediaBatchJobArgs(args.scope, args.settings, self.bucket), self._child
        )
        self._create_workflow()
        self._create_upload_queue()
        self.storage_count = StorageCount(
            "meetings-care", StorageCountArgs(args.scope, args.settings, self.bucket), self._child
        )
        create_alarms(
            MeetingAlarmsArgs(args.scope, args.settings, self.uploads, self.workflow, self.functions),
            self._child,
        )
        self.frontend: dict[str, pulumi.Input[object]] = {
            "api_url": self.access.api.url,
            "bucket": self.bucket.name,
            "table": self.table.name,
            "index": INDEX,
            "credential_seconds": CREDENTIAL_SECONDS,
            "raw_days": args.settings.kept.raw_days,
            "routes": [operation.route for operation in OPERATIONS],
        }
        self.register_outputs({"apiUrl": self.access.api.url})

    @property
    def functions(self) -> dict[str, Function]:
        """The functions by their purpose."""
        return {
            "exchange": self.access.function,
            "start": self.start,
            "steps": self.steps,
            "summarize": self.summarize,
            "storage": self.storage_count.function,
        }

    def _create_storage(self) -> None:
        scope, settings = self._scope, self._settings
        retention = settings.kept
        old_days = retention.old_version_days
        self.table = Table(
            "meetings",
            TableArgs(
                scope=scope,
                display_name="Meetings",
                hash_key=PARTITION,
                range_key=SORT,
                indexes=[SecondaryIndex(INDEX, PARTITION, INDEX_SORT)],
                kms_key_arn=settings.table_kms_key,
            ),
            self._child,
        )
        self.bucket = Bucket(
            "recordings",
            BucketArgs(
                scope=scope,
                display_name="Recordings",
                versioned=True,
                upload_prefix=RAW,
                cors=CorsRule(
                    [settings.exchange.cors_origin], methods=("GET", "PUT", "HEAD"), exposed_headers=["ETag"]
                ),
                lifecycle=[
                    *(
                        LifecycleRule(
                            f"expire-{prefix.rstrip('/')}", prefix, expire_days=days, old_version_days=old_days
                        )
                        for prefix, days in (
                            (RAW, retention.raw_days),
                            (AUDIO, retention.audio_days),
                            (WORK, retention.work_days),
                        )
                    ),
                    LifecycleRule("tier-video", VIDEO, old_version_days=old_days, intelligent_tiering_days=0),
                    *(
                        LifecycleRule(f"old-{prefix.rstrip('/')}", prefix, old_version_days=old_days)
                        for prefix in (TRANSCRIPTS, SUMMARIES)
                    ),
                ],
                event_bridge=True,
            ),
            self._child,
        )

    def _create_workflow(self) -> None:
        """Create the workflow and the functions behind its steps."""
        scope, settings = self._scope, self._settings
        self.steps = Function(
            "steps",
            FunctionArgs(
                scope=scope,
                display_name="MeetingSteps",
                entry="handlers.meetings.workflow_steps.handler.handler",
                settings=settings.steps,
                environment=MeetingStepsEnvironment,
                values={
                    "table_name": self.table.name,
                    "bucket_name": self.bucket.name,
                    "state_machine_arn": workflow_arn(scope),
                    "stack": scope.context.stack_label,
                },
                grants=[
                    *self.meeting_update_grants(),
                    self.bucket.grant("GetObject", prefix=f"{WORK}*"),
                    grant_metrics(NAMESPACE),
                ],
            ),
            self._child,
        )
        self.summarize = self._create_summarize_function()
        self.workflow = Workflow(
            "workflow",
            WorkflowArgs(
                scope=scope,
                display_name="MeetingWorkflow",
                comment="Processes one recording: video, transcript, summary, and the status of the meeting",
                start=media_job_states.FIRST_STATE,
                states=recording_workflow.workflow_states(
                    self.media, self.steps, self.summarize, self.bucket.name, settings
                ),
                grants=[
                    self.steps.grant_invoke(),
                    self.summarize.grant_invoke(),
                    *self.media.grant_run(),
                    *self._transcription_grants(),
                ],
                timeout_seconds=recording_workflow.timeout_seconds(settings),
            ),
            self._child,
        )

    def meeting_update_grants(self) -> list[Grant]:
        """Return the grants of functions that update meetings: change records, read uploads, start and describe
        executions.
        """
        executions = self._scope.context.arn("states", f"execution:{workflow_name(self._scope)}:*")
        return [
            self.table.grant("GetItem", "PutItem"),
            self.bucket.grant("GetObject", prefix=f"{RAW}*/{COMPLETE_FILE_NAME}"),
            self.bucket.grant_list(),
            grant("states", ["StartExecution"], workflow_arn(self._scope)),
            grant("states", ["DescribeExecution"], executions),
        ]

    def _transcription_grants(self) -> list[Grant]:
        """Return the workflow's grants for Amazon Transcribe, which reads and writes with the permissions of its
        caller.
        """
        return [
            grant("transcribe", ["StartTranscriptionJob"], "*"),
            grant(
                "transcribe",
                ["GetTranscriptionJob"],
                self._scope.context.arn("transcribe", f"transcription-job/{self._scope.context.stack_label}-*"),
            ),
            self.bucket.grant("GetObject", prefix=f"{AUDIO}*"),
            self.bucket.grant("PutObject", prefix=f"{WORK}*"),
        ]

    def _create_summarize_function(self) -> Function:
        scope, models = self._scope, self._settings.models
        return Function(
            "bedrock-summarize",
            FunctionArgs(
                scope=scope,
                display_name="BedrockSummarize",
                entry="handlers.meetings.bedrock_summarize.handler.handler",
                settings=self._settings.bedrock_summarize,
                environment=SummaryEnvironment,
                values={
                    "bucket_name": self.bucket.name,
                    "stack": scope.context.stack_label,
                    "summary_model_id": models.summary,
                    "action_model_id": models.action_items,
                    "max_output_tokens": models.max_output_tokens,
                    "answer_seconds": models.answer_seconds,
                    "part_characters": models.part_characters,
                    "at_once": models.at_once,
                },
                grants=[
                    *(
                        self.bucket.grant("GetObject", "PutObject", prefix=f"{prefix}*")
                        for prefix in (WORK, TRANSCRIPTS, SUMMARIES)
                    ),
                    self.bucket.grant_list(),
                    grant_metrics(NAMESPACE),
                    *model_grants(scope, {models.summary, models.action_items}, models.regions),
                ],
                # An invocation also fails if a model is busy, and the workflow retries it. So some errors are normal.
                # If the last retry fails, the meeting fails, which raises the alarm `meetings-failed`.
                errors_above=MAX_BUSY_FAILURES,
            ),
            self._child,
        )

    def _create_upload_queue(self) -> None:
        scope, settings = self._scope, self._settings
        self.uploads = Queue(
            "uploads",
            QueueArgs(
                scope=scope,
                display_name="Uploads",
                consumer_timeout_seconds=settings.start.timeout_seconds,
                batching_window_seconds=1,
                senders=[rule_sender(scope, RULE)],
            ),
            self._child,
        )
        self.start = Function(
            "start",
            FunctionArgs(
                scope=scope,
                display_name="MeetingStart",
                entry="handlers.meetings.upload_events.handler.handler",
                settings=settings.start,
                environment=StartEnvironment,
                values={
                    "table_name": self.table.name,
                    "bucket_name": self.bucket.name,
                    "state_machine_arn": workflow_arn(scope),
                },
                grants=self.meeting_update_grants(),
                queues=[QueueSource(self.uploads, batch_size=10, max_concurrency=5)],
            ),
            self._child,
        )
        pattern = object_created_pattern(self.bucket.name, RAW)
        EventRule(RULE, EventRuleArgs(scope, "Uploads", pattern, target=self.uploads), self._child)


def workflow_name(scope: Scope) -> str:
    return scope.name(Kind.STATE_MACHINE, "workflow")


def workflow_arn(scope: Scope) -> str:
    """Return the workflow's ARN, which is known before the workflow is created."""
    return scope.context.arn("states", f"stateMachine:{workflow_name(scope)}")
