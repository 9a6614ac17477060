"""Fake agents, as HTTP servers that follow a script for each connection, and a clock that tests advance.

The agent is the external service that answers questions. The functions `send_…` return scripts. The functions
`…_message` return messages of the agent protocol, which the agent sends as lines of JSON.
"""

import base64
import contextlib
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits, RetryTiming
from handlers.voice_qa.query_worker.agent.agent_types import (
    Agent,
    AgentFailed,
    AgentPiece,
    AgentQuestion,
    AgentTextPiece,
    Lecture,
    Turn,
    WrittenQuery,
    opaque_session_id,
)
from handlers.voice_qa.query_worker.agent.http_agent_client import HttpAgent

CANARY = "canary-7d1f"
"""Text that a fake agent sends, and that must not appear in any error."""
DURATION_MS = 60_000
QUESTION = AgentQuestion(
    query_id="query-1",
    session_id=opaque_session_id("us-east-1:identity#session"),
    lecture=Lecture("lecture-1", "http://127.0.0.1/lecture?signature", "mp3", DURATION_MS),
    query=WrittenQuery("What is a stream?"),
    conversation=(Turn("Who speaks?", "Nobody."),),
)
Script = Callable[[socket.socket], None]
"""Function that answers the request of one connection."""


@dataclass
class Clock:
    """Fake clock and fake randomness for a client's retries. A test can advance the clock and read the pauses."""

    seconds: float = 1000.0
    waits: list[float] = field(default_factory=list)
    random_share: float = 0.5
    """Share of the maximum pause that is waited before each retry."""

    @property
    def timing(self) -> RetryTiming:
        return RetryTiming(self.now, self.wait, lambda: self.random_share)

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@dataclass
class ScriptedServer:
    """A fake agent on its own port, and the requests that it received."""

    port: int
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    """Headers and body of each request."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def run_server(
    *scripts: Script,
    read: Callable[[socket.socket], tuple[str, bytes]] | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[ScriptedServer]:
    """Run a server that follows one script per connection and refuses connections after the last script.

    With `context`, the server uses TLS.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = ScriptedServer(listener.getsockname()[1])

    def serve() -> None:
        with listener:
            for script in scripts:
                with contextlib.suppress(OSError):
                    connection = listener.accept()[0]
                    connection.settimeout(20)
                    stream = context.wrap_socket(connection, server_side=True) if context else connection
                    with connection, stream:
                        server.requests.append((read or read_request)(stream))
                        script(stream)

    thread = threading.Thread(target=serve, name="scripted-server")
    thread.start()
    try:
        yield server
    finally:
        # If the client did not connect for each script, the server still waits. These connections end the wait.
        while thread.is_alive():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            thread.join(0.05)


def unused_port() -> int:
    """Return a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def send_status(code: int, **headers: str) -> Script:
    """Return a script that answers with a status, and with CANARY as reason, in a header and as body."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    body = f"HTTP/1.1 {code} {CANARY}\r\nX-Agent: {CANARY}\r\n{lines}Content-Length: {len(CANARY)}\r\n\r\n{CANARY}"
    return lambda connection: connection.sendall(body.encode())


def send_bytes(*parts: bytes) -> Script:
    """Return a script that sends these bytes."""
    return lambda connection: connection.sendall(b"".join(parts))


def response_headers(*headers: str) -> bytes:
    """Return a status line and headers. Without a header for the length, the body ends with the connection."""
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/jsonl", *headers, "", ""]).encode()


def send_answer(*messages: dict[str, Any]) -> Script:
    """Return a script that sends a complete answer in chunks."""

    def script(connection: socket.socket) -> None:
        connection.sendall(response_headers("Transfer-Encoding: chunked"))
        for message in messages:
            data = json_lines(message)
            connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))
        connection.sendall(b"0\r\n\r\n")

    return script


def json_lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def text_message(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def audio_message(content: bytes, audio_format: str = "ogg-opus") -> dict[str, Any]:
    return {"type": "audio", "audio": base64.b64encode(content).decode(), "format": audio_format}


def citation_message(start: Any, end: Any, quote: str = "said") -> dict[str, Any]:
    return {"type": "citation", "startMs": start, "endMs": end, "quote": quote}


DONE = {"type": "done"}


def read_first_bytes(connection: socket.socket) -> tuple[str, bytes]:
    """Read only the beginning of a request."""
    return connection.recv(100).decode(), b""


def read_request(connection: socket.socket) -> tuple[str, bytes]:
    """Read a complete request: headers and body."""
    with connection.makefile("rb") as file:
        lines = []
        while (header := file.readline()) not in {b"\r\n", b""}:
            lines.append(header.decode())
        length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
        return "".join(lines), file.read(length)


SHORT_ANSWER = send_answer(text_message("Hello."), DONE)
SHORT_ANSWER_PIECES = [AgentTextPiece("Hello.")]


def create_agent(endpoint: str, clock: Clock) -> Agent:
    return HttpAgent(endpoint, AnswerLimits(), clock.timing)


def ask_agent(endpoint: str, clock: Clock) -> list[AgentPiece]:
    with create_agent(endpoint, clock).answer(QUESTION) as pieces:
        return list(pieces)


def agent_failure(endpoint: str, clock: Clock) -> AgentFailed:
    """Ask a question that fails, and return its error, which must not contain any text of the agent."""
    with pytest.raises(AgentFailed) as failed:
        ask_agent(endpoint, clock)
    assert CANARY not in "".join(traceback.format_exception(failed.value))
    assert failed.value.__context__ is failed.value.__cause__ is None
    return failed.value
