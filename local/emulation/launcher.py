"""Program that runs MiniStack, the AWS emulator, with our extensions: `python -P launcher.py <folder> <lock>`.

Only `local/platform/emulator.py` starts it, with the Python of `.venv-emulator`. `<folder>` contains the files of the
local platform. `<lock>` is the descriptor of a locked file, which stays locked while the launcher runs. So other
commands see from the lock that the emulator runs.

The launcher and all its child processes are killed if the parent process ends or closes the launcher's standard input.
They outlive the parent if it has written the line `keep` before. If the launcher itself ends, a shell kills its child
processes, for example Lambda workers.

Lambda handlers must import the code of their deployed zip, and not that of the checkout. So their processes do not get
this process's import path, and `emulator.py` sets a working folder without code, which they inherit. The option `-P` keeps
the folder of this file out of the import path.
"""

import gc
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
    os.set_inheritable(lock, False)  # a child process that inherited the lock could hold it longer
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    sys.path.append(str(ROOT))  # for this process only, Lambda workers do not inherit it
    sys.argv = ["ministack"]  # MiniStack must not read the arguments of this program

    from local.emulation.extended_emulator import serve  # noqa: PLC0415 - needs the path

    # The modules loaded by now are never freed. Without the freeze, garbage collection of them took a twelfth of the
    # emulator's time, because requests create many objects.
    gc.freeze()
    gc.set_threshold(50_000)
    # The system closes the shell's input when this process ends. The process group contains all its child processes.
    with subprocess.Popen(["/bin/sh", "-c", "read -r _; kill -KILL 0"], stdin=subprocess.PIPE):
        serve(folder)


def _end_with_the_parent() -> None:
    if sys.stdin.buffer.readline() != KEEP_RUNNING:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
