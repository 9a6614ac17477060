"""File `frontend.json` with the addresses and ids that a web page needs: the stack output `frontend` of the running
local platform, and the platform's endpoint under the key `local`.

For a stack on AWS, the Pulumi CLI writes it: `pulumi stack output frontend > frontend.json`. Such a file has no key
`local`, and is never changed.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.frontend_output import Frontend, LocalOutput
from local import ROOT, CannotRun
from local.platform import emulator, lifecycle

FILE = ROOT / "frontend.json"
"""File that `make outputs` writes."""
NOT_RUNNING_ERROR = "the local platform is not running: start it with `make up`"


class FrontendUnavailable(CannotRun):
    """No platform is running, or it has no output `frontend`, or one that this version of the program cannot read."""


def find_platform(folder: Path) -> dict[str, Any]:
    """Return `endpoint`, `outputs` and `ids` of the running platform in a folder, or raise FrontendUnavailable."""
    running = lifecycle.find_running_platform(folder)
    if running is None:
        raise FrontendUnavailable(NOT_RUNNING_ERROR)
    return running


def read_frontend(folder: Path) -> Frontend:
    """Return the validated output `frontend` of the platform in a folder, or raise FrontendUnavailable."""
    running = find_platform(folder)
    if "frontend" not in running["outputs"]:
        raise FrontendUnavailable("the local platform is not complete: wait for `make up` to finish, or run it again")
    try:
        return Frontend.model_validate(running["outputs"]["frontend"])
    except ValidationError as error:
        raise FrontendUnavailable(
            "the running local platform was started by another version of this program: update it with `make up`"
        ) from error


def write_frontend_file(folder: Path = emulator.FOLDER) -> int:
    """Write the file for `make outputs`. Return the exit status."""
    local = LocalOutput(endpoint=find_platform(folder)["endpoint"])
    frontend = read_frontend(folder).model_copy(update={"local": local})
    FILE.write_text(json.dumps(frontend.to_output(), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {FILE.name}")
    return 0


def update_frontend_file(folder: Path) -> None:
    """After `make up` or `make down`: if the file is of a local platform, write it again, or remove it if none runs.

    A second platform in another folder does not change the file.
    """
    if folder != emulator.FOLDER or not _is_of_local_platform(FILE):
        return
    try:
        write_frontend_file(folder)
    except FrontendUnavailable:
        FILE.unlink()
        print(f"removed {FILE.name}, because the platform that it named does not run any more")


def _is_of_local_platform(file: Path) -> bool:
    try:
        return "local" in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False
