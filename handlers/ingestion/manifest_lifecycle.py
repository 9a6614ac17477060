"""What becomes of a manifest and its files: confirmed, finished or failed.

Called by the workflow's steps, and by the sweeper for workflows that died. Each may run twice, late, or beside the
builder's own writes. The order is always the same: the record begins, the files move, the record ends.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.aws.workflow_executions import ExecutionStatus
from handlers.common.logging import EventLog
from handlers.ingestion.execution_names import Execution
from handlers.ingestion.file_records import FileRecord
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest import FileResult, ListedFile, Manifest, confirmed_key
from handlers.ingestion.manifest_lists import Lists
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.status_transitions import FileStatus, ManifestStatus
from handlers.ingestion.table_items import RecordId

CAUSE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")
"""A cause is an error's name. Anything longer may quote data, and does not get into record or log."""
NO_RESULT = "NO_RESULT"
FILES_FAILED = "FILES_FAILED"
UNNAMED = "UNNAMED_CAUSE"


class ListMissing(LookupError):
    """A manifest without its list: it was removed, nobody started one without."""


class ResultMissing(LookupError):
    """A run that is said to be finished and has left no result of its own."""


@dataclass(frozen=True)
class Confirmed:
    """What the run gets; with no files there is nothing to run."""

    files: int
    uri: str


Counts = dict[str, int]


@dataclass(frozen=True)
class Settler:
    """Moves manifests and their files on, as their executions do."""

    table: FileTable
    records: ManifestRecords
    lists: Lists
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]

    def confirm(self, execution: Execution) -> Confirmed:
        """Decides which files the run gets: those that still are this manifest's.

        None in a redrive of a run that had told of all of them: what it published stands, so they are marked at once.
        """
        manifest_id = execution.manifest_id
        claimed = self.lists.read(manifest_id)
        if claimed is None:
            raise ListMissing(manifest_id)
        nothing = Confirmed(0, self.lists.uri(confirmed_key(manifest_id)))
        if not self.records.begin(manifest_id, execution.arn, len(claimed.files), execution.redrive):
            return nothing  # it has ended already, or a later execution has it
        found = self.parallel.call_all(
            lambda one: self.table.confirm(_id(one), manifest_id, redriven=execution.redrive > 0), claimed.files
        )
        ours = [one for one in found if one is not None and one.manifest_id == manifest_id]
        to_run = sum(one.status is FileStatus.MANIFESTED for one in ours)
        if not to_run:
            self.records.end(manifest_id, execution.arn, ManifestStatus.PROCESSED, {})
            self.log.warning("manifest_empty", manifest_id=manifest_id)
            return nothing
        # A run replaces the output of the run before it, so a redriven one gets what is processed already once more.
        again = [one for one in ours if one.status in {FileStatus.MANIFESTED, FileStatus.PROCESSED}]
        uri = self.lists.write_confirmed(_listed(manifest_id, self.clock(), again))
        if execution.redrive and self._told(manifest_id, again):
            # Only the marking had failed. Versions may be gone by now, and running again would take their rows away.
            self.finish(execution)
            return nothing
        self.log.info("manifest_confirmed", manifest_id=manifest_id, files=to_run)
        return Confirmed(len(again), uri)

    def finish(self, execution: Execution, run_id: str | None = None) -> Counts:
        """Writes what the run says became of each file; failed files make a failed manifest, which can be redriven."""
        manifest_id = execution.manifest_id
        record = self.records.get(manifest_id)
        if record is None or (record.execution_arn, record.status) != (execution.arn, ManifestStatus.RUNNING):
            return {}  # it has ended already, or a later execution has it
        confirmed, result = self.lists.read_confirmed(manifest_id), self.lists.result(manifest_id)
        if confirmed is None or result is None or (run_id is not None and result.run_id != run_id):
            raise ResultMissing(manifest_id)
        told = {RecordId(one.date_prefix, one.file_key): one for one in result.files}
        results = [told.get(_id(one), _failed(one, NO_RESULT)) for one in confirmed.files]
        counts = self._settle(manifest_id, results)
        if counts.get(FileStatus.FAILED, 0):
            self._end(execution, ManifestStatus.FAILED, counts, FILES_FAILED)
        else:
            self._end(execution, ManifestStatus.PROCESSED, counts)
        return counts

    def fail(self, execution: Execution, cause: str) -> Counts:
        """Parks the files of a run that failed, where a person sees them and can redrive the manifest."""
        manifest_id = execution.manifest_id
        claimed = self.lists.read(manifest_id)
        files = claimed.files if claimed else ()
        if not self.records.begin(manifest_id, execution.arn, len(files), execution.redrive):
            return {}  # it has ended already, or a later execution has it
        named = cause if CAUSE.fullmatch(cause) else UNNAMED
        counts = self._settle(manifest_id, [_failed(one, named) for one in files])
        self._end(execution, ManifestStatus.FAILED, counts, named)
        return counts

    def settle_ended(self, execution: Execution, status: ExecutionStatus | None) -> None:
        """Does what an execution that has ended should have done itself: finish if its run did, else fail."""
        try:
            self.finish(execution)
        except ResultMissing:
            self.fail(execution, f"EXECUTION_{(status or 'gone').upper()}")

    def _told(self, manifest_id: str, files: Iterable[FileRecord]) -> bool:
        """Whether an earlier run has said of each file what became of it, other than that it failed."""
        result = self.lists.result(manifest_id)
        files_told = result.files if result else ()
        told = {RecordId(one.date_prefix, one.file_key) for one in files_told if one.status != "failed"}
        return all(one.id in told for one in files)

    def _settle(self, manifest_id: str, results: Iterable[FileResult]) -> Counts:
        settled = self.parallel.call_all(lambda one: self.table.settle(one, manifest_id), results)
        ours = [one for one in settled if one is not None and one.manifest_id == manifest_id]
        return dict(Counter(one.status.value for one in ours))

    def _end(self, execution: Execution, status: ManifestStatus, counts: Counts, cause: str = "") -> None:
        manifest_id = execution.manifest_id
        self.records.end(manifest_id, execution.arn, status, counts, cause)
        if status is ManifestStatus.FAILED:
            self.log.error("manifest_failed", manifest_id=manifest_id, cause=cause, files=sum(counts.values()))
        else:
            self.log.info("manifest_processed", manifest_id=manifest_id, files=sum(counts.values()))


def _id(one: ListedFile) -> RecordId:
    return RecordId(one.date_prefix, one.file_key)


def _failed(one: ListedFile, reason: str) -> FileResult:
    return FileResult(file_key=one.file_key, date_prefix=one.date_prefix, status="failed", reason=reason)


def _listed(manifest_id: str, now: datetime, files: Iterable[FileRecord]) -> Manifest:
    return Manifest(manifest_id=manifest_id, created_at=now, files=tuple(one.listed for one in files))
