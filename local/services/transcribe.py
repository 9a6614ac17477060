"""Amazon Transcribe's streaming service for this machine: the real protocol, and ears for words that are tones.

It decides when a stream opens and how it ends, as the real service does over WebSockets. Incoming frames are read by
botocore's decoder, so that whoever talks to it is checked against somebody else's code. It answers as audio comes,
never ahead of it. It runs in any event loop: who serves, and for how long, is the caller's business.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from botocore.eventstream import EventStreamBuffer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from handlers.common import clock
from local import LOOPBACK
from local.services.tones import Recogniser
from local.services.transcribe_audio import Decoder, decoding
from local.services.transcribe_captions import Answer, Captions, Ending, exception
from local.services.transcribe_requests import Asked, BadRequest, asked, refusal

SILENCE_SECONDS = 15.0
MAX_CHUNK = 32 * 1024
MAX_FRAME = MAX_CHUNK + 1024
CLOSE_SECONDS = 1


@contextlib.asynccontextmanager
async def serve(
    *,
    silence_seconds: float = SILENCE_SECONDS,
    now: Callable[[], datetime] = clock.now,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> AsyncIterator[int]:
    """Serves while the block lasts, and gives the port."""

    def checked(connection: ServerConnection, request: Request) -> Response | None:
        status = refusal(request.path, now())
        return None if status is None else connection.respond(status, "")

    async def converse(connection: ServerConnection) -> None:
        await _Conversation(connection, silence_seconds, new_id).hold()

    async with serve_websockets(
        converse,
        LOOPBACK,
        0,
        process_request=checked,
        compression=None,
        ping_interval=None,
        close_timeout=CLOSE_SECONDS,
        max_size=MAX_FRAME,
    ) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@dataclass(frozen=True)
class _Conversation:
    connection: ServerConnection
    silence_seconds: float
    new_id: Callable[[], str]

    async def hold(self) -> None:
        """Listens and answers until either is over; the server closes normally after it."""
        with contextlib.suppress(ConnectionClosed):
            try:
                wanted = asked(self.connection.request.path if self.connection.request else "")
                async with decoding(wanted) as decoder:
                    await self._talk(wanted, decoder)
            except BadRequest as bad:
                await self.connection.send(exception("BadRequestException", str(bad)))

    async def _talk(self, wanted: Asked, decoder: Decoder) -> None:
        listening = asyncio.create_task(self._listen(decoder))
        answering = asyncio.create_task(self._answer(wanted, decoder))
        try:
            await asyncio.wait([listening, answering], return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()
            await answering
        finally:
            listening.cancel()
            answering.cancel()
            await asyncio.gather(listening, answering, return_exceptions=True)

    async def _listen(self, decoder: Decoder) -> None:
        while True:
            try:
                async with asyncio.timeout(self.silence_seconds):
                    chunk = _audio(await self.connection.recv())
            except TimeoutError:
                raise BadRequest(
                    f"Your request timed out because no new audio was received for {self.silence_seconds:g} seconds."
                ) from None
            if not chunk:
                await decoder.end()
                return
            await decoder.feed(chunk)

    async def _answer(self, wanted: Asked, decoder: Decoder) -> None:
        async for answer in self._answers(wanted, decoder):
            if isinstance(answer, bytes):
                await self.connection.send(answer)
                continue
            if answer is Ending.DROPPED:
                self.connection.transport.abort()
            return

    async def _answers(self, wanted: Asked, decoder: Decoder) -> AsyncIterator[Answer]:
        recogniser = Recogniser(wanted.sample_rate)
        captions = Captions(stabilised=wanted.stabilised, new_id=self.new_id)
        async for samples in decoder.samples():
            for heard in recogniser.feed(samples):
                for answer in captions.hear(heard):
                    yield answer
        for heard in recogniser.finish():
            for answer in captions.hear(heard):
                yield answer
        for answer in captions.end():
            yield answer


def _audio(message: str | bytes) -> bytes:
    """The audio of one event."""
    if isinstance(message, str):
        raise BadRequest("The message is text.")
    try:
        buffer = EventStreamBuffer()
        buffer.add_data(message)
        [event] = list(buffer)
    except Exception:  # noqa: BLE001 - botocore's decoder raises what its parts raise
        raise BadRequest("The message is no event-stream frame.") from None
    headers = event.to_response_dict()["headers"]
    if (headers.get(":message-type"), headers.get(":event-type")) != ("event", "AudioEvent"):
        raise BadRequest("The message is no audio event.")
    if len(event.payload) > MAX_CHUNK:
        raise BadRequest("The audio event is too long.")
    return event.payload
