"""Installation of one virtual environment: `python virtual_environment_installation.py <folder> <lock file>`.

The Makefile runs this program for each environment. The lock file lists all packages with fixed versions and hashes.

Only one process installs an environment at a time, because two processes would corrupt it. The installing process holds
a lock (`fcntl.flock`), which the system releases when this process and its child processes end, even if they are
killed. The stamp, an empty file `.locked` in the environment, is written last. It shows that all packages of the lock
file are installed. If the stamp is missing, the next command installs the environment again.

The program needs only Python's standard library, and can be parsed by Python 3.6, so it can refuse an old Python.
"""

import fcntl
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

LOCK_FOLDER = Path(".local")
"""Folder of the locks. They cannot be in the environment's own folder, which is deleted before its installation."""
STAMP = ".locked"
"""Name of the stamp in an environment."""
OLDEST, NEWEST = (3, 11), (3, 13)
"""Oldest and newest supported Python. The locked pyarrow of Spark's environment has no wheel for a newer version."""
REPORT_SECONDS = 8.0
"""Time between two lines about the progress."""
ENVIRONMENTS = {
    ".venv": "the Pulumi program, the local commands and the tests; about 290 MB to download and 1260 MB on disk",
    ".venv-emulator": "the AWS emulator and the handlers' dependencies; about 135 MB to download and 400 MB on disk",
    "policies/.venv": "the policy pack, which runs in its own process; about 20 MB to download and 105 MB on disk",
    ".venv-spark": "Spark and Java, for ingestion's runs; about 460 MB to download and 810 MB on disk",
}
"""Purpose and size of each environment by its folder. The sizes were measured on Linux x86-64."""


def check_python(version: "tuple[int, ...]") -> None:
    """Exit with an error if this version of Python is not supported."""
    if not OLDEST <= version[:2] <= NEWEST:
        found = ".".join(map(str, version))
        sys.exit(
            f"Polyphony needs Python 3.11 to 3.13, but this is {found}. Choose another Python, for example with "
            "`make up PYTHON=python3.13`."
        )


def install(folder: Path, requirements: Path) -> None:
    """Install an environment from its lock file, unless the stamp is newer, so that it is already installed."""
    threading.Thread(target=_report_regularly, args=[folder], daemon=True).start()
    LOCK_FOLDER.mkdir(exist_ok=True)
    with (LOCK_FOLDER / f"{str(folder).replace('/', '-')}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _report(f"another command is installing {folder}: waiting until it has ended")
            fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / STAMP
        if stamp.exists() and stamp.stat().st_mtime_ns >= requirements.stat().st_mtime_ns:
            return
        package_count = len(re.findall(r"^\w[^\s;]*==", requirements.read_text(encoding="utf-8"), re.MULTILINE))
        _report(f"installing {requirements} into {folder}: {package_count} packages, {ENVIRONMENTS[str(folder)]}")
        if folder.exists():
            _report(f"deleting the old {folder}")
            shutil.rmtree(folder)
        _run(lock.fileno(), sys.executable, "-m", "venv", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check")
        _run(lock.fileno(), *pip, "--require-hashes", "-r", str(requirements))
        stamp.touch()
        _report(f"installed {folder}")


def _run(lock: int, *command: str) -> None:
    """Run a step of the installation. Its output goes to standard error, because that of `make preview JSON=1` is JSON.

    The step inherits the lock. So if only this process is killed, the next installation waits until the step has ended.
    """
    step = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=[lock], check=False)
    if step.returncode:
        sys.exit(
            f"The environment could not be installed, and the error of `{' '.join(command[:4])}` is above. pip loads "
            "the packages from its package index (pypi.org, unless it is configured otherwise), so this machine must "
            "reach it. Correct the cause, and repeat the command."
        )


def _report_regularly(folder: Path) -> None:
    """Report the progress until the process ends, because pip can be silent for minutes while it installs packages."""
    start = time.monotonic()
    clear_line = "\r\033[K" if sys.stderr.isatty() else ""  # removes pip's progress bar, which pip prints again
    while True:
        time.sleep(REPORT_SECONDS)
        package_count = len(list(folder.glob("lib/python*/site-packages/*.dist-info")))
        _report(f"{clear_line}  {folder} has {package_count} packages after {time.monotonic() - start:.0f} s")


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    check_python(sys.version_info[:3])
    try:
        install(Path(sys.argv[1]), Path(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
