"""Fakes that all tests of voice Q&A's functions use: a clock, and the clients of the WebSocket API."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from handlers.common.json_models import Message
from handlers.common.websocket import WebSocketConnections

START_MS = 1_760_000_000_000
"""Time of the clock at the start of a test: 2025-10-09T08:53:20Z."""


@dataclass
class Clock:
    """Clock that only a test or a fake advances."""

    now_ms: int = START_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Clients(WebSocketConnections):
    """API Gateway's WebSocket connections, with fake clients that keep the messages that they receive."""

    gone: set[str] = field(default_factory=set)
    """Closed connections, which accept no message."""
    failures: list[Exception] = field(default_factory=list)
    """Exceptions of the next posts."""
    inbox: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Received messages by connection."""
    after_post: Callable[[str, Any], object] = lambda *_: None
    """Called with the connection and each message after it has arrived."""

    def post(self, connection_id: str, message: Message) -> bool:
        if self.failures:
            raise self.failures.pop(0)
        if connection_id in self.gone:
            return False
        sent = json.loads(message.model_dump_json(by_alias=True, exclude_none=True))
        self.inbox.setdefault(connection_id, []).append(sent)
        self.after_post(connection_id, message)
        return True

    def sent_to(self, connection_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a type that one client received."""
        return [message for message in self.inbox.get(connection_id, []) if message["type"] == kind]

    def piece_numbers(self, connection_id: str) -> list[int]:
        """Return the numbers of the pieces that a client received, in order."""
        return [message["number"] for message in self.inbox.get(connection_id, []) if "number" in message]
