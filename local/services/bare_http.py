"""As much HTTP as an agent or a model needs: one request a connection, one answer, at once or bit by bit.

It decides what a request may look like and how an answer is put on the wire. What is asked and answered is the
service's.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from local import LOOPBACK

MAX_HEAD = 16 * 1024
MAX_BODY = 1024 * 1024
REQUEST_SECONDS = 10.0


class Refused(Exception):
    """A request that gets a status and nothing else."""

    def __init__(self, status: HTTPStatus, retry_after: int | None = None) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    body: bytes
    authorization: str = ""
    """By what it is signed."""


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[int]:
    """Serves while the block lasts, and gives the port; what is being answered at its end is broken off."""
    tasks: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            try:
                await answer(await request(reader), writer)
            except Refused as refused:
                await respond(writer, refused.status, refused.retry_after)
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, LOOPBACK, 0, limit=MAX_HEAD)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def request(reader: asyncio.StreamReader) -> Request:
    """The next request; raises Refused, or OSError or EOFError where there is none."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
                raise Refused(HTTPStatus.LENGTH_REQUIRED)
            if int(length) > MAX_BODY:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            body = await reader.readexactly(int(length))
    except asyncio.LimitOverrunError:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    except TimeoutError:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT) from None
    match line.split(" "):
        case [method, target, "HTTP/1.1"]:
            return Request(method, target.partition("?")[0], body, headers.get("authorization", ""))
        case _:
            raise Refused(HTTPStatus.BAD_REQUEST)


async def respond(writer: asyncio.StreamWriter, status: HTTPStatus, retry_after: int | None = None) -> None:
    """A whole answer that says no more than its status."""
    body = json.dumps({"status": status.phrase}).encode()
    told = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    writer.write(
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n{told}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )
    await writer.drain()


async def begin(writer: asyncio.StreamWriter) -> None:
    """The head of an answer in lines."""
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    await writer.drain()


async def send(writer: asyncio.StreamWriter, line: bytes) -> None:
    """A line, at once."""
    writer.write(b"%x\r\n%b\n\r\n" % (len(line) + 1, line))
    await writer.drain()


async def end(writer: asyncio.StreamWriter) -> None:
    """The end of an answer in lines."""
    writer.write(b"0\r\n\r\n")
    await writer.drain()
