"""What livestream costs in time and memory: four measurements, each a program of its own beside this one.

Each has a process for itself, so that none measures what another left behind. Nothing here reaches AWS. What its
functions load before they can do anything, `imports.py` measures beside the others'.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = {
    "livestream_operations.py": "its operations, in one process",
    "livestream_cursors.py": "cursors",
    "livestream_transcripts.py": "transcripts",
    "livestream_platform.py": "its API on the local platform",
}


def main() -> None:
    """Prints what each prints."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(machine)
    for part, what in PARTS.items():
        print(f"\n# {what}; load {os.getloadavg()[0]:.1f} before it begins\n", flush=True)
        subprocess.run([sys.executable, str(HERE / part)], check=True)


if __name__ == "__main__":
    main()
