"""Environment variables of the WebSocket handler."""

from typing import Annotated, Literal

from pydantic import Field

from handlers.voice_qa.environment import LecturesPerDay, QueriesAtOnce, QueriesPerHour, VoiceQaEnvironment


class SocketEnvironment(VoiceQaEnvironment):
    """Environment variables of the WebSocket handler."""

    worker: str
    """ARN of the query worker's alias."""
    identity_pool: str
    """The identity pool whose guests may connect."""
    lecture_uploads: Literal["guests", "off"] = "off"
    accelerated: bool = False
    """True if upload forms use S3 Transfer Acceleration."""
    max_lecture_bytes: Annotated[int, Field(ge=1_000_000, le=5_000_000_000)] = 2_000_000_000
    lectures_per_day: LecturesPerDay = 20
    """Maximum number of lectures that one guest can upload in 24 hours."""
    queries_at_once: QueriesAtOnce = 2
    """Maximum number of one guest's questions that are being answered at the same time."""
    queries_per_hour: QueriesPerHour = 60
    """Maximum number of one guest's questions in an hour."""
