"""Environment variables of the WebSocket handler, the function that replies to the messages of voice Q&A's clients.

The stack settings also use the types of these variables.
"""

from typing import Annotated, Literal

from pydantic import Field

from handlers.voice_qa.environment import VoiceQaEnvironment

LecturesPerDay = Annotated[int, Field(ge=1, le=1000)]
"""Maximum number of lectures that one guest can upload in a day (UTC)."""
QueriesPerHour = Annotated[int, Field(ge=1, le=1000)]
"""Maximum number of one guest's questions in an hour."""
UrlSeconds = Annotated[int, Field(ge=60, le=3600)]
"""Maximum lifetime of an upload form. The requirements state one hour, which is longer than the lifetime of other
presigned URLs (`PRESIGNED_SECONDS`). A form expires earlier if the credentials that signed it expire. The client then
requests another form."""


class SocketEnvironment(VoiceQaEnvironment):
    """Environment variables of the WebSocket handler. The types of the limits explain their meaning."""

    worker: str
    """ARN of the query worker's alias."""
    time_limit_queue: str
    """URL of the queue with the delayed checks of the questions' time limits."""
    identity_pool: str
    """The identity pool whose guests may connect."""
    guest_id_key: str
    """Name of the SSM SecureString parameter that contains a secret key. A guest id is a hash of the guest's Cognito
    identity id with this key."""
    guest_id_key_version: str | None = None
    """Deployed version of the parameter. No code reads this variable. A change of it starts new containers, which read
    the parameter again."""
    lecture_uploads: Literal["guests", "off"] = "off"
    """`guests` if guests may upload lectures, or `off` if only operators may."""
    url_seconds: UrlSeconds = 3600
    accelerated: bool = False
    """True if upload forms use S3 Transfer Acceleration."""
    max_lecture_bytes: Annotated[int, Field(ge=1_000_000, le=5_000_000_000)] = 2_000_000_000
    """Maximum size of a lecture that a guest uploads."""
    lectures_per_day: LecturesPerDay = 20
    queries_per_hour: QueriesPerHour = 60
