"""Test that a single file, uploaded to the local platform, becomes rows without any command or other files.

On AWS, files wait until a manifest, a list of files for one Spark run, is full or an hour has passed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.flows import eventually
from local.flows.sample_files import read_sample
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import Progress
from tests.end_to_end.deployment import Deployment
from tests.end_to_end.ingestion_client import IngestionRuns
from tests.whole_program import backend_alone

pytestmark = [pytest.mark.e2e, pytest.mark.spark]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[IngestionRuns]:
    """Client of a platform that has only ingestion, with the settings of the stack `local`."""
    with emulator.start(tmp_path) as started:
        deployed = deploy(backend_alone("local", "ingestion"), started.emulator, Progress())
        clients = EmulatorClients(started.emulator.endpoint)
        yield IngestionRuns(Deployment(started.emulator, clients, deployed.ids, deployed.outputs))


def test_a_single_file_becomes_rows_without_waiting_for_a_full_manifest(runs: IngestionRuns) -> None:
    sample = read_sample("records-1.ndjson")
    assert sample is not None
    runs.intake.upload("incoming/single.ndjson", sample)

    def find_rows() -> str | None:
        [record] = runs.intake.wait_until_tracked("incoming/single.ndjson")
        return record["rows"]["N"] if record["status"]["S"] == "processed" else None

    assert eventually(find_rows, "the rows of the file", 120) == str(len(sample.splitlines()))
