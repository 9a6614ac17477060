"""The states of files and manifests, and who may follow whom. Pure: conditions of writes are made of this table."""

from enum import StrEnum


class FileStatus(StrEnum):
    """How far one version of one file has come."""

    PENDING = "pending"
    CLAIMED = "claimed"
    MANIFESTED = "manifested"
    PROCESSED = "processed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    FAILED = "failed"


class ManifestStatus(StrEnum):
    """How far one manifest has come."""

    RUNNING = "running"
    PROCESSED = "processed"
    FAILED = "failed"


MOVES: dict[FileStatus, frozenset[FileStatus]] = {
    FileStatus.PENDING: frozenset([FileStatus.CLAIMED]),
    # Failed at once where the workflow fails before it has confirmed anything.
    # Pending again where it is released: no run has it.
    FileStatus.CLAIMED: frozenset([FileStatus.PENDING, FileStatus.MANIFESTED, FileStatus.FAILED]),
    FileStatus.MANIFESTED: frozenset(
        [FileStatus.PROCESSED, FileStatus.REJECTED, FileStatus.SUPERSEDED, FileStatus.FAILED]
    ),
    FileStatus.PROCESSED: frozenset(),
    FileStatus.REJECTED: frozenset(),
    FileStatus.SUPERSEDED: frozenset(),
    # Redriven.
    FileStatus.FAILED: frozenset([FileStatus.MANIFESTED]),
}


def sources(target: FileStatus) -> tuple[FileStatus, ...]:
    """The states from which a file may get into `target`."""
    return tuple(one for one in FileStatus if target in MOVES[one])
