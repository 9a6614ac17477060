"""What live transcription costs in time, memory and streams: three measurements, each a program of its own beside this one.

Each has a process for itself, so that none measures what another left behind. Nothing here reaches AWS.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = {
    "transcription_rules.py": "the rules for captions",
    "transcription_streams.py": "a stream an utterance, or a stream a chunk",
    "transcription_platform.py": "end to end on the local platform",
}


def main() -> None:
    """Prints what each prints."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}; load {os.getloadavg()[0]:.1f} before it begins")
    for part, what in PARTS.items():
        print(f"\n# {what}\n", flush=True)
        subprocess.run([sys.executable, str(HERE / part)], check=True)


if __name__ == "__main__":
    main()
