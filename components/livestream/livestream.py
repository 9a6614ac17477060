"""Component of the livestream backend, which cuts the videos of episodes (recorded broadcasts) into chunks and checks
the facts in their transcripts.

This module creates the table and the bucket, the REST API with its functions, the secret that encrypts cursors
(positions in a list), and the archive of events. `episode_processing.py` creates what processes the uploads. `Platform`
creates this component. docs/decisions/0052 explains the storage of episodes.
"""

import pulumi

from components.blocks.bedrock import AgentMemory
from components.blocks.bucket import Bucket, cors_rule, lifecycle_rule
from components.blocks.events import EventArchive, create_failed_events_queue
from components.blocks.function import Function
from components.blocks.queue import Queue
from components.blocks.rest_api import RestApi
from components.blocks.secret import Secret
from components.blocks.table import SecondaryIndex, Table
from components.core import SubsystemArgs
from components.livestream import episode_processing
from components.livestream.cost import EVENT_DAYS, OLD_VERSION_DAYS
from components.settings import LivestreamSettings
from components.settings.livestream import AuthorizerKind
from handlers.livestream.environment import AuthorizerEnvironment, EpisodesApiEnvironment
from handlers.livestream.episodes.routes import OPERATIONS
from handlers.livestream.keys import CHUNKS, OWNER_INDEX, TRANSCRIPTS, VIDEOS

SLOW_MILLISECONDS = 2_000
"""Latency threshold of the API alarm: it is raised if more than 5 % of the responses take longer."""
MAX_CLIENT_ERRORS = 100
"""An alarm is raised if the API gives more responses than this with a status of 400 to 499 in five minutes."""
AUTHORIZER_CACHE_SECONDS = 60
"""Time for which API Gateway caches an authorizer's result. An expired token is accepted until the cached result
expires."""


class Livestream(pulumi.ComponentResource):
    """REST API, storage, functions and alarms of the livestream backend."""

    def __init__(
        self, name: str, args: SubsystemArgs[LivestreamSettings], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("polyphony:livestream:Livestream", name, None, opts)
        self._scope, self._settings = args.scope.within(self), args.settings
        scope, settings = self._scope, args.settings
        self._create_storage()
        cleanup_seconds = settings.episode_cleanup.timeout_seconds
        deletions = Queue(scope, "deletions", display_name="EpisodeDeletions", consumer_timeout=cleanup_seconds)
        api = self._create_api(self._create_episodes(deletions))
        memory = AgentMemory(scope, "memory", display_name="clipAgentMemory", days=settings.agent.memory_days)
        common = scope, settings, self.bucket, self.table
        failed_events = create_failed_events_queue(scope)
        windows = episode_processing.create_transcript_windows(*common, failed_events)
        episode_processing.create_episode_cleanup(*common, deletions, memory)
        episode_processing.create_video_chunks(*common, failed_events)
        episode_processing.create_fact_check_agent(*common, windows, memory)
        source = episode_processing.event_source(scope)
        EventArchive(scope, "events", display_name="EpisodeEvents", source=source, days=EVENT_DAYS)
        self.frontend: dict[str, pulumi.Input[object]] = {
            "api_url": api.url,
            "authorizer": settings.api.authorizer.value,
            "max_video_gigabytes": settings.uploads.max_video_gigabytes,
            "max_transcript_megabytes": settings.uploads.max_transcript_megabytes,
            "routes": [operation.route for operation in OPERATIONS],
        }
        self.register_outputs({"apiUrl": api.url})

    def _create_storage(self) -> None:
        # The requirements name this table `NullCheckTable`. It contains all items of episodes.
        self.table = Table(
            self._scope,
            "null-check",
            display_name="NullCheckTable",
            hash_key="pk",
            range_key="sk",
            indexes=[SecondaryIndex(OWNER_INDEX, "GSI1PK", "GSI1SK")],
            ttl_attribute="ttl",
        )
        days = self._settings.uploads.object_days
        self.bucket = Bucket(
            self._scope,
            "transcripts",
            display_name="TranscriptBucket",
            versioned=True,
            cors=cors_rule([self._settings.api.cors_origin], exposed_headers=["ETag"]),
            lifecycle=[lifecycle_rule("expire-all", expire_days=days, old_version_days=OLD_VERSION_DAYS)],
            event_bridge=True,
        )

    def _create_episodes(self, deletions: Queue) -> Function:
        settings, encryption_key = self._settings, self._settings.encryption_key
        if encryption_key is None:
            raise ValueError("livestream.encryptionKey is not set. The settings loader should have refused this.")
        # The secret encrypts the cursors with which clients page through lists.
        secret = encryption_key.get_secret_value()
        key = Secret(self._scope, "cursors", display_name="EncryptionKey", value=secret)
        return Function(
            self._scope,
            "episodes",
            settings=settings.episodes,
            environment=EpisodesApiEnvironment,
            errors_severity=None,  # no alarm of its own, because the API's alarm on server errors reports its errors
            uses=[
                self.table.grant("GetItem", "PutItem", "Query", variable="table_name"),
                self.table.grant("Query", index=OWNER_INDEX),
                # The function presigns URLs for uploads and downloads, so its role needs the permissions that the URLs
                # use. GetObject also permits HeadObject, with which it recognises a repeated completion of an upload.
                self.bucket.grant("GetObject", "PutObject", keys=f"{VIDEOS}*", variable="bucket_name"),
                self.bucket.grant("PutObject", keys=f"{TRANSCRIPTS}*"),
                self.bucket.grant("GetObject", keys=f"{CHUNKS}*"),
                key.grant_read("encryption_key"),
                deletions.grant("SendMessage", variable="deletions_queue_url"),
            ],
            values={
                "encryption_key_version": key.version,
                "origin": settings.api.cors_origin,
                "max_video_gigabytes": settings.uploads.max_video_gigabytes,
                "max_transcript_megabytes": settings.uploads.max_transcript_megabytes,
                "multipart_megabytes": settings.uploads.multipart_megabytes,
            },
        )

    def _create_api(self, episodes: Function) -> RestApi:
        settings = self._settings.api
        authorizer = None
        if settings.authorizer is AuthorizerKind.JWT:
            authorizer = Function(
                self._scope,
                "authorizer",
                settings=self._settings.authorizer,
                environment=AuthorizerEnvironment,
                errors_severity=None,  # as for the function `episodes`
                values=self._scope.foundation.identity.token_variables(self._scope.context.environment),
            )
        return RestApi(
            self._scope,
            "api",
            display_name="Livestream",
            operations=OPERATIONS,
            function=episodes,
            requests_per_second=settings.requests_per_second,
            method_metrics=settings.method_metrics,
            cors_origin=settings.cors_origin,
            authorizer=authorizer,
            authorizer_seconds=AUTHORIZER_CACHE_SECONDS,
            client_errors_above=MAX_CLIENT_ERRORS,
            latency_above_ms=SLOW_MILLISECONDS,
        )
