"""What a REST API offers: its operations, each with the models of what is asked and answered. Pure.

Handlers parse and answer by it, the deployment builds the gateway's document from it, and the documentation is it.
"""

from dataclasses import dataclass
from typing import Literal

from handlers.common.websocket.messages import Message

Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked."""

    name: str
    """The operation's id: `createEpisode`."""
    method: Method
    path: str
    """With its parameters in braces: `/episodes/{episodeId}`."""
    summary: str
    parameters: type[Message] | None = None
    """What the path names; its fields are required."""
    query: type[Message] | None = None
    """What the query string may have."""
    body: type[Message] | None = None
    answer: type[Message] | None = None
    """None answers without a body."""
    statuses: tuple[int, ...] = (200,)
    """Of good answers."""

    @property
    def route(self) -> str:
        """As people write it: `GET /episodes/{episodeId}`."""
        return f"{self.method} {self.path}"
