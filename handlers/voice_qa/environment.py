"""What voice Q&A's socket handler and query worker read from their environment, and what settings share with them."""

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

QUERIES_PREFIX, RESPONSES_PREFIX, LECTURES_PREFIX = "queries/", "responses/", "lectures/"
"""Where audio is: questions and answers go after days, lectures stay."""

MAX_QUERY_BYTES = 10_000_000
SessionDays = Annotated[int, Field(ge=1, le=365)]
UrlSeconds = Annotated[int, Field(ge=60, le=3600)]
LecturesPerDay = Annotated[int, Field(ge=1, le=1000)]
QueriesAtOnce = Annotated[int, Field(ge=1, le=10)]
QueriesPerHour = Annotated[int, Field(ge=1, le=1000)]
ConnectSeconds = Annotated[float, Field(ge=0.5, le=5)]
FirstByteSeconds = Annotated[float, Field(ge=1, le=60)]
SilenceSeconds = Annotated[float, Field(ge=2, le=120)]
AnswerSeconds = Annotated[float, Field(ge=10, le=840)]


def parse_endpoint(endpoint: str) -> SplitResult:
    """Where an agent is that answers over HTTP; raises ValueError where it could not be asked."""
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("an agent's endpoint is http:// or https:// with a host, and no user")
    if parts.query or parts.fragment or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise ValueError("an agent's endpoint ends with its path")
    if parts.scheme == "http" and _public(parts.hostname):
        raise ValueError("an agent at a public address is asked by https:// only")
    return parts


def _public(host: str) -> bool:
    """Whether this is an address of the internet; where a name leads to is the operator's business."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return False


class StoreEnvironment(HandlerEnvironment):
    """What both read."""

    s3_bucket: str
    dynamodb_table: str
    session_days: SessionDays = 7
    """Days that a question is kept, and a conversation from its first turn on."""
    max_query_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = MAX_QUERY_BYTES
    """Of a spoken question."""
    url_seconds: UrlSeconds = 3600
    """How long a client can use an address that it is told."""


class SocketEnvironment(StoreEnvironment):
    """The socket handler's."""

    worker: str
    """ARN of the worker's alias."""
    identity_pool: str
    """The one pool whose guests may connect."""
    lecture_uploads: Literal["guests", "off"] = "off"
    accelerated: bool = False
    """Whether forms lead to the nearest edge location."""
    max_lecture_bytes: Annotated[int, Field(ge=1_000_000, le=5_000_000_000)] = 2_000_000_000
    lectures_per_day: LecturesPerDay = 20
    """Lectures of one identity, where guests may upload them."""
    queries_at_once: QueriesAtOnce = 2
    """Questions of one identity that are being answered."""
    queries_per_hour: QueriesPerHour = 60
    """Questions of one identity."""


class WorkerEnvironment(StoreEnvironment):
    """The query worker's."""

    agentcore_endpoint: str | None = None
    """Where the agent answers over HTTP; none where it is in AgentCore Runtime."""
    agentcore_runtime_arn: str | None = None
    agentcore_qualifier: str = "DEFAULT"
    connect_seconds: ConnectSeconds = 2
    first_byte_seconds: FirstByteSeconds = 10
    silence_seconds: SilenceSeconds = 20
    answer_seconds: AnswerSeconds = 600
