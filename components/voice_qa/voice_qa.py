"""Component of voice Q&A: guests, who do not log in, ask questions about lectures. An external agent answers, and the
guests receive each piece of an answer as soon as the agent has produced it.

There are two paths:

- questions: WebSocket API → WebSocket handler → query worker → agent → pieces of the answer over the connection. For
  each question, a delayed message later invokes the WebSocket handler. If the time limit has passed without an answer,
  the handler ends the question with an error.
- lectures: audio bucket → queue → lecture validator → lecture items. Only validated lectures can be asked about.

`Platform` creates this component. A function gets its environment variables from two arguments. A grant in `uses` that
names a `variable` sets this field of the function's environment model to the name, URL or ARN of its resource. `values`
has the values of the other fields.
"""

import pulumi
from pulumi_aws import lambda_

from components.blocks.alarm import Severity
from components.blocks.bucket import Bucket, QueueNotification, cors_rule, lifecycle_rule
from components.blocks.function import AsyncInvocation, Function, QueueSource
from components.blocks.iam import Grant, grant
from components.blocks.identity_pool import IdentityPool, grant_own_items
from components.blocks.network import AgentNetwork
from components.blocks.queue import DeadLetterQueue, Queue, Sender
from components.blocks.secret import Secret
from components.blocks.table import Table
from components.blocks.websocket_api import CALLBACK_ENDPOINT_VARIABLE, WebSocketApi
from components.core import Kind, SubsystemArgs
from components.settings import VoiceQaSettings
from components.settings.voice_qa import AgentMode, LectureUploads
from components.voice_qa.alarms import create_alarms
from components.voice_qa.cost import OLD_VERSION_DAYS
from handlers.voice_qa.environment import (
    LECTURE_MAX_SECONDS,
    LECTURE_MIN_SECONDS,
    LECTURES,
    MAX_QUERY_BYTES,
    QUERIES,
    RESPONSES,
    AudioFormat,
    SocketEnvironment,
    ValidatorEnvironment,
    WorkerEnvironment,
)
from handlers.voice_qa.messages import REQUESTS
from handlers.voice_qa.records import TTL_ATTRIBUTE

GIGABYTE = 1_000_000_000
"""Bytes of a gigabyte in the size limit of lectures, which counts in powers of ten."""
MAX_QUESTION_AGE_SECONDS = 300
"""Age at which a question for which no worker was free moves to the dead-letter queue. By then, its client has gone or
has asked again."""
OLD_LECTURE_DAYS = 7
"""Days for which old versions of lectures are kept."""


class VoiceQa(pulumi.ComponentResource):
    """WebSocket API, storage, functions and alarms of voice Q&A."""

    def __init__(
        self, name: str, args: SubsystemArgs[VoiceQaSettings], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("polyphony:voice_qa:VoiceQa", name, None, opts)
        self._scope, self._settings = args.scope.within(self), args.settings
        scope, settings = self._scope, args.settings
        self._create_storage()
        self.socket = WebSocketApi(
            scope,
            "socket",
            display_name="VoiceQaSocket",
            stage="Prod",
            requests_per_second=settings.requests_per_second,
            signed=True,
        )
        writes = ["PutItem"] if settings.sessions.guest_writes else []
        guest_grants = [grant_own_items(self.sessions, "GetItem", *writes), self.socket.grant_connect()]
        self.pool = IdentityPool(scope, "guests", display_name="IdentityPool", guest_grants=guest_grants)
        validator = self._create_validator()
        worker = self._create_worker()
        handler = self._create_handler(worker)
        self.socket.serve(handler)
        create_alarms(scope, settings, self.socket, handler, worker, validator, self.sessions)
        self.frontend: dict[str, pulumi.Input[object]] = {
            "url": self.socket.url,
            "identity_pool_id": self.pool.pool_id,
            "ping_seconds": settings.sessions.ping_seconds,
            "lecture_uploads": settings.lectures.uploads.value,
            "max_query_bytes": MAX_QUERY_BYTES,
            "lecture_min_seconds": LECTURE_MIN_SECONDS,
            "lecture_max_seconds": LECTURE_MAX_SECONDS,
            "max_lecture_bytes": self._max_lecture_bytes,
            "lecture_formats": list(AudioFormat),
            "routes": sorted(REQUESTS),
        }
        self.register_outputs({"url": self.socket.url})

    @property
    def _max_lecture_bytes(self) -> int:
        return int(self._settings.lectures.max_gigabytes * GIGABYTE)

    def _create_storage(self) -> None:
        scope, settings, audio = self._scope, self._settings, self._settings.audio
        # The requirements name this table `SynapScribe-Sessions`. It also has the items of lectures.
        self.sessions = Table(
            scope,
            "sessions",
            display_name="SynapScribe-Sessions",
            hash_key="sessionId",
            range_key="lectureId",
            ttl_attribute=TTL_ATTRIBUTE,
            max_write_units=settings.sessions.max_write_units,
            max_read_units=settings.sessions.max_read_units,
        )
        self.uploads = Queue(
            scope,
            "uploads",
            display_name="LectureUploads",
            consumer_timeout=settings.validate_lecture.timeout_seconds,
            senders=[Sender("s3.amazonaws.com", scope.context.bucket_arn(scope.name(Kind.BUCKET, "audio")))],
        )
        self.audio = Bucket(
            scope,
            "audio",
            display_name="AudioBucket",
            versioned=audio.versioned,
            accelerated=audio.accelerated,
            cors=cors_rule(audio.origins),
            lifecycle=[
                # If two rules apply, S3 uses the shorter time.
                lifecycle_rule("expire-queries", QUERIES, audio.query_days, OLD_VERSION_DAYS),
                lifecycle_rule("expire-responses", RESPONSES, audio.response_days, OLD_VERSION_DAYS),
                lifecycle_rule("expire-old-versions", old_version_days=OLD_LECTURE_DAYS),
            ],
            notify=QueueNotification(self.uploads, prefix=LECTURES),
        )

    def _create_validator(self) -> Function:
        return Function(
            self._scope,
            "validate-lecture",
            display_name="ValidateLectureFunction",
            settings=self._settings.validate_lecture,
            environment=ValidatorEnvironment,
            throttles_above=0,
            uses=[
                self.audio.grant("GetObject", "GetObjectVersion", keys=f"{LECTURES}*", variable="s3_bucket"),
                self.audio.grant_list(),  # S3 then answers 404 and not 403 for a missing object
                self.sessions.grant("GetItem", "PutItem", variable="dynamodb_table"),
            ],
            values={"max_lecture_bytes": self._max_lecture_bytes},
            source=QueueSource(self.uploads, batch_size=5, max_concurrency=5),
        )

    def _create_worker(self) -> Function:
        settings, agent = self._settings, self._settings.agentcore
        failed = DeadLetterQueue(self._scope, "queries-failed", display_name="QueriesFailed")
        return Function(
            self._scope,
            "query-worker",
            settings=settings.query_worker,
            environment=WorkerEnvironment,
            throttles_above=0,
            uses=[
                # The worker signs the URLs with which the agent downloads audio, so its role needs the permissions that
                # the URLs use. The URLs name object versions.
                self.audio.grant("GetObject", "GetObjectVersion", keys=f"{QUERIES}*", variable="s3_bucket"),
                self.audio.grant("GetObject", "GetObjectVersion", keys=f"{LECTURES}*"),
                self.audio.grant("PutObject", keys=f"{RESPONSES}*"),
                self.audio.grant_list(),  # S3 then answers 404 and not 403 for a missing object
                self.sessions.grant("GetItem", "PutItem", variable="dynamodb_table"),
                self.socket.grant_post(),
                *self._agent_grants(),
            ],
            values={
                "session_days": settings.sessions.days,
                "answer_seconds": agent.answer_seconds,
                "agentcore_endpoint": str(agent.endpoint) if agent.mode is AgentMode.HTTP and agent.endpoint else None,
                "agentcore_runtime_arn": agent.runtime_arn if agent.mode is AgentMode.BEDROCK else None,
                "agentcore_qualifier": agent.qualifier,
            },
            endpoints={CALLBACK_ENDPOINT_VARIABLE: self.socket.callback_url},
            asynchronous=AsyncInvocation(failed, retries=0, max_age_seconds=MAX_QUESTION_AGE_SECONDS),
            attachment=self._create_attachment(),
        )

    def _create_attachment(self) -> lambda_.FunctionVpcConfigArgsDict | None:
        """Attach the worker to the network of a private agent; return None if the agent has a public address."""
        agent = self._settings.agentcore
        if agent.network is None or agent.port is None:
            return None
        return AgentNetwork(self._scope, "agent-network", settings=agent.network, port=agent.port).attachment

    def _agent_grants(self) -> list[Grant]:
        """Return the permission to call an agent in Bedrock AgentCore. An agent that is called by HTTP needs none."""
        agent = self._settings.agentcore
        if agent.mode is not AgentMode.BEDROCK or agent.runtime_arn is None:
            return []
        endpoint = f"{agent.runtime_arn}/runtime-endpoint/{agent.qualifier}"
        return [grant("bedrock-agentcore", ["InvokeAgentRuntime"], [agent.runtime_arn, endpoint])]

    def _create_handler(self, worker: Function) -> Function:
        scope, settings, sessions = self._scope, self._settings, self._settings.sessions
        if settings.guest_id_key is None:
            raise ValueError("voiceQa.guestIdKey is not set. The settings loader should have refused this.")
        secret = settings.guest_id_key.get_secret_value()
        guest_id_key = Secret(scope, "guest-ids", display_name="GuestIdKey", value=secret)
        timeout = settings.websocket_handler.timeout_seconds
        time_limits = Queue(scope, "time-limits", display_name="QuestionTimeLimits", consumer_timeout=timeout)
        uploads_lectures = settings.lectures.uploads is LectureUploads.GUESTS
        upload_prefixes = [QUERIES, *([LECTURES] if uploads_lectures else [])]
        return Function(
            scope,
            "websocket-handler",
            display_name="WebSocketHandler",
            settings=settings.websocket_handler,
            environment=SocketEnvironment,
            errors_severity=Severity.CRITICAL,
            errors_above=0,
            throttles_above=0,
            uses=[
                # The handler signs the forms with which guests upload, and the URLs of stored answers. So its role needs
                # the permissions of the forms and URLs.
                *(self.audio.grant("PutObject", keys=f"{prefix}*", variable="s3_bucket") for prefix in upload_prefixes),
                self.audio.grant("GetObject", keys=f"{RESPONSES}*"),
                self.sessions.grant("GetItem", "PutItem", variable="dynamodb_table"),
                worker.grant_invoke("worker"),
                time_limits.grant("SendMessage", variable="time_limit_queue"),
                guest_id_key.grant_read("guest_id_key"),
                self.socket.grant_post(),
            ],
            values={
                "session_days": sessions.days,
                "answer_seconds": settings.agentcore.answer_seconds,
                "identity_pool": self.pool.pool_id,
                "guest_id_key_version": guest_id_key.version,
                "lecture_uploads": settings.lectures.uploads.value,
                "url_seconds": sessions.url_seconds,
                "accelerated": settings.audio.accelerated,
                "max_lecture_bytes": self._max_lecture_bytes,
                "queries_per_hour": sessions.queries_per_hour,
                "lectures_per_day": sessions.lectures_per_day,
            },
            endpoints={CALLBACK_ENDPOINT_VARIABLE: self.socket.callback_url},
            # Each invocation gets one time limit check, so that the retries of a check do not delay another check.
            source=QueueSource(time_limits, batch_size=1, max_concurrency=10),
        )
