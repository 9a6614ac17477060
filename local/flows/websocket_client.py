"""Base class of the clients of transcription and voice Q&A, with which flows and tests use their WebSocket APIs.

A client sends requests and waits for their responses. A response has the id of its request, and other messages may
arrive before it. If the service is not available, the client repeats a handshake or a request a few times.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Self

from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from handlers.common.websocket import WebSocketErrorCode
from local.flows import ResultNotInTime

Message = dict[str, Any]
FRAME_BYTES = 30_000
"""Maximum size of a sent frame. API Gateway accepts at most 32 KB."""
MAX_ATTEMPTS = 5
"""Maximum number of attempts at a request or handshake while the service is not available."""
RETRY_SECONDS = 0.5


def connect_to_api(url: str, subprotocols: Sequence[str] | None = None) -> ClientConnection:
    """Open a connection. Raise InvalidStatus if the API refuses the handshake. Only status 503 leads to more attempts."""
    offered = [Subprotocol(name) for name in subprotocols] if subprotocols else None
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return connect(url, subprotocols=offered, proxy=None, close_timeout=1)
        except InvalidStatus as error:
            if error.response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
        time.sleep(RETRY_SECONDS)
    return connect(url, subprotocols=offered, proxy=None, close_timeout=1)


class WebSocketClient(ABC):
    """Client that sends requests over a WebSocket connection and waits for the replies."""

    def __init__(self, connection: ClientConnection, patience_seconds: float) -> None:
        self._connection = connection
        self._patience_seconds = patience_seconds
        """Time limit for an expected message."""
        self._unread: list[Message] = []
        """Received messages that were not returned yet."""
        self._request_count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @abstractmethod
    def _process(self, message: Message) -> None:
        """Handle a message when it is received, before it is returned."""

    def ask(self, action: str, **content: Any) -> Message:
        """Send a request, and return its response, which may be an error."""
        for _ in range(MAX_ATTEMPTS - 1):
            response = self._ask_once(action, content)
            if response.get("code") != WebSocketErrorCode.UNAVAILABLE:
                return response
            time.sleep(RETRY_SECONDS)
        return self._ask_once(action, content)

    def _ask_once(self, action: str, content: Message) -> Message:
        self._request_count += 1
        request_id = f"m{self._request_count}"
        self.send(json.dumps({"action": action, "id": request_id, **content}))
        return self._await(lambda message: message.get("id") == request_id, f"the response to {action}")

    def send(self, text: str) -> None:
        """Send a message, in several frames if it is too long for one."""
        frames = [text[start : start + FRAME_BYTES] for start in range(0, len(text), FRAME_BYTES)]
        self._connection.send(frames if len(frames) > 1 else text)

    def next(self) -> Message:
        """Return the oldest message that was not returned yet. Wait for one if necessary."""
        return self._await(lambda _: True, "a message")

    def _await(self, is_wanted: Callable[[Message], bool], what: str) -> Message:
        """Return the first unread or next message that is wanted. `what` describes it in the error if none arrives."""
        deadline = time.monotonic() + self._patience_seconds
        for index, message in enumerate(self._unread):
            if is_wanted(message):
                return self._unread.pop(index)
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                message = dict(json.loads(self._connection.recv(timeout=remaining)))
            except TimeoutError:
                break
            self._process(message)
            if is_wanted(message):
                return message
            self._unread.append(message)
        raise ResultNotInTime(
            f"{what} did not arrive within {self._patience_seconds:g} s; "
            f"received types: {[message['type'] for message in self._unread]}"
        )
