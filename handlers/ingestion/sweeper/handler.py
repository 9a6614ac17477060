"""Sweeper: the Lambda function that a schedule invokes every few minutes for a sweep of ingestion.

A manifest is a list of files for one execution of the workflow. A sweep creates manifests from pending files. If a file
has waited too long, the manifest need not be full. Then the sweep ends the manifests whose execution ended without
recording this, for example because it was aborted. A sweep can run at the same time as builders, executions and sweeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from handlers.common.executions import RUNNING
from handlers.common.logging import id_for_log
from handlers.ingestion.environment import SweeperEnvironment
from handlers.ingestion.manifest_creation import ManifestCreator, create_manifest_creator


class SweepRequest(BaseModel):
    """Event that a schedule or an operator sends."""

    kind: Literal["sweep", "flush"]
    """Only operators send `flush`. It is a sweep that does not let pending files wait for full manifests."""


class IngestionSweepResult(NamedTuple):
    """Result of a sweep, which is also logged. Log metrics read the fields."""

    oldest_pending_seconds: int
    """Age of the oldest pending file before the sweep created manifests."""
    manifests: int
    """Number of manifests that were created."""
    files: int
    """Number of files in these manifests."""
    closed: int
    """Number of manifests that were ended because their execution had ended."""
    failed: int
    """Number of manifests whose check raised an error. The next sweep checks them again."""


@dataclass(frozen=True)
class IngestionSweeper:
    """Sweeps of ingestion."""

    creator: ManifestCreator
    environment: SweeperEnvironment

    def sweep(self, *, flush_all: bool = False) -> IngestionSweepResult:
        """Run one sweep. With `flush_all`, files do not wait for enough others to fill a manifest."""
        manifests = self.creator.manifests
        # Measured before this sweep creates manifests, so that the alarm notices files that builders have left waiting.
        oldest = manifests.files.list_pending(1)
        age = manifests.files.clock() - datetime.fromisoformat(oldest[0].open_since) if oldest else timedelta()
        counts = self.creator.create_manifests(timedelta(seconds=0 if flush_all else self.environment.flush_seconds))
        # Last, because thousands of executions may be waiting for the Glue job.
        closed, failed = self._close_manifests()
        result = IngestionSweepResult(
            oldest_pending_seconds=int(age.total_seconds()),
            manifests=len(counts),
            files=sum(counts),
            closed=closed,
            failed=failed,
        )
        manifests.log.info("sweep", **result._asdict())
        return result

    def _close_manifests(self) -> tuple[int, int]:
        """End the manifests whose execution has ended. Return their number, and the number of checks that failed."""
        manifests = self.creator.manifests
        closed = failed = 0
        checked_before = manifests.files.clock() - timedelta(seconds=self.environment.check_seconds)
        for execution in manifests.list_running(checked_before):
            try:
                status = self.creator.executions.status(execution.arn)
                if status != RUNNING:
                    manifests.close_ended_execution(execution, status)
                    closed += 1
            except Exception as error:  # noqa: BLE001 - counted, and the other manifests are still checked
                manifest_id = id_for_log(execution.manifest_id)
                manifests.log.failure("manifest_not_closed", error, manifest_id=manifest_id)
                failed += 1
        return closed, failed


@cache
def _sweeper() -> IngestionSweeper:
    environment = SweeperEnvironment.read()
    return IngestionSweeper(create_manifest_creator(environment), environment)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    request = SweepRequest.model_validate(event)
    sweeper = _sweeper()
    try:
        return sweeper.sweep(flush_all=request.kind == "flush")._asdict()
    except Exception as error:
        sweeper.creator.manifests.log.failure("sweep_failed", error)
        raise
