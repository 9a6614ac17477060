"""Creation of manifests from pending files. Two functions use it: the manifest builder, which gets the S3 notifications
of new files, and the sweeper, which a schedule invokes.

A manifest is a list of files for one workflow execution. Its creation takes five steps: claim the files, write the
list, start the execution, write the manifest record, mark the files as `manifested`. There is no lock, because the
conditional update of each file decides which manifest gets it. If a function dies between two steps, the sweeper later
releases its claims or completes the missing steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from handlers.common.aws import ParallelCalls
from handlers.common.executions import StartOutcome
from handlers.common.ids import timestamp
from handlers.common.logging import EventLog, id_for_log
from handlers.ingestion.file_records import FileRecord, OpenFile
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_documents import Manifest
from handlers.ingestion.manifest_executions import ManifestExecution, ManifestWorkflow
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.table_keys_and_updates import RecordId


@dataclass(frozen=True)
class ManifestCreator:
    """Creator of manifests.

    The methods skip the files in the set `tried`, to which they add each file that they try to claim. The set is needed
    because the index of pending files lags behind the table, so a file that was just claimed may still be listed.
    """

    table: FileTable
    records: ManifestRecords
    documents: ManifestDocuments
    workflow: ManifestWorkflow
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Return a new manifest id, which is a ULID."""
    files_per_manifest: int
    """Number of files of a full manifest."""
    manifest_bytes: int
    """Maximum total size of a manifest's files. A larger file gets a manifest for itself."""

    def create_full_manifests(self, tried: set[RecordId], max_manifests: int) -> int:
        """Create manifests as long as enough pending files for a full one can be claimed. Return their number."""
        for count in range(max_manifests):
            pending = self.table.list_pending(self.files_per_manifest, tried)
            if len(pending) < self.files_per_manifest or not self._create(pending, self.files_per_manifest, tried):
                return count
        return max_manifests

    def flush(self, tried: set[RecordId], older_than: timedelta, max_manifests: int) -> int:
        """Create manifests, full or not, as long as the oldest pending file has waited for `older_than`.

        Return the number of files in these manifests.
        """
        latest, file_count = timestamp(self.clock() - older_than), 0
        for _ in range(max_manifests):
            pending = self.table.list_pending(self.files_per_manifest, tried)
            if not pending or pending[0].open_since > latest or not (added := self._create(pending, 1, tried)):
                break
            file_count += added
        return file_count

    def _create(self, pending: Sequence[OpenFile], min_files: int, tried: set[RecordId]) -> int:
        """Create one manifest if at least `min_files` files can be claimed.

        Files beyond the size limit of the manifest are released again. Return the number of files in the manifest, or 0
        if it was not created or its execution may not have started.
        """
        manifest_id = self.new_id()
        oldest, *others = pending
        tried.add(oldest.id)
        # The oldest file is claimed first. So of several functions that see the same files, only one continues.
        first = self.table.claim(oldest.id, manifest_id)
        if first is None:
            return 0  # another function was faster, or the index lags behind
        claimed = [first, *self._claim(others, manifest_id, tried)]
        if len(claimed) < min_files:
            replacements = self.table.list_pending(min_files - len(claimed), tried)
            claimed += self._claim(replacements, manifest_id, tried)
        if len(claimed) < min_files:
            self._release(claimed, manifest_id)
            return 0
        count = self._count_fitting(claimed)
        if excess := claimed[count:]:
            # Removed from `tried`, because this invocation may claim these files for its next manifest.
            self._release(excess, manifest_id)
            tried.difference_update(record.id for record in excess)
        return count if self._submit(manifest_id, claimed[:count]) else 0

    def _count_fitting(self, claimed: Sequence[FileRecord]) -> int:
        """Return how many of the first files fit into one manifest: at least one, even if it is too large."""
        sizes = accumulate(record.listed_file.size for record in claimed)
        return max(1, sum(size <= self.manifest_bytes for size in sizes))

    def _submit(self, manifest_id: str, claimed: Sequence[FileRecord]) -> bool:
        """Write the list, start the execution and record the start. Return True if the execution has started."""
        manifest = Manifest(
            manifest_id=manifest_id, created_at=self.clock(), files=tuple(record.listed_file for record in claimed)
        )
        try:
            self.documents.write(manifest)
        except Exception as error:  # noqa: BLE001 - nothing was started yet, so the claims are released at once
            self.log.failure("manifest_list_failed", error, manifest_id=id_for_log(manifest_id))
            self._release(claimed, manifest_id)
            return False
        execution = self.workflow.execution(manifest.execution_name)
        started = self.workflow.start(execution)
        if started is StartOutcome.REFUSED:
            self.log.error("manifest_start_refused", manifest_id=id_for_log(manifest_id), files=len(claimed))
            self._release(claimed, manifest_id)
            return False
        if started is StartOutcome.UNKNOWN:
            # The execution may be running, so the claims stay until the sweeper has checked its status.
            self.log.error("manifest_start_unknown", manifest_id=id_for_log(manifest_id), files=len(claimed))
            return False
        self._record_start(execution, claimed)
        self.log.info("manifest_started", manifest_id=id_for_log(manifest_id), files=len(claimed))
        return True

    def _record_start(self, execution: ManifestExecution, claimed: Sequence[FileRecord]) -> None:
        """Write the manifest record, then mark the files as `manifested`.

        The record comes first, because the sweeper finds `manifested` files only through the record of their manifest.
        """
        manifest_id = execution.manifest_id
        try:
            if not self.records.begin(manifest_id, execution.arn, len(claimed)):
                return  # the workflow was faster and has already ended
        except Exception as error:  # noqa: BLE001 - the execution runs: the workflow or the sweeper writes the record
            self.log.failure("manifest_record_failed", error, manifest_id=id_for_log(manifest_id))
            return
        outcomes = self.parallel.call_each(lambda record: self.table.mark_manifested(record.id, manifest_id), claimed)
        if failures := [outcome for outcome in outcomes if isinstance(outcome, Exception)]:
            # These files are still `claimed`. The workflow marks all files when it confirms them.
            self.log.failure(
                "files_not_noted",
                failures[0],
                level="WARNING",
                manifest_id=id_for_log(manifest_id),
                files=len(failures),
            )

    def _claim(self, files: Sequence[OpenFile], manifest_id: str, tried: set[RecordId]) -> list[FileRecord]:
        tried.update(file.id for file in files)
        outcomes = self.parallel.call_each(lambda file: self.table.claim(file.id, manifest_id), files)
        # A claim that raised an error may have succeeded. The sweeper releases it, because no manifest lists the file.
        return [outcome for outcome in outcomes if isinstance(outcome, FileRecord)]

    def _release(self, claimed: Sequence[FileRecord], manifest_id: str) -> None:
        """Release claims. If this fails for a claim, the sweeper releases it later."""
        outcomes = self.parallel.call_each(lambda record: self.table.release(record.id, manifest_id), claimed)
        self.log.info(
            "claims_released", manifest_id=id_for_log(manifest_id), files=sum(outcome is True for outcome in outcomes)
        )
