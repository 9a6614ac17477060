"""Program that runs the AWS emulator with this project's extensions: `python -P launcher.py <folder> <lock>`.

Only `local/platform/emulator.py` starts it, with the Python of the virtual environment `.venv-emulator`. `<folder>`
contains the files of the local platform. `<lock>` is the descriptor of a locked file. Other commands see from the lock
that the emulator runs.

The launcher and all its child processes are killed in two cases:

- The parent process ends or closes the launcher's standard input, and has not written the line `keep` before.
- The process of `separate_process_services.py` ends, because the platform does not work without these services.

Lambda handlers must import the code of their deployed zip. The option `-P` and a working folder outside of the checkout
keep them from importing the checkout's code.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEEP_RUNNING = b"keep\n"
"""Line on the standard input after which the emulator outlives its parent process."""


def main() -> None:
    """Serve until the process is killed."""
    folder, lock = Path(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(lock, False)  # a child process that inherited the lock could hold it after this process ends
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    sys.path.append(str(ROOT))  # for this process only, Lambda workers do not inherit it
    sys.argv = ["ministack"]

    from local.emulation.glue.spark_installation import SparkInstallation  # noqa: PLC0415 - needs the path
    from local.emulation.separate_process_services import start_services  # noqa: PLC0415

    spark = SparkInstallation(folder)  # removes a variable from the environment, so child processes do not inherit it
    variables, process = start_services()
    threading.Thread(target=_end_with_the_services, args=[process], name="services", daemon=True).start()
    (folder / "emulator" / "services.json").write_text(json.dumps(variables), encoding="utf-8")
    os.environ.update(variables)  # Lambda workers and jobs inherit them

    from local.emulation.extended_emulator import serve  # noqa: PLC0415 - reads the environment that was just set

    # Requests create many objects, so garbage is collected often. The freeze excludes the modules that are loaded by
    # now, which are never freed. Without it, garbage collection took a twelfth of the emulator's time.
    gc.freeze()
    gc.set_threshold(50_000)
    serve(folder, spark)


def _end_with_the_parent() -> None:
    if sys.stdin.buffer.readline() != KEEP_RUNNING:
        os.killpg(0, signal.SIGKILL)


def _end_with_the_services(process: "subprocess.Popen[bytes]") -> None:
    status = process.wait()
    print(
        f"The process of local/emulation/separate_process_services.py ended with status {status}, "
        "so the emulator ends too.",
        flush=True,
    )
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
