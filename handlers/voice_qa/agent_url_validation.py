"""Check of the URL of voice Q&A's agent, the service that answers questions, if the agent is an HTTP service."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


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
