"""Arithmetic of the section Headroom in docs/ingestion.md: usage of each limit at 600 times the load.

The usage of the busiest hour follows from the settings' defaults and from the numbers of calls in the cost model.
"""

import re

import pytest

from components.handler_archive import ROOT
from components.ingestion.cost import (
    INDEX_WRITES_PER_FILE,
    MILLISECONDS_PER_BATCH,
    MILLISECONDS_PER_FILE,
    WRITES_PER_FILE,
    files_per_run,
)
from components.settings import IngestionSettings
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, announce

FACTOR = 600
SETTINGS = IngestionSettings()


def compute_usage(factor: float) -> dict[str, float]:
    """Return the usage of each limit at a multiple of the load, per second or as a concurrent number."""
    load, batch_size = SETTINGS.load, SETTINGS.intake.batch_size
    files = load.peak_files_per_hour * factor / 3600
    manifests = files / files_per_run(SETTINGS)
    runs = manifests * load.run_minutes * 60
    builder_seconds = (MILLISECONDS_PER_BATCH + MILLISECONDS_PER_FILE * batch_size) / 1000
    return {
        "S3, uploads below one prefix": files,
        "Lambda, concurrent builders": files / batch_size * builder_seconds,
        "DynamoDB, writes to the partition of one day": files * WRITES_PER_FILE,
        "DynamoDB, writes to the pending files of the index": files * INDEX_WRITES_PER_FILE,
        "Step Functions, starts": manifests,
        "Glue, concurrent runs of the job": runs,
        "Glue, concurrent runs of the account": runs,
        "Glue, DPUs of the account": runs * SETTINGS.spark.workers,
    }


def test_the_page_states_what_600_times_the_load_uses_of_each_limit() -> None:
    section = (ROOT / "docs" / "ingestion.md").read_text(encoding="utf-8").partition("## Headroom")[2]
    rows = re.findall(r"^\| ([A-Z].*?) \| ([\d.,]+)(?: /s)? \| ([\d,]+)(?: /s)? \| (.*?) \|$", section, re.MULTILINE)
    usage = compute_usage(FACTOR)
    assert f"({FACTOR * SETTINGS.load.files_per_day / 1e6:g} million files a day)" in section
    assert {name: float(used) for name, used, _, _ in rows} == pytest.approx(usage, rel=0.05)
    limits = {name: int(limit.replace(",", "")) for name, _, limit, _ in rows}
    assert limits["Lambda, concurrent builders"] == SETTINGS.intake.max_concurrency
    assert limits["Glue, concurrent runs of the job"] == SETTINGS.spark.concurrent_runs
    exceeded = {name for name, used in usage.items() if used > limits[name]}
    assert exceeded == {name for name in usage if name.startswith("Glue")}, "one setting and two quotas"
    ways_to_raise = {raised_by for name, _, _, raised_by in rows if name in exceeded}
    assert ways_to_raise == {"`spark.concurrentRuns`", "Service Quotas"}


def test_the_code_makes_as_many_writes_for_a_file_as_the_cost_model_says() -> None:
    harness = IngestionHarness(Cloud(NOW))
    writes: list[str] = []

    def count_writes(point: str) -> None:
        writes.extend([point] if point in {"before PutItem", "before UpdateItem"} else [])

    harness.builder(count_writes).handle(announce("a", "b", "c"))
    harness.run(harness.waiting_executions.pop(), count_writes)
    record_writes = 3  # begin by the builder and by the workflow, end
    assert len(writes) - record_writes == 3 * WRITES_PER_FILE
