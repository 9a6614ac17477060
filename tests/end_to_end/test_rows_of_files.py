"""Test of the rows of a file that the console shows on the local platform."""

import pytest

from local import console_ingestion
from local.flows.ingestion_flow import list_lines
from tests.end_to_end.deployed_ingestion import DeployedIngestion
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("platform")]
FILE_NUMBER, KEY = 3, "incoming/runs/003%2Bpercent%.ndjson"
"""A file of the run of ingestion."""


@pytest.mark.usefixtures("ingestion_run")
def test_the_console_reads_the_rows_of_a_file_by_its_manifest(platform: Platform) -> None:
    [record] = DeployedIngestion(platform.deployment).wait_until_tracked(KEY)
    manifest, version = record["manifest_id"]["S"], record["version_id"]["S"]
    found = console_ingestion.read_file_rows(platform.emulator.folder, manifest, KEY, version)
    lines = list_lines(FILE_NUMBER)
    assert found["total"] == len(lines)
    assert [{name: row[name] for name in lines[0]} for row in found["rows"]] == lines
