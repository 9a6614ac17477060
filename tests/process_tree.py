"""What a process has started, and where it listens."""

import contextlib
from pathlib import Path

LISTENING = "0A"
"""A listening socket's state in /proc/net/tcp."""


def tree(pid: int) -> list[int]:
    """A process and all that it started; those that end meanwhile may be missing."""
    found = [pid]
    for item in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{item}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def listening(pid: int) -> set[str]:
    """Where a process listens, as address and port; nowhere, if it has ended."""
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        inodes = {str(item.readlink()) for item in Path(f"/proc/{pid}/fd").iterdir() if item.is_symlink()}
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and f"socket:[{fields[9]}]" in inodes:
                    address, port = fields[1].split(":")
                    found.add(f"{'.'.join(str(part) for part in reversed(bytes.fromhex(address)))}:{int(port, 16)}")
    return found
