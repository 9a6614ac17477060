"""Environment of the cleanup function, which also marks overdue tracks as failed. Its resource name is `care`.

The stack settings use the same range.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment
from handlers.common.sweep_time_budget import SweepSeconds

LimitMinutes = Annotated[int, Field(ge=30, le=1380)]
"""Time limit of a track state. Below a day, so that the tombstone of a deleted episode outlives everything that may
still write to the episode."""


class EpisodeCleanupEnvironment(HandlerEnvironment):
    """Environment variables of the cleanup function."""

    table_name: str
    bucket_name: str
    memory_id: str
    """Id of the agent's AgentCore memory."""
    summary_namespace: str
    """Namespace in which AgentCore stores summaries. Contains `{actorId}` and `{sessionId}`."""
    requested_minutes: LimitMinutes = 720
    """Time limit of the track state `requested`. The next three fields limit the states of the same name."""
    uploaded_minutes: LimitMinutes = 120
    chunking_minutes: LimitMinutes = 720
    analyzing_minutes: LimitMinutes = 360
    sweep_seconds: SweepSeconds = 40
    """Time after which a sweep starts no further episode."""
