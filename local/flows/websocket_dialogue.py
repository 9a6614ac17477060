"""Client for the WebSocket APIs. A response has the id of its request; other messages may arrive in between."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection

from local.flows import NotInTime

Message = dict[str, Any]
PATIENCE_SECONDS = 30
FRAME_BYTES = 30_000
"""Size of a frame. API Gateway accepts at most 32 KB. A browser sends a message as one frame; other clients may split
it."""


class Dialogue(ABC):
    """Client with one connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._waiting: list[Message] = []
        """Received messages that no call has returned yet."""
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @abstractmethod
    def _take(self, message: Message) -> None:
        """Process a message when it is received."""

    def ask(self, action: str, **content: Any) -> Message:
        """Send a request and return its response."""
        self._count += 1
        request_id = f"m{self._count}"
        self.send(json.dumps({"action": action, "id": request_id, **content}))
        return self._await(lambda message: message.get("id") == request_id, f"the response to {action}")

    def send(self, text: str) -> None:
        """Send a text, in frames that are small enough for API Gateway."""
        frames = [text[start : start + FRAME_BYTES] for start in range(0, len(text), FRAME_BYTES)]
        self._connection.send(frames if len(frames) > 1 else text)

    def next(self) -> Message:
        """Return the next message that no other call has returned."""
        return self._await(lambda _: True, "a message")

    def _await(self, is_wanted: Callable[[Message], bool], what: str) -> Message:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for index, message in enumerate(self._waiting):
            if is_wanted(message):
                return self._waiting.pop(index)
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                message = dict(json.loads(self._connection.recv(timeout=remaining)))
            except TimeoutError:
                break
            self._take(message)
            if is_wanted(message):
                return message
            self._waiting.append(message)
        raise NotInTime(
            f"{what} did not arrive within {PATIENCE_SECONDS} s; received types: {[message['type'] for message in self._waiting]}"
        )
