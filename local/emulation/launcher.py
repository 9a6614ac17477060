"""Program that runs MiniStack, the AWS emulator, with this project's extensions: `python -P launcher.py <folder> <lock>`.

Only `local/platform/emulator.py` starts it, with the Python of `.venv-emulator`. `<folder>` contains the files of the
local platform. `<lock>` is the descriptor of a locked file, which stays locked while the launcher runs. So other
commands see from the lock that the emulator runs.

The launcher and all its child processes are killed if the parent process ends or closes the launcher's standard input,
unless the parent has written the line `keep` before. They are also killed if the one process that runs Transcribe
streaming, the voice Q&A agent and the identity provider (`separate_process_services.py`) ends, because the platform
needs these services.

Lambda handlers must import the code of their deployed zip, and not that of the checkout. So their processes do not get
this process's import path, and `emulator.py` sets a working folder without code, which they inherit. The option `-P` keeps
the folder of this file out of the import path.
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
    os.set_inheritable(lock, False)  # a child process that inherited the lock could hold it longer
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    sys.path.append(str(ROOT))  # for this process only, Lambda workers do not inherit it
    sys.argv = ["ministack"]  # MiniStack must not read the arguments of this program

    from local.emulation.separate_process_services import start_services  # noqa: PLC0415 - needs the path

    variables, process = start_services()
    threading.Thread(target=_end_with_the_services, args=[process], name="services", daemon=True).start()
    (folder / "emulator" / "services.json").write_text(json.dumps(variables), encoding="utf-8")
    os.environ.update(variables)  # Lambda workers and jobs inherit them

    from local.emulation.extended_emulator import serve  # noqa: PLC0415 - reads the environment that was just set

    # The modules loaded by now are never freed. Without the freeze, garbage collection of them took a twelfth of the
    # emulator's time, because requests create many objects.
    gc.freeze()
    gc.set_threshold(50_000)
    serve(folder)


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
