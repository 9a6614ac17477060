"""Component of the livestream backend, which cuts the videos of episodes (recorded broadcasts) into chunks and checks
the facts in their transcripts.

This module creates the table and the bucket, the REST API with its functions, the secret that encrypts cursors
(positions in a list), and the archive of events. The components for videos, transcripts and cleanup use
the same table and bucket.
docs/decisions/0052 explains the storage of episodes.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.api.rest_api import AuthorizerFunction, RestApi, RestApiArgs
from components.blocks.api.rest_stage import RestAlarms
from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.compute.function import Function, FunctionArgs
from components.blocks.messaging.event_archive import EventArchive, EventArchiveArgs
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket, BucketArgs, CorsRule, LifecycleRule
from components.blocks.storage.secret_parameter import Secret, SecretArgs
from components.blocks.storage.table import SecondaryIndex, Table, TableArgs
from components.livestream.alarms import register_alarms
from components.livestream.episode_cleanup import EpisodeCleanup, EpisodeCleanupArgs
from components.livestream.event_publishing_permission import event_source, grant_events
from components.livestream.transcript_analysis import TranscriptAgent, TranscriptAgentArgs
from components.livestream.usage_estimate import EVENT_DAYS, OLD_VERSION_DAYS
from components.livestream.video_chunking import VideoChunking, VideoChunkingArgs
from components.settings import LivestreamSettings
from components.settings.livestream import AuthorizerKind
from handlers.livestream.authorizer.environment import AuthorizerEnvironment
from handlers.livestream.episodes_api.environment import EpisodesApiEnvironment
from handlers.livestream.episodes_api.operation_definitions import OPERATIONS
from handlers.livestream.s3_prefixes import CHUNKS, TRANSCRIPTS, VIDEOS
from handlers.livestream.table_keys import OWNER_INDEX, SWEEP_INDEX

SLOW_MILLISECONDS = 2_000
"""Latency threshold of the API alarm: it is raised if more than 5 % of the responses take longer."""
MAX_CLIENT_ERRORS = 100
"""An alarm is raised if the API gives more responses than this with a status of 400 to 499 in five minutes."""
AUTHORIZER_CACHE_SECONDS = 60
"""Time for which API Gateway caches an authorizer's result. An expired token is accepted until the cached result
expires."""


@dataclass(frozen=True)
class LivestreamArgs:
    scope: Scope
    settings: LivestreamSettings


class Livestream(pulumi.ComponentResource):
    """REST API, storage, functions and alarms of the livestream backend."""

    def __init__(self, name: str, args: LivestreamArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:livestream:Livestream", name, None, opts)
        self._scope, self._settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self._create_storage()
        self.episodes = self._create_episodes_function()
        self.api = self._create_api()
        self.videos = VideoChunking(
            "livestream-video-processing",
            VideoChunkingArgs(args.scope, args.settings, self.bucket, self.table),
            self._child,
        )
        # The names `livestream-clip-agent` and `livestream-episode-care` are in Pulumi's state, so they do not change.
        self.agent = TranscriptAgent(
            "livestream-clip-agent",
            TranscriptAgentArgs(args.scope, args.settings, self.bucket, self.table),
            self._child,
        )
        self.cleanup = EpisodeCleanup(
            "livestream-episode-care",
            EpisodeCleanupArgs(args.scope, args.settings, self.bucket, self.table, self.agent.memory),
            self._child,
        )
        EventArchive(
            "events",
            EventArchiveArgs(args.scope, "EpisodeEvents", event_source(args.scope), EVENT_DAYS),
            self._child,
        )
        register_alarms(
            args.scope, self.episodes, self.videos.function, self.agent.worker, self.cleanup.function, self._child
        )
        uploads = args.settings.uploads
        self.frontend: dict[str, pulumi.Input[object]] = {
            "api_url": self.api.url,
            "authorizer": args.settings.api.authorizer.value,
            "max_video_gigabytes": uploads.max_video_gigabytes,
            "max_transcript_megabytes": uploads.max_transcript_megabytes,
            "routes": [operation.route for operation in OPERATIONS],
        }
        self.register_outputs({"apiUrl": self.api.url})

    def _create_storage(self) -> None:
        scope, settings = self._scope, self._settings
        # The requirements name this table `NullCheckTable`. It contains all items of episodes.
        self.table = Table(
            "null-check",
            TableArgs(
                scope=scope,
                display_name="NullCheckTable",
                hash_key="pk",
                range_key="sk",
                indexes=[
                    SecondaryIndex(OWNER_INDEX, "GSI1PK", "GSI1SK"),
                    SecondaryIndex(SWEEP_INDEX, "GSI2PK", "GSI2SK", projected_attributes=[]),
                ],
                ttl_attribute="ttl",
            ),
            self._child,
        )
        self.bucket = Bucket(
            "transcripts",
            BucketArgs(
                scope=scope,
                display_name="TranscriptBucket",
                versioned=True,
                cors=CorsRule([settings.api.cors_origin], exposed_headers=["ETag"]),
                lifecycle=[
                    LifecycleRule(
                        "expire-all", expire_days=settings.uploads.object_days, old_version_days=OLD_VERSION_DAYS
                    )
                ],
                event_bridge=True,
            ),
            self._child,
        )
        key = settings.encryption_key
        if key is None:
            raise ValueError("livestream.encryptionKey is not set. The settings loader should have refused this.")
        # The secret encrypts the cursors with which clients page through lists.
        self.key = Secret("cursors", SecretArgs(scope, "EncryptionKey", key.get_secret_value()), self._child)

    def _create_episodes_function(self) -> Function:
        settings = self._settings
        return Function(
            "episodes",
            FunctionArgs(
                scope=self._scope,
                display_name="Episodes",
                entry="handlers.livestream.episodes_api.handler.handler",
                settings=settings.episodes,
                environment=EpisodesApiEnvironment,
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
                    self.table.grant("Query", index=OWNER_INDEX),
                    # The function presigns URLs for uploads and downloads, so its role needs the permissions that the
                    # URLs use. GetObject also permits HeadObject, with which it reads the size of a completed video.
                    self.bucket.grant("GetObject", "PutObject", prefix=f"{VIDEOS}*"),
                    self.bucket.grant("PutObject", prefix=f"{TRANSCRIPTS}*"),
                    self.bucket.grant("GetObject", prefix=f"{CHUNKS}*"),
                    self.key.grant_read(),
                    grant_events(self._scope),
                ],
            ),
            self._child,
        )

    def _create_api(self) -> RestApi:
        settings = self._settings.api
        return RestApi(
            "api",
            RestApiArgs(
                scope=self._scope,
                display_name="Livestream",
                operations=OPERATIONS,
                function=self.episodes,
                throttle=Throttle.from_rate(settings.requests_per_second),
                cors_origin=settings.cors_origin,
                authorizer=self._create_authorizer() if settings.authorizer is AuthorizerKind.JWT else None,
                alarms=RestAlarms(client_errors_above=MAX_CLIENT_ERRORS, latency_above_ms=SLOW_MILLISECONDS),
            ),
            self._child,
        )

    def _create_authorizer(self) -> AuthorizerFunction:
        function = Function(
            "authorizer",
            FunctionArgs(
                scope=self._scope,
                display_name="Authorizer",
                entry="handlers.livestream.authorizer.handler.handler",
                settings=self._settings.authorizer,
                environment=AuthorizerEnvironment,
                values=self._scope.foundation.identity.token_variables(self._scope.context.environment),
            ),
            self._child,
        )
        return AuthorizerFunction(function, result_seconds=AUTHORIZER_CACHE_SECONDS)
