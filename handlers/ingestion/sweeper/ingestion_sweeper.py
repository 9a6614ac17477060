"""Sweep of ingestion, which repairs the state after a function or an execution died, and creates manifests.

A manifest is a list of files. The function that creates it, its builder, claims the files and starts a workflow
execution. The execution confirms the files that still belong to the manifest, and starts a Glue job that processes
them. A sweep does three things:

1. It releases claims of dead builders, unless an execution may still confirm them.
2. It closes running manifests (records their end) if their execution ended without recording this, or does not exist.
3. It creates manifests from pending files. If a file has waited too long, the manifest need not be full.

A sweep can run at the same time as builders, executions and other sweeps.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import datetime, timedelta
from itertools import repeat

from handlers.common.executions import ExecutionStatus
from handlers.common.logging import EventLog, id_for_log
from handlers.common.sweep import SweepLoop
from handlers.ingestion.file_records import OpenFile
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestExecution, ManifestWorkflow
from handlers.ingestion.manifest_lifecycle import ManifestLifecycle
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.table_keys_and_updates import RecordId

MAX_MANIFESTS_PER_SWEEP = 50
"""Maximum number of full manifests that one sweep creates, and also of manifests that need not be full. The next sweep
continues."""
EXECUTION_CHECK_BUDGET = timedelta(minutes=1)
"""Time for checking the executions of running manifests. Thousands of executions may be waiting for the Glue job, and
the sweep must still get to the pending files."""


@dataclass(frozen=True)
class IngestionSweepResult:
    oldest_pending_seconds: int
    """Age of the oldest pending file before the sweep created manifests."""
    manifests: int
    """Number of manifests that were created because enough files for a full one were pending."""
    files: int
    """Number of files in the other manifests, which were created because a file had waited too long. These manifests
    are not counted in `manifests`, even if they are full."""
    released: int
    """Number of claims that were released."""
    resolved: int
    """Number of manifests whose old claims were checked."""
    settled: int
    """Number of running manifests that were closed. It does not include those that the check of old claims closed."""
    failed: int
    """Number of manifests whose check raised an error. The next sweep checks them again."""


@dataclass(frozen=True)
class IngestionSweeper:
    table: FileTable
    records: ManifestRecords
    documents: ManifestDocuments
    workflow: ManifestWorkflow
    _: KW_ONLY
    creator: ManifestCreator
    lifecycle: ManifestLifecycle
    claim_age: timedelta
    """Age after which a claim or a running manifest is checked."""
    flush_age: timedelta
    """Age of a pending file after which the sweep creates manifests that are not full."""
    log: EventLog
    clock: Callable[[], datetime]

    def sweep(self, *, flush_all: bool = False) -> IngestionSweepResult:
        """Run one sweep. With `flush_all`, files do not wait for enough others to fill a manifest."""
        claims, executions = self._resolve_claims(), self._close_manifests()
        # Measured before this sweep creates manifests, so that the alarm notices files that builders have left waiting.
        oldest = self.table.list_pending(1)
        age = self.clock() - datetime.fromisoformat(oldest[0].open_since) if oldest else timedelta()
        tried: set[RecordId] = set()
        manifests = self.creator.create_full_manifests(tried, MAX_MANIFESTS_PER_SWEEP)
        files = self.creator.flush(tried, timedelta() if flush_all else self.flush_age, MAX_MANIFESTS_PER_SWEEP)
        result = IngestionSweepResult(
            oldest_pending_seconds=int(age.total_seconds()),
            manifests=manifests,
            files=files,
            released=claims["released"],
            resolved=claims["resolved"],
            settled=executions["settled"],
            failed=claims["failed"] + executions["failed"],
        )
        self.log.info("sweep", **asdict(result))
        return result

    def _resolve_claims(self) -> Counter[str]:
        """Check the claims on which no builder can still be working. Release those that no execution will confirm."""
        by_manifest: defaultdict[str, list[OpenFile]] = defaultdict(list)
        for claim in self.table.list_claims(self.clock() - self.claim_age):
            by_manifest[claim.manifest_id].append(claim)
        return SweepLoop(self.log, self.clock, timedelta.max).run(
            batches=([entry] for entry in by_manifest.items()),
            # `SweepLoop` counts each name in this list: one checked manifest, and each claim that was released.
            handle=lambda entry: ["resolved", *repeat("released", self._resolve(*entry))],
            failure_event="claims_unresolved",
            describe=lambda entry: {"manifest_id": id_for_log(entry[0])},
        )

    def _resolve(self, manifest_id: str, claims: Sequence[OpenFile]) -> int:
        """Check the old claims of one manifest. Return the number of claims that were released."""
        manifest = self.documents.read(manifest_id)
        if manifest is None:
            return self._release(manifest_id, claims)  # its builder died before it could start an execution
        execution = self.workflow.execution(manifest.execution_name)
        status = self.workflow.status(execution)
        if status is None:
            # Not started. If a late request still starts the execution, it does not confirm the released files.
            return self._release(manifest_id, claims)
        listed = {file.record_id for file in manifest.files}
        running = status is ExecutionStatus.RUNNING
        # The builder may have died before it wrote the manifest record, so `begin` writes it if it is missing.
        if self.records.begin(manifest_id, execution.arn, len(listed)) and not running:
            self.lifecycle.close_ended_execution(execution, status)
        # While the execution runs, it may still confirm the claimed files on the manifest's list. A file is not on the
        # list if the response to its claim was lost. Once the execution has ended, no remaining claim is needed.
        return self._release(manifest_id, [claim for claim in claims if not running or claim.id not in listed])

    def _release(self, manifest_id: str, claims: Sequence[OpenFile]) -> int:
        return sum(self.table.release(claim.id, manifest_id) for claim in claims)

    def _close_manifests(self) -> Counter[str]:
        """Close the old manifests that count as running, but whose execution does not run any more, oldest first."""
        return SweepLoop(self.log, self.clock, EXECUTION_CHECK_BUDGET).run(
            batches=(
                [running_manifest] for running_manifest in self.records.list_running(self.clock() - self.claim_age)
            ),
            handle=lambda running_manifest: self._close_manifest(execution_arn=running_manifest[1]),
            failure_event="run_unsettled",
            describe=lambda running_manifest: {"manifest_id": id_for_log(running_manifest[0])},
        )

    def _close_manifest(self, execution_arn: str) -> list[str]:
        """Close a manifest, unless its execution runs. Return the outcomes to count: `settled`, or none."""
        execution = ManifestExecution.from_arn(execution_arn)
        status = self.workflow.status(execution)
        if status is ExecutionStatus.RUNNING:
            return []
        self.lifecycle.close_ended_execution(execution, status)
        return ["settled"]
