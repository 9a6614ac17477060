"""Tests of each backend alone on the local platform, which enforces IAM."""

from functools import partial
from pathlib import Path

import pytest

from local.flows.flow_registry import FLOWS
from local.flows.identity import open_local_stack
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import Progress
from tests.whole_program import SECTIONS, backend_alone

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("one backend")]
FLOWS_PLAYED = ("ingestion", "livestream")
"""Backends that are also used. The flows of the others take longer."""


@pytest.mark.parametrize("section", SECTIONS)
def test_a_backend_is_deployed_in_one_step_and_works_alone(section: str, tmp_path: Path) -> None:
    """With the settings of the stack `local`, dropped files become rows without waiting for a full manifest."""
    with emulator.start(tmp_path) as started:
        endpoint = started.emulator.endpoint
        frontend = deploy(backend_alone("local", section), started.emulator, Progress()).outputs["frontend"]
        assert set(SECTIONS) & set(frontend) == {section}
        if section in FLOWS_PLAYED:
            steps: list[str] = []
            stack = open_local_stack(frontend, partial(EmulatorClients, endpoint))
            assert FLOWS[section].play(stack, steps.append) == []
            assert section != "ingestion" or "rows in the lake" in steps[-1]
