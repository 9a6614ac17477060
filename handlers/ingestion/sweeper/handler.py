"""Looks after what stays where it is: old claims, pending files that no batch completes, workflows that died.

Every state has somebody who ends it. This is who ends the states that a builder or a workflow left behind; it may run
beside any of them and beside itself.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import repeat
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common.aws.clients import CONFIG, MAX_WORKERS
from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.aws.workflow_executions import ExecutionStatus
from handlers.common.logging import EventLog
from handlers.common.sweep import SweepLoop
from handlers.common.time_and_ids import clock
from handlers.ingestion.environment import SweeperEnvironment
from handlers.ingestion.execution_names import Execution, Workflow
from handlers.ingestion.file_admission import Admission
from handlers.ingestion.file_records import OpenFile
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_creation import ManifestMaker
from handlers.ingestion.manifest_lifecycle import Settler
from handlers.ingestion.manifest_lists import Lists
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.sweeper.reconciliation import Landing, Reconciler, Walks
from handlers.ingestion.table_items import RecordId

MANIFESTS_A_SWEEP = 50
"""Bounds one invocation; the next one goes on."""
ASKING = timedelta(minutes=1)
"""How long a sweep asks after executions: thousands may wait for a place, and files wait for what comes after."""


@dataclass(frozen=True)
class Swept:
    """What one sweep found and did."""

    oldest_pending_seconds: int
    manifests: int
    files: int
    released: int
    resolved: int
    settled: int
    failed: int


@dataclass(frozen=True)
class Sweeper:
    """Ends states that nobody else will."""

    table: FileTable
    records: ManifestRecords
    lists: Lists
    workflow: Workflow
    _: KW_ONLY
    maker: ManifestMaker
    settler: Settler
    claim_age: timedelta
    """From which on a claim or a run is looked into."""
    flush_age: timedelta
    """From which on a pending file waits no longer."""
    log: EventLog
    clock: Callable[[], datetime]

    def sweep(self, *, flush_all: bool = False) -> Swept:
        """One round. What fails in it is logged and counted, and met again by the next one."""
        claims, runs = self._resolve_claims(), self._settle_runs()
        oldest = self.table.pending(1)
        seconds = (self.clock() - datetime.fromisoformat(oldest[0].since)).total_seconds() if oldest else 0
        # Before anything is built, so that the alarm on it hears of files which building does not help.
        tried: set[RecordId] = set()
        manifests = self.maker.build_full(tried, MANIFESTS_A_SWEEP)
        files = self.maker.flush(tried, timedelta() if flush_all else self.flush_age, MANIFESTS_A_SWEEP)
        failed = claims["failed"] + runs["failed"]
        swept = Swept(int(seconds), manifests, files, claims["released"], claims["resolved"], runs["settled"], failed)
        self.log.info("sweep", **asdict(swept))
        return swept

    def _resolve_claims(self) -> Counter[str]:
        """Claims older than any builder: released where no execution has them."""
        by_manifest: defaultdict[str, list[OpenFile]] = defaultdict(list)
        for one in self.table.claims(self.clock() - self.claim_age):
            by_manifest[one.manifest_id].append(one)
        return SweepLoop(self.log, self.clock, timedelta.max).run(
            ([one] for one in by_manifest.items()),
            lambda one: ["resolved", *repeat("released", self._resolve(*one))],
            failure_event="claims_unresolved",
            describe=lambda one: {"manifest_id": one[0]},
        )

    def _resolve(self, manifest_id: str, claims: Sequence[OpenFile]) -> int:
        manifest = self.lists.read(manifest_id)
        if manifest is None:
            return self._release(manifest_id, claims)  # its builder died before it could start anything
        execution = self.workflow.execution(manifest.execution_name)
        status = self.workflow.status(execution)
        if status is None:
            # Not started, or starting only now: then it will confirm what it still finds claimed, and no more.
            return self._release(manifest_id, claims)
        listed = {RecordId(one.date_prefix, one.file_key) for one in manifest.files}
        running = status is ExecutionStatus.RUNNING
        if self.records.begin(manifest_id, execution.arn, len(listed)) and not running:
            self.settler.settle_ended(execution, status)
        # A claim whose answer was lost is on no list, so no run will ever confirm it. And what is still claimed now
        # that the run is over was not part of it.
        return self._release(manifest_id, [one for one in claims if not running or one.id not in listed])

    def _release(self, manifest_id: str, claims: Sequence[OpenFile]) -> int:
        return sum(self.table.release(one.id, manifest_id) for one in claims)

    def _settle_runs(self) -> Counter[str]:
        """Manifests that should have ended: their executions are asked, those that began first before the others."""
        return SweepLoop(self.log, self.clock, ASKING).run(
            ([one] for one in self.records.running(self.clock() - self.claim_age)),
            lambda one: self._settle(one[1]),
            failure_event="run_unsettled",
            describe=lambda one: {"manifest_id": one[0]},
        )

    def _settle(self, arn: str) -> list[str]:
        execution = Execution.of(arn)
        status = self.workflow.status(execution)
        if status is ExecutionStatus.RUNNING:
            return []
        self.settler.settle_ended(execution, status)
        return ["settled"]


class Call(BaseModel):
    """What the schedules send."""

    kind: Literal["sweep", "flush", "reconcile"]
    """`flush` is a person's: a sweep that lets no file wait for its manifest to be full."""


@cache
def _made() -> tuple[Sweeper, Reconciler]:
    """Made once a container."""
    environment = SweeperEnvironment.read()
    log = EventLog(environment.log_level)
    dynamodb, s3 = boto3.client("dynamodb", config=CONFIG), boto3.client("s3", config=CONFIG)
    parallel = ParallelCalls(MAX_WORKERS)
    where = (dynamodb, environment.manifest_table_name, environment.record_days, clock.now)
    table = FileTable(*where, environment.open_shards, every_shard=True)
    records, lists = ManifestRecords(*where), Lists(s3, environment.lake_bucket)
    workflow = Workflow(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn)
    maker = ManifestMaker(
        table,
        records,
        lists,
        workflow,
        parallel=parallel,
        log=log,
        clock=clock.now,
        new_id=clock.new_id,
        files_per_manifest=environment.files_per_manifest,
        manifest_bytes=environment.manifest_bytes,
    )
    sweeper = Sweeper(
        table,
        records,
        lists,
        workflow,
        maker=maker,
        settler=Settler(table, records, lists, parallel=parallel, log=log, clock=clock.now),
        claim_age=timedelta(seconds=environment.claim_seconds),
        flush_age=timedelta(seconds=environment.flush_seconds),
        log=log,
        clock=clock.now,
    )
    reconciler = Reconciler(
        table,
        Landing(s3, environment.landing_bucket, environment.landing_prefix),
        Walks(dynamodb, environment.manifest_table_name),
        Admission.of(environment.allowed_suffixes, environment.max_file_bytes),
        parallel=parallel,
        log=log,
        clock=clock.now,
        look_back=timedelta(days=environment.reconcile_days),
        budget=timedelta(seconds=environment.reconcile_seconds),
    )
    return sweeper, reconciler


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """The entry point of the function."""
    sweeper, reconciler = _made()
    kind = Call.model_validate(event).kind
    if kind == "reconcile":
        return asdict(reconciler.start())
    swept = asdict(sweeper.sweep(flush_all=kind == "flush"))
    # A walk that was too long for one invocation goes on, until it is through.
    return swept | asdict(reconciler.go_on())
