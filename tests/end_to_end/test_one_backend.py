"""Test of ingestion alone on the local platform, with the settings of the stack file `Pulumi.local.yaml`.

`tests/local/preview/test_one_backend.py` checks that each backend can be deployed alone.
"""

from functools import partial
from pathlib import Path

import pytest

from local.flows import eventually
from local.flows.identity import open_local_stack
from local.flows.ingestion_client import IngestionBackend
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import Progress
from tests.end_to_end.deployed_ingestion import LINE
from tests.whole_program import SECTIONS, backend_alone

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("one backend")]


def test_a_run_starts_for_a_single_file_without_waiting_for_a_full_manifest(tmp_path: Path) -> None:
    """On AWS, files wait until a manifest, a list of files for one Spark run, is full or an hour has passed.

    The test ends before Spark starts. `test_ingestion_runs.py` checks the rows of a run.
    """
    with emulator.start(tmp_path) as started:
        frontend = deploy(backend_alone("local", "ingestion"), started.emulator, Progress()).outputs["frontend"]
        assert set(SECTIONS) & set(frontend) == {"ingestion"}
        ingestion = IngestionBackend(open_local_stack(frontend, partial(EmulatorClients, started.emulator.endpoint)))
        version = ingestion.upload("incoming/single.ndjson", LINE)

        def has_run() -> bool | None:
            record = ingestion.find_record("incoming/single.ndjson", version)
            return (record is not None and record["status"] == "manifested") or None

        eventually(has_run, "the run of the file")
