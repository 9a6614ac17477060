"""Local Amazon Transcribe streaming, which recognises English speech.

The service uses the protocol of the real service, and sends results while the audio arrives. botocore decodes the
frames of a client, so that mistakes of the handlers' own encoder are noticed.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import datetime
from subprocess import DEVNULL, PIPE

import imageio_ffmpeg
from botocore.eventstream import EventStreamBuffer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from handlers.common import ids
from local import LOOPBACK
from local.audio_formats import DEMUXERS, RATE, SAMPLE_BYTES
from local.emulation.faults import Faults, FaultSource
from local.emulation.speech.languages import find_language_note
from local.emulation.speech.recognition import MIN_UPDATE_SECONDS, Recogniser, SpokenLine
from local.emulation.transcribe.stream_url_validation import (
    InvalidStreamRequest,
    StreamSettings,
    find_refusal,
    parse_settings,
)
from local.emulation.transcribe.streaming_results import (
    STREAM_FAULTS,
    ConnectionDropped,
    StreamFailed,
    StreamResults,
    exception_frame,
)

SILENCE_SECONDS = 15.0
"""Time after which a stream ends with an error if no audio event arrives."""
MAX_CHUNK_BYTES = 32 * 1024
"""Maximum size of the audio in one event."""
MAX_FRAME_BYTES = MAX_CHUNK_BYTES + 1024
READ_BYTES = 64 * 1024
CLOSE_SECONDS = 1
"""Time limit for the client's answer when the server closes a connection."""
LOAD_FACTOR = 1.5
"""Minimum length of a piece of audio, as a multiple of the time in which the last piece was recognised. So streams get
fewer results on a busy machine, but not later and later ones."""


@contextlib.asynccontextmanager
async def serve(
    faults: FaultSource | None = None,
    *,
    silence_seconds: float = SILENCE_SECONDS,
    load_factor: float = LOAD_FACTOR,
    now: Callable[[], datetime] = ids.now,
) -> AsyncIterator[int]:
    """Serve while the block runs, and yield the port.

    With `load_factor` zero, the results do not depend on the speed of the machine.
    """
    fault_source = faults or Faults()

    def refuse_invalid(connection: ServerConnection, request: Request) -> Response | None:
        status = find_refusal(request.path, now())
        return None if status is None else connection.respond(status, "")

    async def serve_stream(connection: ServerConnection) -> None:
        # When this function returns, the server closes the connection normally.
        with contextlib.suppress(ConnectionClosed):
            try:
                settings = parse_settings(connection.request.path if connection.request else "")
                fault = next((fault for fault in STREAM_FAULTS if fault_source.take(fault)), None)
                results = StreamResults(stabilised=settings.stabilised, new_id=lambda: str(uuid.uuid4()), fault=fault)
                chunks = _receive_audio(connection, silence_seconds)
                await _transcribe(connection, settings, chunks, results, load_factor)
            except InvalidStreamRequest as invalid:
                await connection.send(exception_frame("BadRequestException", str(invalid)))
            except StreamFailed as failed:
                await connection.send(failed.frame)
            except ConnectionDropped:  # a simulated fault, in which this server drops the connection
                connection.transport.abort()

    async with serve_websockets(
        serve_stream,
        LOOPBACK,
        0,
        process_request=refuse_invalid,
        compression=None,
        ping_interval=None,
        close_timeout=CLOSE_SECONDS,
        max_size=MAX_FRAME_BYTES,
    ) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def _transcribe(
    connection: ServerConnection,
    settings: StreamSettings,
    chunks: AsyncGenerator[bytes],
    results: StreamResults,
    load_factor: float,
) -> None:
    is_ready = (settings.encoding, settings.sample_rate) == ("pcm", RATE)
    note = find_language_note(settings.language)
    async with contextlib.aclosing(chunks if is_ready else _decode_audio(chunks, settings)) as samples:
        lines = _recognise(samples, load_factor) if note is None else _replace_speech(samples, note)
        async with contextlib.aclosing(lines):
            async for line in lines:
                for frame in results.add(line):
                    await connection.send(frame)


async def _recognise(samples: AsyncIterator[bytes], load_factor: float) -> AsyncGenerator[SpokenLine]:
    """Yield the versions of the lines in the audio. The speech model runs in threads, so the server can go on.

    Partial versions never wait for the model, so on a busy machine the final versions of other streams are not late.
    """
    recogniser = await asyncio.to_thread(Recogniser)
    try:
        pending, piece_seconds = b"", MIN_UPDATE_SECONDS
        async for received in samples:
            pending += received
            while len(pending) >= (size := SAMPLE_BYTES * round(piece_seconds * RATE)):
                started_at = time.monotonic()
                lines = await asyncio.to_thread(recogniser.add_if_free, pending[:size])
                if lines is None:  # the next audio tries again, with all audio that waits
                    break
                for line in lines:
                    yield line
                pending = pending[size:]
                piece_seconds = max(load_factor * (time.monotonic() - started_at), MIN_UPDATE_SECONDS)
        for last_step in (lambda: recogniser.add(pending), recogniser.finish):
            for line in await asyncio.to_thread(last_step):
                yield line
    finally:
        await asyncio.to_thread(recogniser.close)


async def _replace_speech(samples: AsyncIterator[bytes], note: str) -> AsyncGenerator[SpokenLine]:
    """Yield one line with a note at the end of the audio."""
    seconds = 0.0
    async for piece in samples:
        seconds += len(piece) / SAMPLE_BYTES / RATE
    yield SpokenLine(0, note, 0.0, seconds)


async def _receive_audio(connection: ServerConnection, silence_seconds: float) -> AsyncGenerator[bytes]:
    """Yield the audio of each event. An event without audio ends the stream."""
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                message = await connection.recv()
        except TimeoutError:
            raise InvalidStreamRequest(
                f"Your request timed out because no new audio was received for {silence_seconds:g} seconds."
            ) from None
        chunk = _parse_audio_event(message)
        if not chunk:
            return
        yield chunk


async def _decode_audio(chunks: AsyncIterator[bytes], settings: StreamSettings) -> AsyncGenerator[bytes]:
    raw = ("-f", "s16le", "-ar", str(settings.sample_rate), "-ac", "1")
    process = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "quiet"),
        # With more threads, ffmpeg would return samples later.
        *("-threads", "1", *(raw if settings.encoding == "pcm" else ("-f", DEMUXERS[settings.encoding]))),
        *("-i", "pipe:0", "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-flush_packets", "1", "pipe:1"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
    )

    async def feed() -> None:
        if process.stdin is None:
            return
        try:
            # ffmpeg closes its input early if it cannot read the audio. Its exit status is checked below.
            with contextlib.suppress(ConnectionError):
                async for chunk in chunks:
                    process.stdin.write(chunk)
                    await process.stdin.drain()
        finally:
            process.stdin.close()

    feeding = asyncio.create_task(feed())
    try:
        while process.stdout is not None and (samples := await process.stdout.read(READ_BYTES)):
            yield samples
        if feeding.done():
            feeding.result()  # raises the error of an invalid audio event
        if await process.wait():
            raise InvalidStreamRequest("The audio does not have the requested encoding.")
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _parse_audio_event(message: str | bytes) -> bytes:
    """Return the audio of an audio event. Raise InvalidStreamRequest for any other message."""
    if isinstance(message, str):
        raise InvalidStreamRequest("The message is text.")
    try:
        buffer = EventStreamBuffer()
        buffer.add_data(message)
        [event] = list(buffer)
    except Exception:  # noqa: BLE001 - botocore's decoder raises exceptions of many types
        raise InvalidStreamRequest("The message is not an event-stream frame.") from None
    headers = event.to_response_dict()["headers"]
    if (headers.get(":message-type"), headers.get(":event-type")) != ("event", "AudioEvent"):
        raise InvalidStreamRequest("The message is not an audio event.")
    if len(event.payload) > MAX_CHUNK_BYTES:
        raise InvalidStreamRequest("The audio event is too long.")
    return event.payload
