"""Environment of the function `episode-cleanup`, which removes the data of deleted episodes.

It also marks a track (the processing of a video or transcript) as failed if it stays in one state for too long.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment
from handlers.common.sweep import SweepSeconds

LimitMinutes = Annotated[int, Field(ge=30, le=1380)]
"""Time limit of a track state. It is below a day, because the item of a deleted episode is kept for at least a day. So
all work on the episode ends while the item still exists. The stack settings use the same range."""


class EpisodeCleanupEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    memory_id: str
    summary_namespace: str
    """Namespace in which AgentCore stores summaries. Contains `{actorId}` and `{sessionId}`."""
    fact_namespace: str
    """Namespace in which AgentCore stores facts. Contains `{actorId}` and `{sessionId}`."""
    requested_minutes: LimitMinutes = 720
    """Time limit of the track state `requested`. The next three fields limit the states of the same name."""
    uploaded_minutes: LimitMinutes = 120
    chunking_minutes: LimitMinutes = 720
    analyzing_minutes: LimitMinutes = 360
    sweep_seconds: SweepSeconds = 40
    """Time after which a sweep (a scheduled run of the function) starts no further episode."""
