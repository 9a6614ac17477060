"""Component of transcription: WebSocket API → router → audio processor → captions over the same connection.

A client sends an utterance, some seconds of speech, as one message. The router receives all messages, and invokes the
audio processor for each utterance. The audio processor lets Amazon Transcribe transcribe the utterance, and sends the
captions to the client.

docs/decisions/0040 describes the path of an utterance.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.api.websocket_api import (
    CALLBACK_ENDPOINT_VARIABLE,
    WebSocketApi,
    WebSocketApiArgs,
    message_actions,
)
from components.blocks.compute.function import AsyncInvocation, Function, FunctionArgs
from components.blocks.iam.grant import grant, grant_metrics
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.table import Table, TableArgs
from components.settings import Auth, TranscriptionSettings
from components.transcription.alarms import register_alarms
from components.transcription.usage_estimate import PING_SECONDS
from handlers.transcription.audio_processor.environment import ProcessorEnvironment
from handlers.transcription.names_shared_with_deployment import METRICS_NAMESPACE, PROTOCOL
from handlers.transcription.router.environment import RouterEnvironment

ROUTES = ("$connect", "$default", "$disconnect", "audio", "close", "open", "ping")
MAX_EVENT_AGE_SECONDS = 60
"""Maximum age of an utterance that waits for the audio processor: the lowest value that Lambda allows. The processor
already ignores an utterance that has waited longer than `MAX_START_MS` of the router. The answer to the client's next
message asks it to send such an utterance again."""
MEMORY_PERCENT = 90
"""An alarm is raised if an invocation of the audio processor uses more than this percentage of its memory."""
DISCARD_REASON = "a failure record would hold audio that must not be stored - a lost utterance is sent again"


@dataclass(frozen=True)
class TranscriptionArgs:
    scope: Scope
    settings: TranscriptionSettings


class Transcription(pulumi.ComponentResource):
    def __init__(self, name: str, args: TranscriptionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:transcription:Transcription", name, None, opts)
        self._scope, self._settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self._create_tables()
        self.socket = self._create_socket()
        self.processor = self._create_processor()
        self.router = self._create_router()
        self.socket.serve(ROUTES, self.router)
        register_alarms(args.scope, args.settings, self.processor, self.router, self._child)
        self.frontend: dict[str, pulumi.Input[object]] = {
            "url": self.socket.url,
            "protocol": PROTOCOL,
            "ping_seconds": PING_SECONDS,
            "in_flight": args.settings.sessions.in_flight,
            "session_hours": args.settings.sessions.hours,
            "languages": list(args.settings.sessions.languages),
            "routes": message_actions(ROUTES),
        }
        self.register_outputs({"url": self.socket.url})

    def _create_tables(self) -> None:
        """Create the table of the sessions' settings, and the live table.

        The live table has the items that change while users speak. They record which connections are open, which
        utterances are being processed, and which texts were already shown.
        """
        no_backup_reason = "its items live for hours and nothing in them is worth having back"
        self.sessions = Table(
            "sessions",
            TableArgs(
                scope=self._scope,
                display_name="Sessions",
                hash_key="session_id",
                ttl_attribute="ttl",
                no_backup_reason=no_backup_reason,
            ),
            self._child,
        )
        self.live = Table(
            "live",
            TableArgs(
                scope=self._scope,
                display_name="transcription-live",
                hash_key="pk",
                ttl_attribute="ttl",
                no_backup_reason=no_backup_reason,
            ),
            self._child,
        )

    def _create_socket(self) -> WebSocketApi:
        unauthenticated = self._scope.foundation.identity.auth is Auth.NONE
        return WebSocketApi(
            "socket",
            WebSocketApiArgs(
                scope=self._scope,
                display_name="TranscriptionSocket",
                stage="live",
                routes_throttle=Throttle.from_rate(self._settings.requests_per_second),
                checked_by=None if unauthenticated else "the router verifies the token in the offered subprotocol",
            ),
            self._child,
        )

    def _create_processor(self) -> Function:
        scope, settings = self._scope, self._settings
        return Function(
            "audio-processor",
            FunctionArgs(
                scope=scope,
                display_name="audio-processor",
                entry="handlers.transcription.audio_processor.handler.handler",
                settings=settings.audio_processor,
                environment=ProcessorEnvironment,
                values={
                    "sessions_table_name": self.sessions.name,
                    "live_table_name": self.live.name,
                    "structured_logging": settings.structured_logging,
                    **settings.captions.model_dump(),
                },
                endpoints={CALLBACK_ENDPOINT_VARIABLE: self.socket.callback_url},
                grants=[
                    # IAM has no ARNs for streams of Amazon Transcribe.
                    grant("transcribe", ["StartStreamTranscription", "StartStreamTranscriptionWebSocket"], "*"),
                    grant_metrics(METRICS_NAMESPACE),
                    self.sessions.grant("GetItem", "Query"),
                    self.live.grant("GetItem", "UpdateItem"),
                    self.socket.grant_post(),
                ],
                asynchronous=AsyncInvocation(
                    None, retries=0, max_age_seconds=MAX_EVENT_AGE_SECONDS, discard_reason=DISCARD_REASON
                ),
                errors_above=settings.alarms.errors,
                throttles_above=settings.alarms.throttles,
                memory_percent_above=MEMORY_PERCENT,
            ),
            self._child,
        )

    def _create_router(self) -> Function:
        scope, sessions, identity = self._scope, self._settings.sessions, self._scope.foundation.identity
        token_variables = identity.token_variables(scope.context.environment) if identity.auth is Auth.OIDC else {}
        return Function(
            "router",
            FunctionArgs(
                scope=scope,
                display_name="TranscriptionRouter",
                entry="handlers.transcription.router.handler.handler",
                settings=self._settings.router,
                environment=RouterEnvironment,
                values={
                    "sessions_table_name": self.sessions.name,
                    "live_table_name": self.live.name,
                    "structured_logging": self._settings.structured_logging,
                    "processor": self.processor.live_arn,
                    "auth": identity.auth.value,
                    **token_variables,
                    "in_flight": sessions.in_flight,
                    "session_seconds": int(sessions.hours * 3600),
                    "languages": ",".join(sessions.languages),
                },
                grants=[
                    self.sessions.grant("GetItem", "PutItem", "UpdateItem"),
                    self.live.grant("GetItem", "UpdateItem"),
                    self.processor.grant_invoke(),
                ],
            ),
            self._child,
        )
