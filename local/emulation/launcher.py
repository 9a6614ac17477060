"""Program that starts the emulator in its own virtual environment: `python -P launcher.py <folder>`.

Only `local/platform/emulator.py` runs this file. The launcher and its Lambda workers end as soon as the parent process
ends or closes the launcher's standard input, unless the parent has sent `keep`. The option `-P` and a separate working
folder prevent handlers from importing code from the checkout, because they must use the code of the deployed zip.
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
KEEP_RUNNING = b"keep\n"
"""Line on the standard input after which the emulator outlives its parent process."""


def main() -> None:
    """Serve until the process is killed."""
    folder = Path(sys.argv[1])
    with (folder / "emulator.lock").open("wb") as lock:
        # The lock is held until the process ends. Locking fails if the folder already has a running emulator.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
        sys.path.append(str(ROOT))  # for this process only: each worker has its own path
        sys.argv = ["ministack"]

        from local.emulation.separate_process_services import start_services  # noqa: PLC0415 - needs the path

        variables = start_services()
        (folder / "emulator" / "services.json").write_text(json.dumps(variables), encoding="utf-8")
        os.environ.update(variables)  # every handler inherits them

        from local.emulation.extended_emulator import serve  # noqa: PLC0415 - reads the environment that was just set

        # The modules loaded by now are never freed. Without the freeze, garbage collection of them took a
        # twelfth of the emulator's time, because requests create many objects.
        gc.freeze()
        gc.set_threshold(50_000)
        serve(folder)


def _end_with_the_parent() -> None:
    if sys.stdin.buffer.readline() != KEEP_RUNNING:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
