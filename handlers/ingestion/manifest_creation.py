"""Makes manifests of pending files: claim, list, start, record, and only then `manifested`.

Without a lock: the update on each file decides whose it is. Dying anywhere is allowed; what is left behind are claims,
which the sweeper looks into once no builder can be alive behind them.
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.aws.workflow_executions import StartOutcome
from handlers.common.logging import EventLog
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.ingestion.execution_names import Execution, Workflow
from handlers.ingestion.file_records import FileRecord, OpenFile
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest import Manifest
from handlers.ingestion.manifest_lists import Lists
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.table_items import RecordId


@dataclass(frozen=True)
class ManifestMaker:
    """Makes manifests; `tried` remembers what one invocation touched, because the index lags behind."""

    table: FileTable
    records: ManifestRecords
    lists: Lists
    workflow: Workflow
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    files_per_manifest: int
    manifest_bytes: int

    def build_full(self, tried: set[RecordId], most: int) -> int:
        """Makes full manifests while there are files for one; how many."""
        for count in range(most):
            waiting = self.table.pending(self.files_per_manifest, tried)
            if len(waiting) < self.files_per_manifest or not self._make(waiting, self.files_per_manifest, tried):
                return count
        return most

    def flush(self, tried: set[RecordId], older_than: timedelta, most: int) -> int:
        """Makes manifests of whatever waits while the oldest of it has waited too long; how many files they got."""
        late, files = timestamp(self.clock() - older_than), 0
        for _ in range(most):
            waiting = self.table.pending(self.files_per_manifest, tried)
            if not waiting or waiting[0].since > late or not (made := self._make(waiting, 1, tried)):
                break
            files += made
        return files

    def _make(self, waiting: Sequence[OpenFile], least: int, tried: set[RecordId]) -> int:
        """Makes one manifest; how many files it got, none where nothing was started for certain."""
        manifest_id = self.new_id()
        oldest, *others = waiting
        tried.add(oldest.id)
        # The oldest first and alone: of several builders that see the same files, all but one stop here.
        gate = self.table.claim(oldest.id, manifest_id)
        if gate is None:
            return 0  # or the index is behind
        claimed = [gate, *self._claim(others, manifest_id, tried)]
        if len(claimed) < least:
            more = self.table.pending(least - len(claimed), tried)
            claimed += self._claim(more, manifest_id, tried)
        if len(claimed) < least:
            self._release(claimed, manifest_id)
            return 0
        room = self._room(claimed)
        if left := claimed[room:]:
            # For the next manifest, which may be made by this very call.
            self._release(left, manifest_id)
            tried.difference_update(one.id for one in left)
        return room if self._submit(manifest_id, claimed[:room]) else 0

    def _room(self, claimed: Sequence[FileRecord]) -> int:
        """How many of the files, oldest first, one run is given: all that fit, and one at least."""
        sizes = accumulate(one.listed.size for one in claimed)
        return max(1, sum(size <= self.manifest_bytes for size in sizes))

    def _submit(self, manifest_id: str, claimed: Sequence[FileRecord]) -> bool:
        """Lists, starts and records a manifest; false where it was refused, or nobody knows."""
        manifest = Manifest(
            manifest_id=manifest_id, created_at=self.clock(), files=tuple(one.listed for one in claimed)
        )
        try:
            self.lists.write(manifest)
        except Exception as error:  # noqa: BLE001 - nothing was started yet, so the files go back at once
            self.log.error("manifest_list_failed", manifest_id=manifest_id, error_type=type(error).__name__)
            self._release(claimed, manifest_id)
            return False
        execution = self.workflow.execution(manifest.execution_name)
        started = self.workflow.start(execution)
        if started is StartOutcome.REFUSED:
            self.log.error("manifest_start_refused", manifest_id=manifest_id, files=len(claimed))
            self._release(claimed, manifest_id)
            return False
        if started is StartOutcome.UNKNOWN:
            # It may be running: the claims stay until the sweeper has asked.
            self.log.error("manifest_start_unknown", manifest_id=manifest_id, files=len(claimed))
            return False
        self._note(execution, claimed)
        self.log.info("manifest_started", manifest_id=manifest_id, files=len(claimed))
        return True

    def _note(self, execution: Execution, claimed: Sequence[FileRecord]) -> None:
        """The record, then the files: a file is never `manifested` without a record that somebody looks after."""
        manifest_id = execution.manifest_id
        try:
            if not self.records.begin(manifest_id, execution.arn, len(claimed)):
                return  # the workflow was faster and has ended already
        except Exception as error:  # noqa: BLE001 - the execution runs: the workflow or the sweeper writes the record
            self.log.error("manifest_record_failed", manifest_id=manifest_id, error_type=type(error).__name__)
            return
        noted = self.parallel.call_each(lambda one: self.table.confirm(one.id, manifest_id), claimed)
        if failures := [one for one in noted if isinstance(one, Exception)]:
            # The workflow confirms them, whatever became of these updates.
            self.log.warning(
                "files_not_noted",
                manifest_id=manifest_id,
                files=len(failures),
                error_type=type(failures[0]).__name__,
            )

    def _claim(self, files: Sequence[OpenFile], manifest_id: str, tried: set[RecordId]) -> list[FileRecord]:
        tried.update(one.id for one in files)
        outcomes = self.parallel.call_each(lambda one: self.table.claim(one.id, manifest_id), files)
        # A claim that raised may have happened. It is not on the list then, so the sweeper gives it back.
        return [one for one in outcomes if isinstance(one, FileRecord)]

    def _release(self, claimed: Sequence[FileRecord], manifest_id: str) -> None:
        """Gives claims back; what cannot be given back now is left to the sweeper."""
        released = self.parallel.call_each(lambda one: self.table.release(one.id, manifest_id), claimed)
        self.log.info("claims_released", manifest_id=manifest_id, files=sum(one is True for one in released))
