"""Starts the emulator, in its own environment: `python -P launcher.py <folder>`. Only `local/platform/emulator.py` runs it.

It ends, and all its Lambda workers with it, as soon as whoever started it is gone or lets go of its standard input,
unless told to stay. `-P` and a working folder of its own keep handlers from being imported out of the checkout: they
must come from the zip that was deployed.
"""

import fcntl
import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEEP = b"keep\n"


def main() -> None:
    """Serves until killed."""
    folder = Path(sys.argv[1])
    with (folder / "emulator.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
        sys.path.append(str(ROOT))  # this process only: a worker gets a path of its own
        sys.argv = ["ministack"]

        from local.emulation.services_process import start_services  # noqa: PLC0415 - needs the path

        found = start_services()
        (folder / "emulator" / "services.json").write_text(json.dumps(found), encoding="utf-8")
        os.environ.update(found)  # every handler inherits it

        from local.emulation.installation import serve  # noqa: PLC0415 - reads the environment that was just settled

        # What is loaded by now stays. Requests make so many objects that going through all of it again each time was a
        # twelfth of the emulator's time.
        gc.freeze()
        gc.set_threshold(50_000)
        serve(folder)


def _end_with_the_parent() -> None:
    if sys.stdin.buffer.readline() != KEEP:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
