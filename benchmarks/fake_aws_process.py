"""Process that acts as AWS: an HTTP server that answers each call after 5 ms, as AWS does within its region."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

CALL_SECONDS = 0.005
"""Time until a call is answered."""
AnswerCall = Callable[[BaseHTTPRequestHandler, bytes], bytes]
"""Function that returns the response body of a call, given its HTTP handler and its request body."""


@contextmanager
def start_fake_aws(answer: AnswerCall) -> Iterator[str]:
    """Start the process and yield its URL. `answer` is sent to the process, so it must be a function of a module."""
    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(answer, sender), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(answer: AnswerCall, sender: Connection) -> None:
    """Answer calls until the process is terminated. Send the port number first."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = answer(self, self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(CALL_SECONDS)
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sender.send(server.server_port)
    server.serve_forever()
