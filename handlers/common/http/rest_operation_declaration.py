"""Declaration of one operation of a REST API. A subsystem declares its API as a list of operations.

`rest_dispatch` uses the models of an operation to validate requests and answers. The deployment builds the API Gateway
definition from the same list, and `python -m local generate` writes the OpenAPI documents from it.
"""

from dataclasses import dataclass
from typing import Literal

from handlers.common.json_models import Message

Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True)
class RestOperation:
    """One operation of a REST API, with the models of its request and its answer."""

    name: str
    """Operation id, for example `createEpisode`."""
    method: Method
    path: str
    """Path with parameters in braces, for example `/episodes/{episodeId}`."""
    summary: str
    parameters: type[Message] | None = None
    """Path parameters. All fields are required."""
    query: type[Message] | None = None
    """Query string parameters."""
    body: type[Message] | None = None
    answer: type[Message] | None = None
    """Body of the answer, or None for an answer without a body."""
    statuses: tuple[int, ...] = (200,)
    """Status codes of successful answers."""

    @property
    def route(self) -> str:
        """Method and path, for example `GET /episodes/{episodeId}`."""
        return f"{self.method} {self.path}"
