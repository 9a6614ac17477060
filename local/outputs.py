"""Writes the running local platform's output `frontend` where a page can read it.

Of a deployed stack the CLI gives the same: `pulumi stack output frontend > frontend.json`.
"""

import json
import sys

from components.outputs import Frontend
from local import ROOT, platform

FILE = ROOT / "frontend.json"


def command() -> int:
    """`make outputs`: held against the model before it is written."""
    running = platform.running()
    if running is None:
        print("the local platform is not running: `make up` starts it", file=sys.stderr)
        return 2
    frontend = Frontend.model_validate(running["outputs"]["frontend"])
    FILE.write_text(json.dumps(frontend.exported(), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {FILE.name}")
    return 0
