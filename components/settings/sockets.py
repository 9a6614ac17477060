"""Settings that every WebSocket API has."""

from typing import Annotated

from pydantic import Field, StringConstraints

from components.settings.base import Settings

GATEWAY_SECONDS = 29
"""How long API Gateway waits for a function."""
Stage = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class SocketSettings(Settings):
    """The WebSocket API."""

    stage: Stage = "live"
    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Messages of all clients together that are let in."""
    burst: Annotated[int, Field(ge=1, le=5_000)] = 200
    client_errors_above: Annotated[int, Field(ge=0)] = 50
    """An alarm rings when API Gateway refuses more messages than these in five minutes."""
    refused_connections_above: Annotated[int, Field(ge=0)] = 50
    """The same for connections that the function behind it refuses, and for its failures."""
