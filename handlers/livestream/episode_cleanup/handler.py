"""Lambda function `episode-cleanup`: removes the data of deleted episodes, and marks overdue tracks as failed.

A track is the processing of an episode's video or transcript; it is overdue if it stays in one state for too long.
Deletion events arrive through a queue. A schedule starts a sweep, which finds overdue tracks and deleted episodes.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.events import BatchFailures
from handlers.common.logging import EventLog
from handlers.livestream.episode_cleanup.agent_memory_deletion import AgentMemoryCleaner
from handlers.livestream.episode_cleanup.cleanup_table_gateway import CleanupTable
from handlers.livestream.episode_cleanup.deleted_and_overdue_episodes import EpisodeCleaner
from handlers.livestream.episode_cleanup.environment import EpisodeCleanupEnvironment
from handlers.livestream.episode_cleanup.s3_object_deletion import EpisodeObjects
from handlers.livestream.track_processing_states import TrackState


class CleanupSweepEvent(BaseModel):
    kind: Literal["sweep"]


@cache
def _cleaner() -> EpisodeCleaner:
    environment = EpisodeCleanupEnvironment.read()
    memory: Any = boto3.client("bedrock-agentcore", config=CONFIG)
    return EpisodeCleaner(
        CleanupTable(boto3.client("dynamodb", config=CONFIG), environment.table_name),
        EpisodeObjects(boto3.client("s3", config=CONFIG), environment.bucket_name),
        AgentMemoryCleaner(memory, environment.memory_id, [environment.summary_namespace, environment.fact_namespace]),
        limits={
            TrackState.REQUESTED: timedelta(minutes=environment.requested_minutes),
            TrackState.UPLOADED: timedelta(minutes=environment.uploaded_minutes),
            TrackState.CHUNKING: timedelta(minutes=environment.chunking_minutes),
            TrackState.ANALYZING: timedelta(minutes=environment.analyzing_minutes),
        },
        budget=timedelta(seconds=environment.sweep_seconds),
        clock=ids.now,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures | dict[str, int]:
    """Process a batch of deletion events, or run one sweep."""
    cleaner = _cleaner()
    if "Records" in event:
        return cleaner.handle(event["Records"])
    CleanupSweepEvent.model_validate(event)
    return cleaner.sweep()
