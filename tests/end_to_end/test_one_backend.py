"""Tests of single backends alone on the local platform, which enforces IAM.

`tests/local/preview/test_one_backend.py` checks that each backend can be deployed alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from local.flows import Stack, eventually, transcription_flow
from local.flows.identity import open_local_stack
from local.flows.ingestion_client import IngestionBackend, Record
from local.flows.transcription_client import TranscriptionBackend
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import Progress
from tests.end_to_end.deployed_ingestion import LINE
from tests.whole_program import SECTIONS, backend_alone

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("one backend")]


@contextmanager
def deployed_alone(section: str, folder: Path) -> Iterator[Stack]:
    with emulator.start(folder) as started:
        frontend = deploy(backend_alone("local", section), started.emulator, Progress()).outputs["frontend"]
        assert set(SECTIONS) & set(frontend) == {section}
        yield open_local_stack(frontend, partial(EmulatorClients, started.emulator.endpoint))


def test_a_single_file_becomes_rows_without_waiting_for_a_full_manifest(tmp_path: Path) -> None:
    """On AWS, files wait until a manifest, a list of files for one Spark run, is full or an hour has passed."""
    with deployed_alone("ingestion", tmp_path) as stack:
        ingestion = IngestionBackend(stack)
        version = ingestion.upload("incoming/single.ndjson", LINE)

        def find_processed() -> Record | None:
            record = ingestion.find_record("incoming/single.ndjson", version)
            return record if record is not None and record["status"] == "processed" else None

        assert eventually(find_processed, "the rows of the file", stack.patience_seconds)["rows"] == "1"


def test_transcription_works_without_any_other_backend(tmp_path: Path) -> None:
    with deployed_alone("transcription", tmp_path) as stack:
        assert transcription_flow.play(TranscriptionBackend(stack), lambda _step: None) == []
