"""Runs a local service in a thread with its own event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

TIMEOUT_SECONDS = 20.0
"""Timeout of everything that a test waits for. A successful test never waits so long."""


@contextlib.contextmanager
def serve_in_thread(service: AbstractAsyncContextManager[int], name: str) -> Iterator[int]:
    """Run the service while the block runs, and yield its port."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    ports: list[int] = []

    async def main() -> None:
        async with service as port:
            ports.append(port)
            ready.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run, name=name)
    thread.start()
    try:
        assert ready.wait(TIMEOUT_SECONDS)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT_SECONDS)
