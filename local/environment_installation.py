"""Program of the Makefile that installs a virtual environment.

It is run as `python environment_installation.py <folder> <lock file>`.

Only one process installs an environment at a time, because two would corrupt it. A second one waits until the first has
ended, and then finds the environment installed. The lock is a file lock. The system releases it when the installing
processes have ended, however they end. The stamp file `.locked` is written last, so an environment whose installation
was interrupted has none and is installed anew.

The program needs only Python's standard library, and Python 3.6 can parse it, so that it can refuse an old Python.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

LOCK_FOLDER = Path(".local")
"""Folder of the locks, because an environment's own folder is deleted before its installation."""
STAMP = ".locked"
"""Name of the file in an environment that shows that the installation is complete."""
OLDEST, NEWEST = (3, 11), (3, 13)
"""Oldest and newest supported version of Python. The locked pyarrow of Spark's environment has no wheel for a newer
one.
"""


def check_python(version: "tuple[int, ...]") -> None:
    """Exit with an error if this version of Python is not supported."""
    if not OLDEST <= version[:2] <= NEWEST:
        found = ".".join(map(str, version))
        sys.exit(f"Polyphony needs Python 3.11 to 3.13, this is {found}; name another by PYTHON=python3.13")


def install(folder: Path, requirements: Path) -> None:
    """Install an environment from a lock file with hashes, unless another process has just done so."""
    LOCK_FOLDER.mkdir(exist_ok=True)
    with (LOCK_FOLDER / f"{str(folder).replace('/', '-')}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _report(f"another command is installing {folder}: waiting until it has ended")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_installed(folder, requirements):
            return
        _report(f"installing {requirements} into {folder}")
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            ["rm", "-rf", str(folder)],
            [sys.executable, "-m", "venv", str(folder)],
            [*pip, "--require-hashes", "-r", str(requirements)],
        ):
            # The processes inherit the lock. If only this program is killed, the next one waits until they have ended.
            subprocess.run(command, check=True, pass_fds=[lock.fileno()])
        (folder / STAMP).touch()


def _is_installed(folder: Path, requirements: Path) -> bool:
    """Return True if the environment is complete and its lock file has not changed since."""
    stamp = folder / STAMP
    return stamp.exists() and stamp.stat().st_mtime_ns >= requirements.stat().st_mtime_ns


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    check_python(sys.version_info[:3])
    try:
        install(Path(sys.argv[1]), Path(sys.argv[2]))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        sys.exit(130)
