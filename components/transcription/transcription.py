"""Component of transcription: WebSocket API → router → audio processor → captions over the same connection.

A client sends an utterance, some seconds of speech, as one message. The router receives all messages, and invokes the
audio processor for each utterance. The audio processor lets Amazon Transcribe transcribe the utterance, and sends the
captions to the client.

A function gets its environment variables from two arguments. A grant in `uses` that names a `variable` sets this field of
the function's environment model to the name, URL or ARN of its resource. `values` has the values of the other fields.

`Platform` creates this component. docs/decisions/0040 describes the path of an utterance.
"""

import pulumi

from components.blocks.alarm import Severity
from components.blocks.function import AsyncInvocation, Function
from components.blocks.iam import grant, grant_metrics
from components.blocks.table import Table
from components.blocks.websocket_api import CALLBACK_ENDPOINT_VARIABLE, WebSocketApi
from components.core import SubsystemArgs
from components.settings import Auth, TranscriptionSettings
from components.transcription.alarms import create_alarms
from components.transcription.cost import PING_SECONDS
from handlers.transcription.environment import METRICS_NAMESPACE, PROTOCOL, ProcessorEnvironment, RouterEnvironment

MESSAGE_ACTIONS = ("audio", "open", "ping")
"""Values that a message's `action` may have. The router reads them, and clients find them in the output `frontend`."""
MAX_EVENT_AGE_SECONDS = 60
"""Maximum age of an utterance that waits for the audio processor: the lowest value that Lambda allows. The client sends
it again sooner, after `handlers.transcription.session.MAX_START_MS`."""
MEMORY_PERCENT = 90
"""An alarm is raised if an invocation of the audio processor uses more than this percentage of its memory."""
DISCARD_REASON = "a failure record would hold audio that must not be stored - a lost utterance is sent again"


class Transcription(pulumi.ComponentResource):
    """WebSocket API, table, functions and alarms of transcription."""

    def __init__(
        self, name: str, args: SubsystemArgs[TranscriptionSettings], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("polyphony:transcription:Transcription", name, None, opts)
        self._scope, self._settings = args.scope.within(self), args.settings
        self.sessions = Table(
            self._scope, "sessions", display_name="Sessions", hash_key="session_id", ttl_attribute="ttl"
        )
        self.socket = self._create_socket()
        self.processor = self._create_processor()
        self.router = self._create_router()
        self.socket.serve(self.router)
        create_alarms(self._scope, args.settings, self.processor, self.router)
        self.frontend: dict[str, pulumi.Input[object]] = {
            "url": self.socket.url,
            "protocol": PROTOCOL,
            "ping_seconds": PING_SECONDS,
            "in_flight": args.settings.sessions.in_flight,
            "languages": list(args.settings.sessions.languages),
            "routes": list(MESSAGE_ACTIONS),
        }
        self.register_outputs({"url": self.socket.url})

    def _create_socket(self) -> WebSocketApi:
        unauthenticated = self._scope.foundation.identity.auth is Auth.NONE
        return WebSocketApi(
            self._scope,
            "socket",
            display_name="TranscriptionSocket",
            stage="live",
            requests_per_second=self._settings.requests_per_second,
            checked_by=None if unauthenticated else "the router verifies the token in the offered subprotocol",
        )

    def _create_processor(self) -> Function:
        settings = self._settings
        return Function(
            self._scope,
            "audio-processor",
            settings=settings.audio_processor,
            environment=ProcessorEnvironment,
            uses=[
                # IAM has no ARNs for streams of Amazon Transcribe.
                grant("transcribe", ["StartStreamTranscription", "StartStreamTranscriptionWebSocket"], "*"),
                grant_metrics(METRICS_NAMESPACE),
                # The processor does not use Query, but its requirement (docs/requirements.md) lists it.
                self.sessions.grant("GetItem", "PutItem", "Query", variable="sessions_table_name"),
                self.socket.grant_post(),
            ],
            values={
                "structured_logging": settings.structured_logging,
                "last_results_ms": settings.last_results_ms,
                **settings.captions.model_dump(),
            },
            endpoints={CALLBACK_ENDPOINT_VARIABLE: self.socket.callback_url},
            asynchronous=AsyncInvocation(
                on_failure=None, retries=0, max_age_seconds=MAX_EVENT_AGE_SECONDS, discard_reason=DISCARD_REASON
            ),
            errors_severity=Severity.CRITICAL,
            errors_above=settings.alarms.errors,
            throttles_above=settings.alarms.throttles,
            memory_percent_above=MEMORY_PERCENT,
        )

    def _create_router(self) -> Function:
        scope, sessions, identity = self._scope, self._settings.sessions, self._scope.foundation.identity
        token_variables = identity.token_variables(scope.context.environment) if identity.auth is Auth.OIDC else {}
        return Function(
            scope,
            "router",
            settings=self._settings.router,
            environment=RouterEnvironment,
            errors_severity=Severity.CRITICAL,
            errors_above=0,
            uses=[
                self.sessions.grant("GetItem", "PutItem", variable="sessions_table_name"),
                self.processor.grant_invoke(variable="processor"),
            ],
            values={
                "structured_logging": self._settings.structured_logging,
                "auth": identity.auth.value,
                **token_variables,
                "in_flight": sessions.in_flight,
                "languages": ",".join(sessions.languages),
            },
        )
