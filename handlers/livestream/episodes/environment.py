"""Environment of the function `episodes`, which serves livestream's REST API.

A cursor is the encrypted position in a list that a client sends to get the next page. The stack settings for uploads
use the ranges `VideoGigabytes`, `TranscriptMegabytes` and `MultipartMegabytes` of this module, too.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.common.environment import HandlerEnvironment

CursorSeconds = Annotated[int, Field(ge=60, le=86_400)]
UrlSeconds = Annotated[int, Field(ge=60, le=PRESIGNED_SECONDS)]
VideoGigabytes = Annotated[int, Field(ge=1, le=100)]
TranscriptMegabytes = Annotated[int, Field(ge=1, le=20)]
"""Maximum size of a transcript. The upper bound is `cues.MAX_TRANSCRIPT_BYTES`, above which no transcript is read."""
MultipartMegabytes = Annotated[int, Field(ge=10, le=5000)]
DeletedDays = Annotated[int, Field(ge=1, le=90)]
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


class EpisodesApiEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    event_source: str
    """EventBridge source of the event that announces the deletion of an episode."""
    encryption_key: str
    """Name of the SSM SecureString parameter with the secrets for cursors; never a secret itself."""
    encryption_key_version: str | None = None
    """Deployed version of the parameter. No code reads it; its change starts new containers, which read the parameter
    again."""
    origin: str = "*"
    """Web origin that CORS permits."""
    cursor_seconds: CursorSeconds = 3600
    """Validity of a cursor."""
    url_seconds: UrlSeconds = PRESIGNED_SECONDS
    """Maximum validity of a presigned form or URL for an upload."""
    playback_seconds: UrlSeconds = 300
    """Maximum validity of the URL of a video chunk. Clients list the chunks again when they need later chunks."""
    max_video_gigabytes: VideoGigabytes = 20
    max_transcript_megabytes: TranscriptMegabytes = 10
    multipart_megabytes: MultipartMegabytes = 100
    """Videos above this size are uploaded in parts. Transcripts are never uploaded in parts."""
    deleted_days: DeletedDays = 7
    """Number of days for which the record of a deleted episode (its tombstone) is kept."""
