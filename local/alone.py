"""One command at a time works on a platform: whoever has its folder to himself may bring it up or take it down.

A file lock says so, because the system lets go of it however the process ends. Nobody that the process starts has it:
an emulator that stays up leaves the folder to the next command.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local import CannotRun


class Busy(CannotRun):
    """Another command has the folder."""


@contextmanager
def alone(folder: Path, others: str) -> Iterator[None]:
    """Has the folder to itself, which is made if need be; where one of the others has it, Busy says so."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "command.lock"
    with _held(path, others) as lock:
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held, or it could be the next one's


def _held(path: Path, others: str) -> IO[str]:
    """The file, locked and empty."""
    while True:
        lock = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with lock:
                lock.seek(0)
                raise Busy(
                    f"{others} is at work in {path.parent}, process {lock.read() or 'unknown'}: "
                    "wait until it ends, or end it by Ctrl-C where it runs"
                ) from None
        if _is_at(path, lock):
            lock.truncate(0)
            return lock
        lock.close()  # whoever had it removed it after it was opened here: the next one makes another


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
