"""Prints as JSON how the emulator behaves where this project corrects it.

`test_corrections.py` runs this program with the emulator's Python, once without and once with the corrections. Each
function that shows a behaviour calls the emulator where its requests or events reach the corrected code.
"""

import json
import os
import pkgutil
import sys
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.local.emulation.behaviour import api_gateway, other_services, permissions  # noqa: F401 - they register
from tests.local.emulation.behaviour.common import BEHAVIOURS, REGION, Behaviour


def run(function: Behaviour) -> Any:
    try:
        return function()
    except Exception:  # noqa: BLE001 - the test shows it as the result
        return traceback.format_exc()


def install_corrections(folder: Path) -> None:
    from local.emulation import extended_emulator, lambda_corrections  # noqa: PLC0415
    from local.emulation.batch.batch_service import BatchService  # noqa: PLC0415
    from local.emulation.faults import Faults  # noqa: PLC0415
    from local.emulation.step_functions.state_machine_tasks import StateMachineTasks  # noqa: PLC0415

    StateMachineTasks(
        extended_emulator.install_corrections(folder), BatchService(folder, Faults()), lambda parameters: parameters
    ).install()
    lambda_corrections.PATIENCE_SECONDS = 60  # on a busy machine, the results must be the same


def exists(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def main(*, corrected: bool) -> None:
    os.environ |= {"GATEWAY_PORT": "1", "AWS_DEFAULT_REGION": REGION}  # no service listens on port 1
    private_names = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        if corrected:
            install_corrections(Path(folder))
        behaviours = {
            name: {"shown": run(function), "emulator": emulator, "aws": aws}
            for name, (function, emulator, aws) in BEHAVIOURS.items()
        }
    missing_names = [name for name in private_names if not exists(name)]
    answer = {"version": version("ministack"), "missing_names": missing_names, "behaviours": behaviours}
    json.dump(answer, sys.stdout)
