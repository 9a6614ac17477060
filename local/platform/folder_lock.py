"""A lock on a platform's folder: only one command at a time works on a platform.

It is a file lock, because the system releases it however the process ends. Processes that the command starts do not
inherit it, so an emulator that stays up leaves the folder to the next command.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import CannotRun

LOCK = "command.lock"


class FolderBusy(CannotRun):
    """Another command has the folder."""


@contextmanager
def lock_folder(folder: Path, others: str) -> Iterator[None]:
    """Lock a folder, which is created if need be. Raise Busy, which names `others`, if another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    # The file stays: if it were removed, two processes could lock two files of this name.
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise FolderBusy(
                f"{others} is at work in {folder}, process {lock.read() or 'unknown'}: "
                "wait until it ends, or end it by Ctrl-C where it runs"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
