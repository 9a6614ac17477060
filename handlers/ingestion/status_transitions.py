"""Statuses of files and manifests, and the transitions between the statuses of a file that are allowed.

`FileTable` builds the conditions of its writes from these transitions. The transitions of a manifest are the conditions
of `ManifestRecords.begin` and `ManifestRecords.end`.
"""

from enum import StrEnum


class FileStatus(StrEnum):
    """Status of one file (one version of an object)."""

    PENDING = "pending"
    """Waits for a manifest."""
    CLAIMED = "claimed"
    """Reserved for a manifest whose execution may not have started yet."""
    MANIFESTED = "manifested"
    """Part of a manifest whose execution has started."""
    PROCESSED = "processed"
    """Its rows are in the lake. An empty file is processed too, and has no rows."""
    REJECTED = "rejected"
    """Has no rows, and is not tried again."""
    SUPERSEDED = "superseded"
    """The version was deleted before the run read it."""
    FAILED = "failed"
    """Its run failed. A redrive of the manifest processes it again."""


class ManifestStatus(StrEnum):
    """Status of one manifest."""

    RUNNING = "running"
    """It has an execution whose end is not recorded yet."""
    PROCESSED = "processed"
    """Its execution has ended, and none of its files has failed."""
    FAILED = "failed"
    """Its execution has failed, or at least one of its files has. An operator can redrive it."""


TRANSITIONS: dict[FileStatus, frozenset[FileStatus]] = {
    FileStatus.PENDING: frozenset([FileStatus.CLAIMED]),
    # To `failed` directly if the workflow fails before it has confirmed any file.
    # Back to `pending` if the claim is released, because no run has the file.
    FileStatus.CLAIMED: frozenset([FileStatus.PENDING, FileStatus.MANIFESTED, FileStatus.FAILED]),
    FileStatus.MANIFESTED: frozenset(
        [FileStatus.PROCESSED, FileStatus.REJECTED, FileStatus.SUPERSEDED, FileStatus.FAILED]
    ),
    FileStatus.PROCESSED: frozenset(),
    FileStatus.REJECTED: frozenset(),
    FileStatus.SUPERSEDED: frozenset(),
    # By a redrive of the manifest.
    FileStatus.FAILED: frozenset([FileStatus.MANIFESTED]),
}


def source_statuses(target: FileStatus) -> tuple[FileStatus, ...]:
    """Return the statuses from which a file may change to `target`."""
    return tuple(status for status in FileStatus if target in TRANSITIONS[status])
