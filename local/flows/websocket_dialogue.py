"""A client's side of a WebSocket API of ours: what is asked has an id, and its answer has the same; more comes between."""

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
"""A frame is 32 KB at most; browsers send a message as one frame, other clients may cut it."""


class Dialogue(ABC):
    """One client with one connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._waiting: list[Message] = []
        """What came before anybody asked for it."""
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @abstractmethod
    def _take(self, message: Message) -> None:
        """Follows whatever comes, as it comes."""

    def ask(self, action: str, **content: Any) -> Message:
        """Sends a message and waits for its answer."""
        self._count += 1
        name = f"m{self._count}"
        self.send(json.dumps({"action": action, "id": name, **content}))
        return self._await(lambda one: one.get("id") == name, f"an answer to {action}")

    def send(self, text: str) -> None:
        """Sends anything, in frames that are small enough for API Gateway."""
        frames = [text[start : start + FRAME_BYTES] for start in range(0, len(text), FRAME_BYTES)]
        self._connection.send(frames if len(frames) > 1 else text)

    def next(self) -> Message:
        """The next message that is no answer to anything else."""
        return self._await(lambda _: True, "a message")

    def _await(self, wanted: Callable[[Message], bool], what: str) -> Message:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for index, message in enumerate(self._waiting):
            if wanted(message):
                return self._waiting.pop(index)
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = dict(json.loads(self._connection.recv(timeout=left)))
            except TimeoutError:
                break
            self._take(message)
            if wanted(message):
                return message
            self._waiting.append(message)
        raise NotInTime(f"{what}: not in {PATIENCE_SECONDS} s; came: {[one['type'] for one in self._waiting]}")
