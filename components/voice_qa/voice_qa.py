"""Component of voice Q&A: guests, who do not log in, ask questions about lectures. An external agent answers, and the
guests receive each piece of an answer as soon as the agent has produced it.

There are two paths:

- questions: WebSocket API → WebSocket handler → query worker → agent → pieces of the answer over the connection. For
  each question, a delayed message later invokes the WebSocket handler. If the time limit has passed without an answer,
  the handler ends the question with an error.
- lectures: audio bucket → queue → lecture validator → lecture items, and a report to the guest who uploaded the
  lecture. Only validated lectures can be asked about.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.api.websocket_api import (
    CALLBACK_ENDPOINT_VARIABLE,
    WebSocketApi,
    WebSocketApiArgs,
    WebSocketAuthorization,
    message_actions,
)
from components.blocks.compute.function import AsyncInvocation, Function, FunctionArgs, NetworkAttachment, QueueSource
from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.identity_pool import IdentityPool, IdentityPoolArgs, grant_own_items
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs, Queue, QueueArgs, Sender
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket, BucketArgs, CorsRule, LifecycleRule, QueueNotification
from components.blocks.storage.secret_parameter import Secret, SecretArgs
from components.blocks.storage.table import Table, TableArgs
from components.settings import VoiceQaSettings
from components.settings.voice_qa import LectureUploads
from components.settings.voice_qa_agent_connection import AgentMode
from components.voice_qa.alarms import register_alarms
from components.voice_qa.usage_estimate import OLD_VERSION_DAYS
from components.voice_qa.worker_network import AgentNetwork, AgentNetworkArgs
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.environment import MAX_QUERY_BYTES
from handlers.voice_qa.query_worker.environment import WorkerEnvironment
from handlers.voice_qa.table_records import TTL_ATTRIBUTE
from handlers.voice_qa.validate_lecture.environment import (
    FORMATS,
    LECTURE_MAX_SECONDS,
    LECTURE_MIN_SECONDS,
    ValidatorEnvironment,
)
from handlers.voice_qa.websocket_handler.environment import SocketEnvironment

ROUTES = ("$connect", "$default", "$disconnect", "lecture", "ping", "query", "upload")
GIGABYTE = 1_000_000_000
"""Bytes of a gigabyte in the size limit of lectures, which counts in powers of ten."""
MAX_QUESTION_AGE_SECONDS = 300
"""Age at which a question for which no worker was free moves to the dead-letter queue. By then, its client has gone or
has asked again."""
OLD_LECTURE_DAYS = 7
"""Days for which old versions of lectures are kept."""


@dataclass(frozen=True)
class VoiceQaArgs:
    scope: Scope
    settings: VoiceQaSettings


class VoiceQa(pulumi.ComponentResource):
    def __init__(self, name: str, args: VoiceQaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:voice_qa:VoiceQa", name, None, opts)
        self._scope, self._settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self._create_storage()
        self.socket = self._create_socket()
        self.pool = IdentityPool(
            "guests",
            IdentityPoolArgs(args.scope, "IdentityPool", self._guest_grants()),
            self._child,
        )
        self.validator = self._create_validator()
        self.worker = self._create_worker()
        self.handler = self._create_handler()
        self.socket.serve(ROUTES, self.handler)
        register_alarms(
            args.scope,
            args.settings,
            self.socket,
            self.handler,
            self.worker,
            self.validator,
            self.sessions,
            self._child,
        )
        self.frontend: dict[str, pulumi.Input[object]] = {
            "url": self.socket.url,
            "identity_pool_id": self.pool.pool_id,
            "ping_seconds": args.settings.sessions.ping_seconds,
            "lecture_uploads": args.settings.lectures.uploads.value,
            "max_query_bytes": MAX_QUERY_BYTES,
            "lecture_min_seconds": LECTURE_MIN_SECONDS,
            "lecture_max_seconds": LECTURE_MAX_SECONDS,
            "max_lecture_bytes": int(args.settings.lectures.max_gigabytes * GIGABYTE),
            "lecture_formats": list(FORMATS),
            "routes": message_actions(ROUTES),
        }
        self.register_outputs({"url": self.socket.url})

    def _create_storage(self) -> None:
        scope, settings = self._scope, self._settings
        # The requirements name this table `SynapScribe-Sessions`. It also has the items of lectures.
        self.sessions = Table(
            "sessions",
            TableArgs(
                scope=scope,
                display_name="SynapScribe-Sessions",
                hash_key="sessionId",
                range_key="lectureId",
                ttl_attribute=TTL_ATTRIBUTE,
            ),
            self._child,
        )
        self.uploads = Queue(
            "uploads",
            QueueArgs(
                scope=scope,
                display_name="LectureUploads",
                consumer_timeout_seconds=settings.validator.timeout_seconds,
                senders=[Sender("s3.amazonaws.com", scope.context.bucket_arn(scope.name(Kind.BUCKET, "audio")))],
            ),
            self._child,
        )
        self.time_limits = Queue(
            "time-limits",
            QueueArgs(
                scope=scope,
                display_name="QuestionTimeLimits",
                consumer_timeout_seconds=settings.socket_handler.timeout_seconds,
            ),
            self._child,
        )
        self.audio = Bucket(
            "audio",
            BucketArgs(
                scope=scope,
                display_name="AudioBucket",
                versioned=settings.audio.versioned,
                accelerated=settings.audio.accelerated,
                cors=CorsRule(settings.audio.origins),
                lifecycle=[
                    # If two rules apply, S3 uses the shorter time.
                    LifecycleRule("expire-queries", s3_prefixes.QUERIES, settings.audio.query_days, OLD_VERSION_DAYS),
                    LifecycleRule(
                        "expire-responses", s3_prefixes.RESPONSES, settings.audio.response_days, OLD_VERSION_DAYS
                    ),
                    LifecycleRule("expire-old-versions", old_version_days=OLD_LECTURE_DAYS),
                ],
                notify=[QueueNotification(self.uploads, prefix=s3_prefixes.LECTURES)],
            ),
            self._child,
        )

        key = settings.guest_id_key
        if key is None:
            raise ValueError("voiceQa.guestIdKey is not set. The settings loader should have refused this.")
        self.guest_id_key = Secret("guest-ids", SecretArgs(scope, "GuestIdKey", key.get_secret_value()), self._child)

    def _guest_grants(self) -> list[Grant]:
        writes = self._settings.sessions.guest_writes
        return [
            grant_own_items(self.sessions, "GetItem", *(["PutItem"] if writes else [])),
            self.socket.grant_connect(),
        ]

    def _create_socket(self) -> WebSocketApi:
        return WebSocketApi(
            "socket",
            WebSocketApiArgs(
                scope=self._scope,
                display_name="VoiceQaSocket",
                stage="Prod",
                routes_throttle=Throttle.from_rate(self._settings.requests_per_second),
                authorization=WebSocketAuthorization.IAM,
            ),
            self._child,
        )

    def _create_validator(self) -> Function:
        scope, settings = self._scope, self._settings
        return Function(
            "validate-lecture",
            FunctionArgs(
                scope=scope,
                display_name="ValidateLectureFunction",
                entry="handlers.voice_qa.validate_lecture.handler.handler",
                settings=settings.validator,
                environment=ValidatorEnvironment,
                values={
                    "s3_bucket": self.audio.name,
                    "dynamodb_table": self.sessions.name,
                    "lecture_max_bytes": int(settings.lectures.max_gigabytes * GIGABYTE),
                },
                grants=[
                    self.audio.grant("GetObject", "GetObjectVersion", prefix=f"{s3_prefixes.LECTURES}*"),
                    self.audio.grant_list(),
                    self.sessions.grant("GetItem", "UpdateItem"),
                    self.socket.grant_post(),
                ],
                endpoints={CALLBACK_ENDPOINT_VARIABLE: self.socket.callback_url},
                queues=[QueueSource(self.uploads, batch_size=5, max_concurrency=5)],
            ),
            self._child,
        )

    def _create_worker(self) -> Function:
        scope, settings, agent = self._scope, self._settings, self._settings.agentcore
        failed = DeadLetterQueue("queries-failed", DeadLetterQueueArgs(scope, "QueriesFailed"), self._child)
        return Function(
            "query-worker",
            FunctionArgs(
                scope=scope,
                display_name="QueryWorker",
                entry="handlers.voice_qa.query_worker.handler.handler",
                settings=settings.query_worker,
                environment=WorkerEnvironment,
                values={
                    "s3_bucket": self.audio.name,
                    "dynamodb_table": self.sessions.name,
                    "session_days": settings.sessions.days,
                    "agentcore_endpoint": str(agent.endpoint)
                    if agent.mode is AgentMode.HTTP and agent.endpoint
                    else None,
                    "agentcore_runtime_arn": agent.runtime_arn if agent.mode is AgentMode.BEDROCK else None,
                    "agentcore_qualifier": agent.qualifier,
                    "answer_seconds": agent.answer_seconds,
                },
                endpoints={CALLBACK_ENDPOINT_VARIABLE: self.socket.callback_url},
                grants=[
                    # The worker signs the URLs with which the agent downloads audio, so its role needs the permissions
                    # that the URLs use. The URLs name object versions.
                    self.audio.grant("GetObject", "GetObjectVersion", prefix=f"{s3_prefixes.QUERIES}*"),
                    self.audio.grant("GetObject", "GetObjectVersion", prefix=f"{s3_prefixes.LECTURES}*"),
                    self.audio.grant("GetObject", "PutObject", prefix=f"{s3_prefixes.RESPONSES}*"),
                    self.audio.grant_list(),
                    self.sessions.grant("GetItem", "UpdateItem"),
                    self.socket.grant_post(),
                    *self._agent_grants(),
                ],
                asynchronous=AsyncInvocation(failed, max_age_seconds=MAX_QUESTION_AGE_SECONDS),
                attachment=self._create_attachment(),
            ),
            self._child,
        )

    def _create_attachment(self) -> NetworkAttachment | None:
        agent = self._settings.agentcore
        if agent.network is None or agent.port is None:
            return None
        args = AgentNetworkArgs(self._scope, agent.network, agent.port)
        return AgentNetwork("agent-network", args, self._child).attachment

    def _agent_grants(self) -> list[Grant]:
        agent = self._settings.agentcore
        if agent.mode is not AgentMode.BEDROCK or agent.runtime_arn is None:
            return []
        endpoint = f"{agent.runtime_arn}/runtime-endpoint/{agent.qualifier}"
        return [grant("bedrock-agentcore", ["InvokeAgentRuntime"], [agent.runtime_arn, endpoint])]

    def _create_handler(self) -> Function:
        scope, settings = self._scope, self._settings
        uploads_lectures = settings.lectures.uploads is LectureUploads.GUESTS
        upload_prefixes = [s3_prefixes.QUERIES, *([s3_prefixes.LECTURES] if uploads_lectures else [])]
        return Function(
            "websocket-handler",
            FunctionArgs(
                scope=scope,
                display_name="WebSocketHandler",
                entry="handlers.voice_qa.websocket_handler.handler.handler",
                settings=settings.socket_handler,
                environment=SocketEnvironment,
                values={
                    "s3_bucket": self.audio.name,
                    "dynamodb_table": self.sessions.name,
                    "session_days": settings.sessions.days,
                    "worker": self.worker.live_arn,
                    "time_limit_queue": self.time_limits.url,
                    "answer_seconds": settings.agentcore.answer_seconds,
                    "identity_pool": self.pool.pool_id,
                    "guest_id_key": self.guest_id_key.name,
                    "guest_id_key_version": self.guest_id_key.version,
                    "lecture_uploads": settings.lectures.uploads.value,
                    "url_seconds": settings.sessions.url_seconds,
                    "accelerated": settings.audio.accelerated,
                    "max_lecture_bytes": int(settings.lectures.max_gigabytes * GIGABYTE),
                    "queries_at_once": settings.sessions.queries_at_once,
                    "queries_per_hour": settings.sessions.queries_per_hour,
                    "lectures_per_day": settings.sessions.lectures_per_day,
                },
                grants=[
                    # The handler signs the forms with which guests upload, so its role needs the permissions of the
                    # forms.
                    *(self.audio.grant("PutObject", prefix=f"{prefix}*") for prefix in upload_prefixes),
                    self.sessions.grant("GetItem", "UpdateItem"),
                    self.worker.grant_invoke(),
                    self.time_limits.grant("SendMessage"),
                    self.guest_id_key.grant_read(),
                    self.socket.grant_post(),
                ],
                endpoints={CALLBACK_ENDPOINT_VARIABLE: self.socket.callback_url},
                # Each invocation gets one time limit check, so that the retries of a check do not delay another check.
                queues=[QueueSource(self.time_limits, batch_size=1, max_concurrency=10)],
            ),
            self._child,
        )
