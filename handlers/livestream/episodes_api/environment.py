"""What livestream's REST API reads from its environment."""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

CursorSeconds = Annotated[int, Field(ge=60, le=86_400)]
UrlSeconds = Annotated[int, Field(ge=60, le=3600)]
VideoGigabytes = Annotated[int, Field(ge=1, le=100)]
TranscriptMegabytes = Annotated[int, Field(ge=1, le=20)]
"""No larger one is read: `cues.MAX_TRANSCRIPT_BYTES`."""
MultipartMegabytes = Annotated[int, Field(ge=10, le=5000)]
DeletedDays = Annotated[int, Field(ge=1, le=90)]
MIN_SECRET_CHARACTERS = 16
"""Characters of one that cursors are sealed with."""


def parse_secrets(secret: str) -> list[str]:
    """The secrets that a text has, one a line, the newest first; raises ValueError where one is too short, or there is none.

    Here, because the settings hold the text to the same: a line too short would be found by the first list that goes on.
    """
    lines = [line.strip() for line in secret.splitlines() if line.strip()]
    if not lines or any(len(line) < MIN_SECRET_CHARACTERS for line in lines):
        raise ValueError(f"one of its lines is too short: each needs at least {MIN_SECRET_CHARACTERS} characters")
    return lines


class EpisodesApiEnvironment(HandlerEnvironment):
    """The function behind the REST API."""

    table_name: str
    bucket_name: str
    event_source: str
    """Under which it tells the bus of what was deleted."""
    encryption_key: str
    """Name of the SecureString that cursors are encrypted with: never the key itself."""
    encryption_key_version: str | None = None
    """Which version of it was deployed. Nobody reads it: with a new one callers get containers that read the key anew."""
    origin: str = "*"
    """Whose pages may read the answers."""
    cursor_seconds: CursorSeconds = 3600
    url_seconds: UrlSeconds = 3600
    """How long a form or a part's address holds."""
    max_video_gigabytes: VideoGigabytes = 20
    max_transcript_megabytes: TranscriptMegabytes = 10
    multipart_megabytes: MultipartMegabytes = 100
    """What is larger is uploaded in parts."""
    deleted_days: DeletedDays = 7
    """How long what is left of a deleted episode is kept."""
