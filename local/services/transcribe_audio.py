"""Audio as the local Transcribe is sent it, turned into samples while it comes.

PCM is samples already. FLAC and Ogg Opus go through a real ffmpeg, which gives what it can as soon as it can. What the
samples say is left to the recogniser.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from subprocess import DEVNULL, PIPE
from typing import Protocol

import imageio_ffmpeg

from local.services.transcribe_requests import Asked, BadRequest

CONTAINERS = {"flac": "flac", "ogg-opus": "ogg"}
READ_BYTES = 64 * 1024


class Decoder(Protocol):
    """Takes audio in pieces at one end and gives samples at the other."""

    async def feed(self, chunk: bytes) -> None:
        """Takes a piece of audio."""

    async def end(self) -> None:
        """Takes no more."""

    def samples(self) -> AsyncIterator[bytes]:
        """Samples as they come, 16 bits each, until the end of the audio."""


@contextlib.asynccontextmanager
async def decoding(asked: Asked) -> AsyncIterator[Decoder]:
    """A decoder for this stream's audio."""
    if asked.encoding == "pcm":
        yield _Pcm()
        return
    process = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "quiet"),
        # One thread, because several keep several frames back.
        *("-threads", "1", "-f", CONTAINERS[asked.encoding], "-i", "pipe:0"),
        *("-f", "s16le", "-ac", "1", "-ar", str(asked.sample_rate), "-flush_packets", "1", "pipe:1"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        yield _Ffmpeg(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


class _Pcm:
    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def feed(self, chunk: bytes) -> None:
        await self._queue.put(chunk)

    async def end(self) -> None:
        await self._queue.put(None)

    async def samples(self) -> AsyncIterator[bytes]:
        while (chunk := await self._queue.get()) is not None:
            yield chunk


class _Ffmpeg:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def feed(self, chunk: bytes) -> None:
        if self._process.stdin is not None:
            # It is gone where it cannot read this audio; its result says so.
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(chunk)
                await self._process.stdin.drain()

    async def end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def samples(self) -> AsyncIterator[bytes]:
        if self._process.stdout is not None:
            while chunk := await self._process.stdout.read(READ_BYTES):
                yield chunk
        if await self._process.wait():
            raise BadRequest("The audio is not of the encoding that was asked for.")
