"""Environment variables of livestream's functions, and the ranges of numbers that the stack settings use, too.

A cursor is the encrypted position in a list that a client sends to get the next page.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

VideoGigabytes = Annotated[int, Field(ge=1, le=100)]
TranscriptMegabytes = Annotated[int, Field(ge=1, le=20)]
"""Maximum size of a transcript. No larger transcript is read than the upper bound."""
MultipartMegabytes = Annotated[int, Field(ge=10, le=5000)]
MIN_SECRET_CHARACTERS = 16
"""Minimum length of a secret for encrypting cursors."""


def parse_secrets(secret: str) -> list[str]:
    """Return the secrets that a text contains, one per line, the newest first.

    Raise ValueError if a secret is too short or the text is empty. The stack settings use this function too, so an
    invalid text stops the deployment. Otherwise the error would first appear when a list needs a cursor.
    """
    lines = [line.strip() for line in secret.splitlines() if line.strip()]
    if not lines or any(len(line) < MIN_SECRET_CHARACTERS for line in lines):
        raise ValueError(
            f"each line must have at least {MIN_SECRET_CHARACTERS} characters, and there must be at least one line"
        )
    return lines


class AuthorizerEnvironment(HandlerEnvironment):
    """Identity provider whose tokens the function `authorizer` accepts."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    """URL of the provider's signing keys. Only a stack for the local platform leaves it out: the platform then adds the
    variable, with the URL of the local identity provider.
    """


class EpisodesApiEnvironment(HandlerEnvironment):
    """Variables of the function `episodes`, which serves the REST API."""

    table_name: str
    bucket_name: str
    deletions_queue_url: str
    """Queue of the function `episode-cleanup`, for deleted episodes."""
    encryption_key: str
    """Name of the SSM SecureString parameter with the secrets for cursors; never a secret itself."""
    encryption_key_version: str | None = None
    """Deployed version of the parameter. No code reads it; its change starts new containers, which read the parameter
    again."""
    origin: str = "*"
    """Web origin that CORS permits."""
    max_video_gigabytes: VideoGigabytes = 20
    max_transcript_megabytes: TranscriptMegabytes = 10
    multipart_megabytes: MultipartMegabytes = 100
    """Videos above this size are uploaded in parts. Transcripts are never uploaded in parts."""


class EpisodeCleanupEnvironment(HandlerEnvironment):
    """Variables of the function `episode-cleanup`, which removes the data of deleted episodes."""

    table_name: str
    bucket_name: str
    memory_id: str
    summary_namespace: str
    """Namespace in which AgentCore stores summaries. Contains `{actorId}` and `{sessionId}`."""
    fact_namespace: str
    """Namespace in which AgentCore stores facts. Contains `{actorId}` and `{sessionId}`."""
