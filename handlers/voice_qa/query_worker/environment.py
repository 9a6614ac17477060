"""Environment variables of the query worker, the function that answers questions with the help of an agent, and what the
deployment shares with it: the check of the agent's URL, and the reasons why the agent fails.

The agent is an external service: an HTTP service or Bedrock AgentCore Runtime.
"""

from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from handlers.voice_qa.environment import VoiceQaEnvironment


class WorkerEnvironment(VoiceQaEnvironment):
    agentcore_endpoint: str | None = None
    """URL of an agent that is an HTTP service, which does not run in AgentCore, although the variable's name says so.
    None if the agent runs in AgentCore Runtime."""
    agentcore_runtime_arn: str | None = None
    """ARN of an agent in AgentCore Runtime. None if the agent is an HTTP service."""
    agentcore_qualifier: str = "DEFAULT"
    """Name of an endpoint of the AgentCore runtime, which selects a version of the agent."""
    connect_seconds: Annotated[float, Field(ge=0.5, le=5)] = 2
    """Time limit for connecting to the agent, for each try."""
    silence_seconds: Annotated[float, Field(ge=2, le=120)] = 20
    """Maximum time without a complete line of an answer. After this time, no further try begins."""


class AgentCode(StrEnum):
    """Reasons why there is no complete answer. They are logged."""

    REFUSED = "refused"
    """The agent answers none of our questions: it denies access, does not exist, redirects us, or has an invalid
    certificate."""
    REJECTED = "rejected"
    """The agent does not accept this question, but may accept others."""
    THROTTLED = "throttled"
    """The agent is overloaded."""
    UNAVAILABLE = "unavailable"
    """The agent could not be reached, ended the connection before its answer was complete, or reports that it is
    unavailable."""
    TOO_SLOW = "too_slow"
    """The answer did not start, paused too long, or did not end in time."""
    MALFORMED = "malformed"
    """The response violates the protocol, or exceeds a size limit."""
    FAILED = "failed"
    """The agent could not answer because of an error of its own."""


def parse_agent_url(endpoint: str) -> SplitResult:
    """Return the parts of an HTTP agent's URL. Raises ValueError if it cannot be used as an endpoint."""
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("an agent's endpoint must be an http:// or https:// URL with a host and without a user name")
    if parts.query or parts.fragment or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise ValueError("an agent's endpoint must be ASCII without spaces, and must not have a query or a fragment")
    if parts.scheme == "http" and _is_public_address(parts.hostname):
        raise ValueError("an agent's endpoint at a public IP address must use https://")
    return parts


def _is_public_address(host: str) -> bool:
    """Return True for a public IP address. A host name is not resolved, so it never counts as a public address."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return False
