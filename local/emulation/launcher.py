"""Program that starts the emulator in its own virtual environment: `python -P launcher.py <folder> <lock>`.

Only `local/platform/emulator.py` runs this file. `<lock>` is the descriptor of the locked file that shows that the
emulator runs. The launcher and all its child processes end as soon as the parent process ends or closes the launcher's
standard input, unless the parent has sent `keep`. They also end together: if the process of the local services ends, the
launcher ends, so a platform without these services never counts as running. The option `-P` and a separate working
folder prevent handlers from importing code from the checkout, because they must use the code of the deployed zip.
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
    os.set_inheritable(lock, False)  # only this process holds the lock, until it ends
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    sys.path.append(str(ROOT))  # for this process only: each worker has its own path
    sys.argv = ["ministack"]

    from local.emulation.glue.spark_installation import SparkInstallation  # noqa: PLC0415 - needs the path
    from local.emulation.separate_process_services import start_services  # noqa: PLC0415

    spark = SparkInstallation(folder)  # takes the user's variables away, before another process inherits them
    variables, process = start_services()
    threading.Thread(target=_end_with_the_services, args=[process], name="services", daemon=True).start()
    (folder / "emulator" / "services.json").write_text(json.dumps(variables), encoding="utf-8")
    os.environ.update(variables)  # every handler inherits them

    from local.emulation.extended_emulator import serve  # noqa: PLC0415 - reads the environment that was just set

    # The modules loaded by now are never freed. Without the freeze, garbage collection of them took a
    # twelfth of the emulator's time, because requests create many objects.
    gc.freeze()
    gc.set_threshold(50_000)
    serve(folder, spark)


def _end_with_the_parent() -> None:
    if sys.stdin.buffer.readline() != KEEP_RUNNING:
        os.killpg(0, signal.SIGKILL)


def _end_with_the_services(process: "subprocess.Popen[bytes]") -> None:
    status = process.wait()
    print(f"the process of the local services ended with status {status}, so the emulator ends too", flush=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
