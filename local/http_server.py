"""An HTTP server beside whoever needs one, for as long as he does: local services, the console, tests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local import LOOPBACK

POLL_SECONDS = 0.02
"""How soon it notices that it is over."""


@contextmanager
def running(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serves while the block lasts, and gives the port. Each request has a thread of its own."""
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server, beside(server):
        yield server.server_port


@contextmanager
def beside(server: ThreadingHTTPServer) -> Iterator[None]:
    """A server that is there already, in a thread while the block lasts."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
