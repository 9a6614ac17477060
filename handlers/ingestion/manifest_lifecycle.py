"""State changes of a manifest and its files during an execution of the workflow.

A manifest is a list of files that are claimed, that is reserved, for one run of a Glue job. An execution of the
workflow for a manifest has three parts:

1. It confirms the files: it leaves out those that no longer belong to the manifest.
2. It starts a run of the Glue job, which processes the confirmed files, unless none is left to process.
3. It ends the manifest with the run's result, or with a failure.

A redrive is a new execution that an operator starts for a manifest that failed. If an execution ended before part 3,
the sweeper (a scheduled function) or the redrive command ends the manifest. The parts can be repeated or late, so each
write has a condition. The order of the writes is always the same: the manifest record becomes `running`, the
files change their status, the manifest record gets its final status.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime

from handlers.common.aws import ParallelCalls
from handlers.common.executions import ExecutionStatus
from handlers.common.logging import EventLog, error_name_for_log, id_for_log
from handlers.ingestion.file_records import FileRecord
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_documents import FileResult, ListedFile, Manifest
from handlers.ingestion.manifest_executions import ManifestExecution
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.manifest_s3_keys import confirmed_list_key
from handlers.ingestion.status_transitions import FileStatus, ManifestStatus

ERROR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")
"""Form of a failure's cause that may be stored and logged. A text of another form may quote customer data."""
NO_RESULT = "NO_RESULT"
"""Reason that is stored for a confirmed file if the run's result does not mention it."""
FILES_FAILED = "FILES_FAILED"
"""Cause of a manifest's failure if its run has finished, but at least one of its files has failed."""
UNNAMED_CAUSE = "UNNAMED_CAUSE"
"""Cause that is stored if the given cause does not have the form `ERROR_NAME`."""


class ListMissing(LookupError):
    """The manifest's list of claimed files was deleted after the execution had started."""


class ResultMissing(LookupError):
    """The list of confirmed files or the run's result is missing, although the execution has ended or is at its last
    step.
    """


@dataclass(frozen=True)
class ConfirmedFiles:
    """Files that the run processes."""

    count: int
    """Number of files. If it is 0, the execution starts no run."""
    uri: str
    """URI of the list of the files. If the count is 0, the list may not exist."""


StatusCounts = dict[str, int]
"""Number of files by status."""


@dataclass(frozen=True)
class ManifestLifecycle:
    table: FileTable
    records: ManifestRecords
    documents: ManifestDocuments
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]

    def confirm_files(self, execution: ManifestExecution) -> ConfirmedFiles:
        """Mark the files that still belong to the manifest as `manifested`, and write their list for the run.

        A file no longer belongs to the manifest if its record is gone or names another manifest. The count is 0, so
        that no run starts, in these cases:

        - No file is left to process.
        - This execution has already ended, or a redrive has replaced it.
        - A concurrent call of `fail` is recording this execution's failure.
        - This is a redrive, and an earlier run has reported a result other than `failed` for every confirmed file. The
          output of that run is already published, so the redrive only stores these results.
        """
        manifest_id = execution.manifest_id
        manifest = self.documents.read(manifest_id)
        if manifest is None:
            raise ListMissing(manifest_id)
        no_files = ConfirmedFiles(0, self.documents.uri(confirmed_list_key(manifest_id, execution.redrive)))
        if not self.records.begin(manifest_id, execution.arn, len(manifest.files), execution.redrive):
            return no_files  # this execution has already ended, or a redrive has replaced it
        file_records = self.parallel.call_all(
            lambda file: self.table.mark_manifested(file.record_id, manifest_id, execution.redrive),
            manifest.files,
        )
        own_records = _keep_own_records(manifest_id, file_records)
        if any(record.status is FileStatus.FAILED for record in own_records):
            # Only a concurrent call of `fail` marks files as failed, because this execution was stopped. That call ends
            # the manifest. If this call ended it as processed, the failed files could not be redriven.
            return no_files
        manifested_count = sum(record.status is FileStatus.MANIFESTED for record in own_records)
        if not manifested_count:
            self.records.end(manifest_id, execution.arn, ManifestStatus.PROCESSED, {})
            self.log.warning("manifest_empty", manifest_id=id_for_log(manifest_id))
            return no_files
        # The run of a redrive replaces the output of the previous run, so it must also repeat the processed files.
        confirmed = [record for record in own_records if record.status in {FileStatus.MANIFESTED, FileStatus.PROCESSED}]
        listed_files = tuple(record.listed_file for record in confirmed)
        confirmed_list = Manifest(manifest_id=manifest_id, created_at=self.clock(), files=listed_files)
        uri = self.documents.write_confirmed(confirmed_list, execution.redrive)
        if execution.redrive and self._has_results(manifest_id, confirmed):
            # The earlier run succeeded, and only the recording of its result failed. A new run could lose rows, because
            # some object versions may be deleted by now.
            self.finish(execution)
            return no_files
        self.log.info("manifest_confirmed", manifest_id=id_for_log(manifest_id), files=manifested_count)
        return ConfirmedFiles(len(confirmed), uri)

    def finish(self, execution: ManifestExecution, run_id: str | None = None) -> StatusCounts:
        """Store the run's result in the record of each file, and end the manifest. Return the number of files by
        status.

        If a file has failed, the manifest has failed too, so that it can be redriven. Return no counts if this
        execution has already ended or a redrive has replaced it. Raise ResultMissing if the list of confirmed files or
        the result is missing, or if `run_id` is given and the result is that of another run.
        """
        manifest_id = execution.manifest_id
        record = self.records.get(manifest_id)
        if record is None or (record.execution_arn, record.status) != (execution.arn, ManifestStatus.RUNNING):
            return {}  # this execution has no record or has already ended, or a redrive has replaced it
        confirmed = self.documents.read_confirmed(manifest_id, execution.redrive)
        result = self.documents.read_result(manifest_id)
        if confirmed is None or result is None or (run_id is not None and result.run_id != run_id):
            raise ResultMissing(manifest_id)
        results_by_id = {file_result.record_id: file_result for file_result in result.files}
        results = [results_by_id.get(file.record_id, _failed_result(file, NO_RESULT)) for file in confirmed.files]
        counts = self._record_results(execution, results)
        if counts.get(FileStatus.FAILED, 0):
            self._end(execution, ManifestStatus.FAILED, counts, FILES_FAILED)
        else:
            self._end(execution, ManifestStatus.PROCESSED, counts)
        return counts

    def fail(self, execution: ManifestExecution, cause: str) -> StatusCounts:
        """Mark the manifest and those of its files that have no result yet as failed. Return counts like `finish`.

        An operator can then redrive the manifest.
        """
        manifest_id = execution.manifest_id
        manifest = self.documents.read(manifest_id)
        files = manifest.files if manifest else ()
        if not self.records.begin(manifest_id, execution.arn, len(files), execution.redrive):
            return {}  # this execution has already ended, or a redrive has replaced it
        error_name = cause if ERROR_NAME.fullmatch(cause) else UNNAMED_CAUSE
        counts = self._record_results(execution, [_failed_result(file, error_name) for file in files])
        self._end(execution, ManifestStatus.FAILED, counts, error_name)
        return counts

    def close_ended_execution(self, execution: ManifestExecution, status: ExecutionStatus | None) -> None:
        """End a manifest whose execution ended before part 3: call `finish` if the run has a result, else `fail`."""
        try:
            self.finish(execution)
        except ResultMissing:
            self.fail(execution, f"EXECUTION_{(status or 'gone').upper()}")

    def _has_results(self, manifest_id: str, records: Iterable[FileRecord]) -> bool:
        """Return True if an earlier run has reported a result other than `failed` for each of the files."""
        result = self.documents.read_result(manifest_id)
        results = result.files if result else ()
        reported = {file_result.record_id for file_result in results if file_result.status != "failed"}
        return all(record.id in reported for record in records)

    def _record_results(self, execution: ManifestExecution, results: Iterable[FileResult]) -> StatusCounts:
        manifest_id = execution.manifest_id
        file_records = self.parallel.call_all(
            lambda result: self.table.record_result(result, manifest_id, execution.redrive), results
        )
        return dict(Counter(record.status.value for record in _keep_own_records(manifest_id, file_records)))

    def _end(self, execution: ManifestExecution, status: ManifestStatus, counts: StatusCounts, cause: str = "") -> None:
        manifest_id = execution.manifest_id
        self.records.end(manifest_id, execution.arn, status, counts, cause)
        if status is ManifestStatus.FAILED:
            self.log.error(
                "manifest_failed",
                manifest_id=id_for_log(manifest_id),
                cause=error_name_for_log(cause),
                files=sum(counts.values()),
            )
        else:
            self.log.info("manifest_processed", manifest_id=id_for_log(manifest_id), files=sum(counts.values()))


def _keep_own_records(manifest_id: str, records: Iterable[FileRecord | None]) -> list[FileRecord]:
    return [record for record in records if record is not None and record.manifest_id == manifest_id]


def _failed_result(file: ListedFile, reason: str) -> FileResult:
    return FileResult(file_key=file.file_key, date_prefix=file.date_prefix, status="failed", reason=reason)
