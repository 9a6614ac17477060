"""Tests of single backends alone on the local platform, which enforces IAM.

`tests/local/preview/test_one_backend.py` checks that each backend can be deployed alone.
"""

from functools import partial
from pathlib import Path

import pytest

from local.flows.flow_registry import FLOWS
from local.flows.identity import open_local_stack
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import SilentProgress
from tests.whole_program import SECTIONS, backend_alone

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("one backend")]


@pytest.mark.parametrize(
    ("section", "last_step"),
    [
        # With the settings of the stack `local`, files become rows without waiting for a full manifest.
        ("ingestion", "12 files processed by Spark: 36 rows in the lake"),
        ("transcription", "two simultaneous utterances"),
    ],
)
def test_a_backend_is_deployed_in_one_step_and_works_alone(section: str, last_step: str, tmp_path: Path) -> None:
    with emulator.start(tmp_path) as started:
        frontend = deploy(backend_alone("local", section), started.emulator, SilentProgress()).outputs["frontend"]
        assert set(SECTIONS) & set(frontend) == {section}
        steps: list[str] = []
        stack = open_local_stack(frontend, partial(EmulatorClients, started.emulator.endpoint))
        assert FLOWS[section].play(stack, steps.append) == []
        assert steps[-1].startswith(last_step)
