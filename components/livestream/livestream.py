"""The livestream backend: REST API → episodes in one table; videos in one bucket, cut into chunks.

Wires the parts: who is granted what, and what each function reads. How episodes are kept is in docs/decisions/0052.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.api.rest_api import Judge, RestApi, RestApiArgs
from components.blocks.api.rest_rate_limits import Plan
from components.blocks.api.rest_stage import RestAlarms
from components.blocks.api.stage_settings import Throttle
from components.blocks.compute.function import Function, FunctionArgs
from components.blocks.messaging.event_rule import EventArchive, EventArchiveArgs
from components.blocks.monitoring.dashboard import (
    Chart,
    Dashboard,
    DashboardArgs,
    duration_chart,
    function_chart,
    queue_chart,
    table_chart,
)
from components.blocks.naming.scope import Scope
from components.blocks.storage.bucket import Bucket, BucketArgs, Cors, Lifecycle
from components.blocks.storage.secret import Secret, SecretArgs
from components.blocks.storage.table import Index, Table, TableArgs
from components.livestream.agent import Agent, AgentArgs
from components.livestream.alarms import watch
from components.livestream.episode_cleanup import Care, CareArgs
from components.livestream.usage import EVENT_DAYS, OLD_VERSION_DAYS
from components.livestream.videos import Videos, VideosArgs, event_source, grant_events
from components.settings import LivestreamSettings
from components.settings.livestream import AuthorizerKind
from handlers.livestream.authorizer.environment import AuthorizerEnvironment
from handlers.livestream.episodes_api.api_operations import OPERATIONS
from handlers.livestream.episodes_api.environment import ApiEnvironment
from handlers.livestream.s3_prefixes import TRANSCRIPTS, VIDEOS
from handlers.livestream.table_records import CARE_INDEX, INDEX

SLOW_MILLISECONDS = 2_000
"""An alarm rings when 5 of 100 answers take longer."""
KEY_REQUESTS_PER_DAY = 50_000
"""What the holder of an API key may ask for, with authorizer `apiKey`."""
JUDGED_SECONDS = 60
"""How long the gateway keeps what it was told of a token: so much longer may one that ran out be used."""


@dataclass(frozen=True)
class LivestreamArgs:
    """What the livestream backend needs."""

    scope: Scope
    settings: LivestreamSettings


class Livestream(pulumi.ComponentResource):
    """Episodes."""

    def __init__(self, name: str, args: LivestreamArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:livestream:Livestream", name, None, opts)
        self._scope, self._settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self._store()
        self.episodes = self._episodes()
        self.api = self._api()
        self.videos = Videos(
            "livestream-video-processing", VideosArgs(args.scope, args.settings, self.bucket, self.table), self._child
        )
        self.agent = Agent(
            "livestream-clip-agent", AgentArgs(args.scope, args.settings, self.bucket, self.table), self._child
        )
        self.care = Care(
            "livestream-episode-care",
            CareArgs(args.scope, args.settings, self.bucket, self.table, self.agent.memory),
            self._child,
        )
        EventArchive(
            "events",
            EventArchiveArgs(args.scope, "EpisodeEvents", event_source(args.scope), EVENT_DAYS),
            self._child,
        )
        watch(self.episodes, self.videos.function, self.agent.worker, self.care.function, self._child)
        Dashboard("overview", DashboardArgs(args.scope, self._charts()), self._child)
        uploads = args.settings.uploads
        self.frontend: dict[str, pulumi.Input[object]] = {
            "api_url": self.api.url,
            "authorizer": args.settings.api.authorizer.value,
            "max_video_gigabytes": uploads.max_video_gigabytes,
            "max_transcript_megabytes": uploads.max_transcript_megabytes,
            "routes": [one.route for one in OPERATIONS],
        }
        self.register_outputs({"apiUrl": self.api.url})

    def _store(self) -> None:
        scope, settings = self._scope, self._settings
        self.table = Table(
            "null-check",
            TableArgs(
                scope=scope,
                logical_name="NullCheckTable",
                hash_key="pk",
                range_key="sk",
                indexes=[Index(INDEX, "GSI1PK", "GSI1SK"), Index(CARE_INDEX, "GSI2PK", "GSI2SK", projected=[])],
                ttl_attribute="ttl",
            ),
            self._child,
        )
        self.bucket = Bucket(
            "transcripts",
            BucketArgs(
                scope=scope,
                logical_name="TranscriptBucket",
                versioned=True,
                cors=Cors([settings.api.cors_origin], exposed=["ETag"]),
                lifecycle=[
                    Lifecycle("expire-all", expire_days=settings.uploads.object_days, old_version_days=OLD_VERSION_DAYS)
                ],
                event_bridge=True,
            ),
            self._child,
        )
        key = settings.encryption_key
        if key is None:
            raise ValueError("livestream.encryptionKey is not set: the settings' loader refuses that")
        self.key = Secret("cursors", SecretArgs(scope, "EncryptionKey", key.get_secret_value()), self._child)

    def _episodes(self) -> Function:
        settings = self._settings
        return Function(
            "episodes",
            FunctionArgs(
                scope=self._scope,
                logical_name="Episodes",
                entry="handlers.livestream.episodes_api.handler.handler",
                settings=settings.episodes,
                environment=ApiEnvironment,
                values={
                    "table_name": self.table.name,
                    "bucket_name": self.bucket.name,
                    "event_source": event_source(self._scope),
                    "encryption_key": self.key.name,
                    "encryption_key_version": self.key.version,
                    "origin": settings.api.cors_origin,
                    "max_video_gigabytes": settings.uploads.max_video_gigabytes,
                    "max_transcript_megabytes": settings.uploads.max_transcript_megabytes,
                    "multipart_megabytes": settings.uploads.multipart_megabytes,
                },
                grants=[
                    self.table.grant("GetItem", "PutItem", "UpdateItem", "Query"),
                    self.table.grant("Query", index=INDEX),
                    # Addresses are signed with this role: it may do what they allow. What came in parts is asked its size.
                    self.bucket.grant("GetObject", "PutObject", prefix=f"{VIDEOS}*"),
                    self.bucket.grant("PutObject", prefix=f"{TRANSCRIPTS}*"),
                    self.key.grant_read(),
                    grant_events(self._scope),
                ],
            ),
            self._child,
        )

    def _api(self) -> RestApi:
        settings = self._settings.api
        throttle = Throttle.of(settings.requests_per_second)
        return RestApi(
            "api",
            RestApiArgs(
                scope=self._scope,
                logical_name="Livestream",
                operations=OPERATIONS,
                function=self.episodes,
                throttle=throttle,
                cors_origin=settings.cors_origin,
                judge=self._judge() if settings.authorizer is AuthorizerKind.JWT else None,
                plan=(
                    Plan(throttle.rate, throttle.burst, KEY_REQUESTS_PER_DAY)
                    if settings.authorizer is AuthorizerKind.API_KEY
                    else None
                ),
                requests_per_address=settings.waf_requests,
                alarms=RestAlarms(client_errors_above=100, latency_above_ms=SLOW_MILLISECONDS),
            ),
            self._child,
        )

    def _judge(self) -> Judge:
        identity = self._scope.foundation.identity
        function = Function(
            "authorizer",
            FunctionArgs(
                scope=self._scope,
                logical_name="Authorizer",
                entry="handlers.livestream.authorizer.handler.handler",
                settings=self._settings.authorizer,
                environment=AuthorizerEnvironment,
                values={
                    "issuer": str(identity.issuer),
                    "audience": identity.audience,
                    "jwks_url": identity.keys_url,
                },
            ),
            self._child,
        )
        return Judge(function, result_seconds=JUDGED_SECONDS)

    def _charts(self) -> list[list[Chart]]:
        return [
            [function_chart(self.episodes), duration_chart(self.episodes)],
            [function_chart(self.videos.function), queue_chart(self.videos.queue)],
            [function_chart(self.agent.worker), queue_chart(self.agent.windows)],
            [self.agent.tokens, function_chart(self.care.function)],
            [table_chart(self.table)],
        ]
