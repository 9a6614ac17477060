"""End-to-end tests of ingestion with Spark runs: the uploaded files become exactly their rows in the lake.

The files are divided into two manifests, each of which is a list of files for one Spark run: a full one, and one with
the remaining files, which the sweep *flushes*, that is, starts before it is full.
"""

import json
from collections import Counter

import pytest

from tests.end_to_end.conftest import INGESTED_FILES
from tests.end_to_end.deployment import FULL_MANIFEST
from tests.end_to_end.many_files import BAD_EVERY, IngestionOutcome, list_expected_rows
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("platform")]


def test_files_become_a_full_manifest_and_a_flushed_one_and_exactly_their_rows(ingestion_run: IngestionOutcome) -> None:
    assert set(ingestion_run.execution_counts) == {"SUCCEEDED"}
    assert ingestion_run.manifest_sizes == [FULL_MANIFEST, INGESTED_FILES + 1 - FULL_MANIFEST]
    assert ingestion_run.file_counts == {"processed": INGESTED_FILES, "rejected": 2, "superseded": 1}, (
        "the run adds an empty file, one of another type, and one that is deleted"
    )
    assert ingestion_run.rows == list_expected_rows(INGESTED_FILES)


def test_a_run_logs_counts_and_no_content_of_a_file(platform: Platform, ingestion_run: IngestionOutcome) -> None:
    log = (platform.emulator.folder / "glue.log").read_text(encoding="utf-8")
    run_counts = [json.loads(line) for line in log.splitlines() if line.startswith('{"event": "run_finished"')]
    files_of_runs = Counter(item["files"] for item in run_counts)  # other tests start runs on this platform, too
    assert Counter(ingestion_run.manifest_sizes) <= files_of_runs
    assert sum(item["rows"] for item in run_counts) >= len(ingestion_run.rows) > 0
    # Every n-th file has a line that is not JSON. Such lines are rejected.
    assert sum(item["rejected_rows"] for item in run_counts) >= INGESTED_FILES // BAD_EVERY
    assert [name for name in ("incoming/", "two words", "日本", "not json", '"text"') if name in log] == []
