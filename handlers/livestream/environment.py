"""Environment variables of livestream's functions, and numbers that several of them use.

A cursor is the encrypted position in a list that a client sends to get the next page. A cue is a timed line of a
transcript. A window is a section of a transcript that is small enough for one model request. It consists of a core and an
overlap, which repeats the start of the next window. The last window has no overlap.
"""

from handlers.common.environment import HandlerEnvironment

MIN_SECRET_CHARACTERS = 16
"""Minimum length of a secret for encrypting cursors."""
WINDOW_SECONDS = 600
"""Maximum time between the starts of the first and the last cue in the core of a window. The core of the last window may
be longer."""
OVERLAP_CHARACTERS = 600
"""Minimum length of a window's overlap. A fact claim of at most this length is always complete in one window."""
MAX_OUTPUT_TOKENS = 3_900
"""Maximum number of tokens of a model's answer, not counting those that it uses for thinking."""


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


DELETION_DELAYS_SECONDS = (5, 900)
"""Delays of the two messages about a deleted episode. The second is the longest that SQS allows."""


class AuthorizerEnvironment(HandlerEnvironment):
    """Identity provider whose tokens the function `authorizer` accepts."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    """URL of the provider's signing keys. Only a stack for the local platform leaves it out. The platform then adds the
    variable itself, with the URL of its own identity provider."""


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
    origin: str
    """Web origin that CORS permits."""
    max_video_gigabytes: int
    max_transcript_megabytes: int
    multipart_megabytes: int
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


class VideoChunksEnvironment(HandlerEnvironment):
    """Variables of the function `video-chunks`, which lets MediaConvert cut uploaded videos into chunks."""

    table_name: str
    bucket_name: str
    event_source: str
    """Source of the event that announces a complete video upload."""
    mediaconvert_role_arn: str
    chunk_seconds: int


class TranscriptWindowsEnvironment(HandlerEnvironment):
    """Variables of the function `transcript-windows`, which divides transcripts into windows."""

    table_name: str
    bucket_name: str
    agent_queue_url: str
    """Queue of the function `fact-check-agent`, which analyzes the windows."""
    window_characters: int
    """Maximum number of characters in a window's core. A core that is a single cue may be longer. So may the core of the
    last window, because it includes what would otherwise be its overlap."""


class AgentEnvironment(HandlerEnvironment):
    """Variables of the function `fact-check-agent`, which lets a model find fact claims and clips in windows."""

    table_name: str
    bucket_name: str
    memory_id: str
    model_id: str
    answer_seconds: int
    """Maximum time that the function waits for one answer of the model."""
