"""Runs a script with the emulator's Python, for tests that need the emulator's own modules."""

import json
import subprocess
from typing import Any

from local import ROOT
from local.platform.emulator import PYTHON

TIMEOUT_SECONDS = 60


def run_in_emulator_python(script: str, values: Any) -> Any:
    """Run a script that reads JSON from its standard input and prints its result as JSON. Return the result."""
    prelude = f"import sys\nsys.path.append({str(ROOT)!r})\n"
    process = subprocess.run(  # noqa: S603 - the emulator's own environment
        [str(PYTHON), "-P", "-c", prelude + script],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)
