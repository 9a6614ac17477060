"""Writes the running local platform's output `frontend` where a page can read it.

Of a deployed stack the CLI gives the same: `pulumi stack output frontend > frontend.json`.
"""

import json
from pathlib import Path

from pydantic import ValidationError

from components.frontend_output import Frontend
from local import ROOT, CannotRun
from local.platform import emulator, lifecycle

FILE = ROOT / "frontend.json"
NOT_RUNNING = "the local platform is not running: `make up` starts it"


class FrontendUnavailable(CannotRun):
    """No platform that runs here says what a frontend needs."""


def read_frontend(folder: Path) -> Frontend:
    """What the platform in a folder says, held against the model."""
    running = lifecycle.find_running_platform(folder)
    if running is None:
        raise FrontendUnavailable(NOT_RUNNING)
    if "frontend" not in running["outputs"]:
        raise FrontendUnavailable("the local platform is not up yet: no `make up` has come to its end")
    try:
        return Frontend.model_validate(running["outputs"]["frontend"])
    except ValidationError as error:
        raise FrontendUnavailable(
            "the local platform that runs is of another version of this program: `make up` renews it"
        ) from error


def write_frontend_file(folder: Path = emulator.FOLDER) -> int:
    """`make outputs`."""
    found = read_frontend(folder)
    FILE.write_text(json.dumps(found.exported(), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {FILE.name}")
    return 0
