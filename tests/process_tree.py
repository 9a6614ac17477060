"""Child processes and listening sockets of a process, from `/proc`."""

import contextlib
from pathlib import Path

LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""


def list_process_tree(pid: int) -> list[int]:
    """Return a process id and those of all descendants. Processes that end meanwhile may be missing."""
    pids = [pid]
    for parent in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                pids += [int(child) for child in (task / "children").read_text().split()]
    return pids


def list_listening_addresses(pid: int) -> set[str]:
    """Return the addresses and ports on which a process listens. The set is empty if it has ended."""
    addresses = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and f"socket:[{fields[9]}]" in inodes:
                    address, port = fields[1].split(":")
                    addresses.add(
                        f"{'.'.join(str(part) for part in reversed(bytes.fromhex(address)[-4:]))}:{int(port, 16)}"
                    )
    return addresses
