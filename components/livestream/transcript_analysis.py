"""Component that analyzes transcripts: one function cuts them into sections (windows), and another, the agent, examines
each window.

The agent asks a model for fact claims and for clips, which are sections worth watching alone, and has a memory of
earlier windows. Each function has its own queue, because the two kinds of work take different times and fail for
different reasons. The queue `TranscriptEvents` contains S3 events of uploaded transcripts. Each message of the queue
`AgentWindows` names one window.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.bedrock.agentcore_memory import AgentMemory, AgentMemoryArgs
from components.blocks.bedrock.model_grants import model_grants
from components.blocks.compute.function import Function, FunctionArgs, QueueSource
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs, object_created_pattern, rule_sender
from components.blocks.messaging.queue import Queue, QueueArgs
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.blocks.storage.table import Table
from components.settings import LivestreamSettings
from handlers.livestream.fact_check_agent.environment import AgentEnvironment
from handlers.livestream.s3_prefixes import TRANSCRIPTS
from handlers.livestream.transcript_windows.environment import TranscriptWindowsEnvironment

RULE = "transcript-created"
"""Short name of the event rule for uploaded transcripts."""


@dataclass(frozen=True)
class TranscriptAgentArgs:
    scope: Scope
    settings: LivestreamSettings
    bucket: Bucket
    table: Table


class TranscriptAgent(pulumi.ComponentResource):
    """Queues, functions and memory that find fact claims and clips in transcripts."""

    def __init__(self, name: str, args: TranscriptAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:livestream:Agent", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        scope, settings = args.scope, args.settings
        self.memory = AgentMemory(
            "memory",
            AgentMemoryArgs(scope, "clipAgentMemory", days=settings.agent.memory_days),
            self._child,
        )
        self.uploads = Queue(
            "transcript-events",
            QueueArgs(
                scope=scope,
                display_name="TranscriptEvents",
                consumer_timeout_seconds=settings.transcript_windows.timeout_seconds,
                senders=[rule_sender(scope, RULE)],
            ),
            self._child,
        )
        self.windows = Queue(
            "agent-windows",
            QueueArgs(
                scope=scope,
                display_name="AgentWindows",
                consumer_timeout_seconds=settings.agent_worker.timeout_seconds,
            ),
            self._child,
        )
        self._create_window_function()
        self.worker = self._create_agent()
        pattern = object_created_pattern(args.bucket.name, TRANSCRIPTS)
        EventRule(RULE, EventRuleArgs(scope, "TranscriptEvents", pattern, target=self.uploads), self._child)
        self.register_outputs({})

    def _create_window_function(self) -> None:
        args, agent = self._args, self._args.settings.agent
        Function(
            "transcript-windows",
            FunctionArgs(
                scope=args.scope,
                display_name="TranscriptWindows",
                entry="handlers.livestream.transcript_windows.handler.handler",
                settings=args.settings.transcript_windows,
                environment=TranscriptWindowsEnvironment,
                values={
                    "table_name": args.table.name,
                    "bucket_name": args.bucket.name,
                    "agent_queue_url": self.windows.url,
                    "window_characters": agent.window_characters,
                },
                grants=[
                    args.table.grant("UpdateItem", "Query", "BatchWriteItem"),
                    args.bucket.grant("GetObjectVersion", prefix=f"{TRANSCRIPTS}*"),
                    args.bucket.grant_list(),
                    self.windows.grant("SendMessage"),
                ],
                queues=[QueueSource(self.uploads, batch_size=1, max_concurrency=5)],
            ),
            self._child,
        )

    def _create_agent(self) -> Function:
        args, agent = self._args, self._args.settings.agent
        return Function(
            "agent",
            FunctionArgs(
                scope=args.scope,
                display_name="ClipAgent",
                entry="handlers.livestream.fact_check_agent.handler.handler",
                settings=args.settings.agent_worker,
                environment=AgentEnvironment,
                values={
                    "table_name": args.table.name,
                    "bucket_name": args.bucket.name,
                    "memory_id": self.memory.memory_id,
                    "model_id": agent.model_id,
                    "answer_seconds": agent.answer_seconds,
                },
                grants=[
                    args.table.grant("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
                    args.bucket.grant("GetObjectVersion", prefix=f"{TRANSCRIPTS}*"),
                    args.bucket.grant_list(),
                    self.memory.grant("CreateEvent", "ListEvents"),
                    *model_grants(args.scope, [agent.model_id], agent.model_regions),
                ],
                queues=[QueueSource(self.windows, batch_size=1, max_concurrency=agent.at_once)],
            ),
            self._child,
        )
