"""Lock of a platform's folder, so that only one command at a time changes a platform.

It is a file lock, which the system releases when the process ends, even if the process is killed. Child processes do not
inherit it, so an emulator that continues to run does not block the next command.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import CannotRun

CLI_STATE = "pulumi"
"""Folder below a platform's folder in which the Pulumi CLI keeps its state, if the CLI deploys to the platform."""
PLATFORM_COMMANDS = "another `make up`, `make down`, `make push` or `make watch`"
"""Commands that lock the folder of a platform, for `others` of `lock_folder`."""
LOCK = "command.lock"
"""Name of the lock file. It contains the process id of the command that holds the lock, or last held it."""


class FolderBusy(CannotRun):
    """Another command holds the lock of the folder."""


@contextmanager
def lock_folder(folder: Path, others: str) -> Iterator[None]:
    """Lock a folder, and create it if necessary.

    Raise FolderBusy if another process holds the lock. `others` names the commands that can hold it, for the error
    message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The file is never removed, because two processes could then lock two different files of this name.
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise FolderBusy(
                f"{others} is using {folder}, process {lock.read() or 'unknown'}: "
                "wait until it ends, or stop it with Ctrl-C in its terminal"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
