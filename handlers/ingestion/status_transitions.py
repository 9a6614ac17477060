"""Statuses of files and manifests, and the allowed changes of a file's status.

A manifest is a list of files. One execution of the workflow processes it, with one run of the Spark job. `FileTable` builds the conditions of its writes
from the transitions in this module. The transitions of a manifest are only written down in the conditions of
`ManifestRecords.begin` and `ManifestRecords.end`.
"""

from enum import StrEnum


class FileStatus(StrEnum):
    """Status of one file (one version of an object)."""

    PENDING = "pending"
    """Waits for a manifest."""
    CLAIMED = "claimed"
    """Reserved for a manifest whose workflow execution may not have started yet."""
    MANIFESTED = "manifested"
    """Part of a manifest whose execution has started."""
    PROCESSED = "processed"
    """Read by a run, which has written the file's rows to the lake. A file with only blank lines has no rows."""
    REJECTED = "rejected"
    """Invalid or not allowed: its rows are not in the lake, and no run tries it again."""
    SUPERSEDED = "superseded"
    """The version was deleted before the run read it. For example, S3 deletes a version some days after a newer version
    has superseded it."""
    FAILED = "failed"
    """Its workflow execution failed, or ended without a result for the file. A redrive (a new execution) processes
    the file again."""


class ManifestStatus(StrEnum):
    RUNNING = "running"
    """The manifest has an execution whose end is not recorded yet."""
    PROCESSED = "processed"
    """Its execution has ended, and none of its files has failed."""
    FAILED = "failed"
    """Its execution has failed, or at least one of its files has. An operator can redrive it: start a new execution."""


TRANSITIONS: dict[FileStatus, frozenset[FileStatus]] = {
    FileStatus.PENDING: frozenset([FileStatus.CLAIMED]),
    # `failed` if the workflow fails before it has marked the file as manifested.
    # `pending` if the claim is released, because the manifest gets no run. Another manifest can then claim the file.
    FileStatus.CLAIMED: frozenset([FileStatus.PENDING, FileStatus.MANIFESTED, FileStatus.FAILED]),
    FileStatus.MANIFESTED: frozenset(
        [FileStatus.PROCESSED, FileStatus.REJECTED, FileStatus.SUPERSEDED, FileStatus.FAILED]
    ),
    FileStatus.PROCESSED: frozenset(),
    FileStatus.REJECTED: frozenset(),
    FileStatus.SUPERSEDED: frozenset(),
    # A redrive of the manifest marks its failed files as `manifested` again.
    FileStatus.FAILED: frozenset([FileStatus.MANIFESTED]),
}


def source_statuses(target: FileStatus) -> tuple[FileStatus, ...]:
    """Return the statuses from which a file may change to `target`."""
    return tuple(status for status in FileStatus if target in TRANSITIONS[status])
