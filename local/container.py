"""Runs a command as a container runs it: `python -P container.py <command…>`. The local AWS Batch starts its jobs so.

SIGTERM reaches the command alone, as it reaches the first process of a container; what that has started ends with it.
All of it is killed as soon as whoever started this is gone or lets go of its standard input. Exits as a container does:
with the command's status, or 128 and the number of the signal that ended it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Runs it; its exit status."""
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def stop(*_: object) -> None:
        stopping.set()
        for one in running:
            one.terminate()

    # Before there is a command: a signal that comes while it is being started must not be lost.
    signal.signal(signal.SIGTERM, stop)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    running.append(child)
    if stopping.is_set():
        child.terminate()
    threading.Thread(target=_end_with_the_parent, args=(child.pid,), daemon=True).start()
    status = child.wait()
    _kill(child.pid)
    return status if status >= 0 else 128 - status


def _end_with_the_parent(group: int) -> None:
    # Not by way of `sys.stdin`: its lock, held here, would keep the interpreter from ending.
    while os.read(0, 1):
        pass
    _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the other is macOS' word for it
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
