"""What the function that looks after episodes reads from its environment; a deployment's settings share the ranges."""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment, SweepSeconds

LimitMinutes = Annotated[int, Field(ge=30, le=1380)]
"""Below a day, so that a deleted episode's mark outlives all that may still write."""


class EpisodeCleanupEnvironment(HandlerEnvironment):
    """The function's own."""

    table_name: str
    bucket_name: str
    memory_id: str
    summary_namespace: str
    """Where AgentCore writes summaries, with `{actorId}` and `{sessionId}` in it."""
    requested_minutes: LimitMinutes = 720
    uploaded_minutes: LimitMinutes = 120
    chunking_minutes: LimitMinutes = 720
    analyzing_minutes: LimitMinutes = 360
    sweep_seconds: SweepSeconds = 40
    """After which a sweep begins nothing more."""
