"""Environment variables of the router."""

from typing import Annotated, Literal

from pydantic import Field

from handlers.transcription.environment import InFlight, TranscriptionEnvironment


class RouterEnvironment(TranscriptionEnvironment):
    """Environment variables of the router."""

    processor: str
    """ARN of the audio processor's alias."""
    auth: Literal["oidc", "none"] = "oidc"
    issuer: str | None = None
    audience: str | None = None
    jwks_url: str | None = None
    in_flight: InFlight = 3
    sessions_per_user: Annotated[int, Field(ge=1, le=100)] = 5
    session_seconds: Annotated[int, Field(ge=60, le=6 * 3600)] = 4 * 3600
    languages: str = "en-US"
    """Languages that a session can use, separated by commas."""
    direct_enabled: bool = True
    direct_seconds: Annotated[int, Field(ge=1, le=300)] = 300
    """Lifetime of a presigned URL with which a client streams directly to Amazon Transcribe."""
    aws_endpoint_url_transcribe_streaming: str | None = None
    """Endpoint of Amazon Transcribe, if it is not the region's usual one."""
