"""Environment variables that the WebSocket handler and the query worker share, and the names and ranges that stack
settings share with the functions.
"""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

QUERIES_PREFIX, RESPONSES_PREFIX, LECTURES_PREFIX = "queries/", "responses/", "lectures/"
"""Key prefixes of the audio bucket. Questions and answers expire after some days; lectures do not expire."""

MAX_QUERY_BYTES = 10_000_000
"""Default for the maximum size of a spoken question."""
SessionDays = Annotated[int, Field(ge=1, le=365)]
"""Days for which a question is kept, and a conversation after its first turn."""
UrlSeconds = Annotated[int, Field(ge=60, le=3600)]
"""Lifetime of the presigned URLs and upload forms that clients get."""
LecturesPerDay = Annotated[int, Field(ge=1, le=1000)]
"""Maximum number of lectures that one guest can upload in 24 hours."""
QueriesAtOnce = Annotated[int, Field(ge=1, le=10)]
"""Maximum number of one guest's questions that are being answered at the same time."""
QueriesPerHour = Annotated[int, Field(ge=1, le=1000)]
"""Maximum number of one guest's questions in an hour."""
ConnectSeconds = Annotated[float, Field(ge=0.5, le=5)]
"""Time limit of one try to connect to the agent."""
FirstByteSeconds = Annotated[float, Field(ge=1, le=60)]
"""Maximum time from a question to the first byte of its answer, including retries."""
SilenceSeconds = Annotated[float, Field(ge=2, le=120)]
"""Maximum time between two lines of an answer."""
AnswerSeconds = Annotated[float, Field(ge=10, le=840)]
"""Maximum time from a question to the end of its answer. It is below the 15 minutes that an invocation may take."""


def parse_endpoint(endpoint: str) -> SplitResult:
    """Return the parts of an HTTP agent's endpoint. Raises ValueError if it cannot be used as an endpoint."""
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("an agent's endpoint must be an http:// or https:// URL with a host and without a user")
    if parts.query or parts.fragment or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise ValueError("an agent's endpoint must be ASCII without spaces, and must not have a query or a fragment")
    if parts.scheme == "http" and _is_public_address(parts.hostname):
        raise ValueError("an agent's endpoint at a public IP address must use https://")
    return parts


def _is_public_address(host: str) -> bool:
    """Return True for a public IP address. A host name is not resolved: the operator is responsible for its target."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return False


class VoiceQaEnvironment(HandlerEnvironment):
    """Environment variables of the WebSocket handler and the query worker. The annotated types define their meaning."""

    s3_bucket: str
    """Audio bucket: lectures, spoken questions and stored answers."""
    dynamodb_table: str
    session_days: SessionDays = 7
    max_query_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = MAX_QUERY_BYTES
    """Maximum size of a spoken question."""
    url_seconds: UrlSeconds = 3600
