"""Program of the Makefile that installs a virtual environment, and shows its content, size and progress.

It is run as `python environment_installation.py <folder> <lock file>`. The emulator runs it too, to install Spark before
the first Spark run.

Only one process installs an environment at a time, because two would corrupt it. A second one waits until the first has
ended, and then finds the environment installed. The lock is a file lock. The system releases it when the installing
processes have ended, however they end. The stamp file `.locked` is written last, so an environment whose installation
was interrupted has none and is installed again.

The program needs only Python's standard library, and Python 3.6 can parse it, so that it can refuse an old Python.
"""

import fcntl
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_FOLDER = Path(".local")
"""Folder of the locks, because an environment's own folder is deleted before its installation."""
STAMP = ".locked"
"""Name of the file in an environment that shows that the installation is complete."""
OLDEST, NEWEST = (3, 11), (3, 13)
"""Oldest and newest supported version of Python. The locked pyarrow of Spark's environment has no wheel for a newer
one.
"""
PIPE_SECONDS, TERMINAL_SECONDS = 5.0, 0.5
"""Time between two reports of the progress: lines in a pipe, or updates of one line on a terminal."""
LOCK_SECONDS = 0.2
"""Time between two attempts to get the lock that another process has."""
PACKAGE = re.compile(r"^[A-Za-z0-9][^\s;]*==", re.MULTILINE)
"""First line of a package in a lock file."""
FETCHED = re.compile(r"^\s*(?:Downloading|Using cached|Processing) (?:\S*/)?(\S+)(?: \(([^)]*)\))?")
"""Line with which pip reports that it fetches a package, with the file's name and, in parentheses, its size."""


class EnvironmentDescription(NamedTuple):
    """Purpose and approximate size of an environment. Sizes in megabytes were measured on Linux x86-64."""

    purpose: str
    download_megabytes: int
    disk_megabytes: int


ENVIRONMENTS = {
    ".venv": EnvironmentDescription("the Pulumi program, the local commands and the tests", 210, 1060),
    ".venv-emulator": EnvironmentDescription("the AWS emulator and the handlers' dependencies", 60, 210),
    "policies/.venv": EnvironmentDescription("the policy pack, which runs in a separate process", 20, 105),
    ".venv-spark": EnvironmentDescription("Spark and Java, for ingestion's runs", 460, 810),
}
"""Environments by folder."""


class InstallationFailed(Exception):
    """A step of the installation failed. The message states the cause and a remedy."""


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
            _wait_for_lock(lock.fileno(), folder)
        if _is_installed(folder, requirements):
            return
        _report(f"installing {requirements} into {folder}{_describe(folder, requirements)}")
        progress = InstallationProgress(folder, requirements)
        with progress.reporting():
            # The processes inherit the lock. If only this program is killed, the next one waits until they have ended.
            progress.run("deleting the old environment", ["rm", "-rf", str(folder)], lock.fileno())
            progress.run("creating the environment", [sys.executable, "-m", "venv", str(folder)], lock.fileno())
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
            pip += ["--progress-bar", "off", "--require-hashes", "-r", str(requirements)]
            progress.run("connecting to the package index", pip, lock.fileno())
        (folder / STAMP).touch()
    _report(f"installed {folder} in {progress.seconds:.0f} s")


def _wait_for_lock(lock: int, folder: Path) -> None:
    """Wait until another process releases the lock, and report this every few seconds."""
    start = reported_at = time.monotonic()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_SECONDS)
        else:
            return
        if time.monotonic() - reported_at >= PIPE_SECONDS:
            reported_at = time.monotonic()
            _report(f"  {folder}: waiting for the other command, {reported_at - start:.0f} s")


class InstallationProgress:
    """Progress of one installation, which a thread reports every few seconds: a live line on a terminal, or lines in a
    pipe.
    """

    def __init__(self, folder: Path, requirements: Path) -> None:
        self.folder = folder
        self._package_count = _count_packages(requirements)
        self._fetched_count = 0
        self._step = "starting"
        self._installing_since: float | None = None
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the start of the installation."""
        return time.monotonic() - self._start

    def run(self, step: str, command: "list[str]", lock: int) -> None:
        """Run a command that inherits the lock, and update the step from its output. Raise InstallationFailed if it
        fails.
        """
        self._step = step
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, pass_fds=[lock]
        ) as process:
            try:
                for line in process.stdout or ():
                    self._follow(line)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise InstallationFailed(
                f"{self.folder} could not be installed: `{command[0]}` ended with status {process.returncode}, "
                "and the error is above. pip loads the packages from its package index (pypi.org, unless it is "
                "configured otherwise), so this machine must reach it. Try again when it does."
            )

    def _follow(self, line: str) -> None:
        """Update the step from a line that pip prints."""
        fetched = FETCHED.match(line)
        if fetched and not fetched.group(1).endswith(".metadata"):
            self._fetched_count += 1
            name = "-".join(fetched.group(1).split("-")[:2]).removesuffix(".tar.gz")
            size = f" ({fetched.group(2)})" if fetched.group(2) else ""
            self._step = f"package {self._fetched_count} of {self._package_count}, {name}{size}"
        elif line.startswith("Building wheels"):
            self._step = line.strip()
        elif line.startswith("Installing collected packages"):
            self._installing_since = time.time() - 1  # the clock of files is less exact, so a new file may seem older

    def describe(self) -> str:
        """Return the current step with the time since the start."""
        step = self._step
        if self._installing_since is not None:
            # pip writes this file when a package is complete. Older files belong to packages that pip will replace.
            files = self.folder.glob("lib/python*/site-packages/*.dist-info/INSTALLER")
            installed_count = sum(file.stat().st_mtime >= self._installing_since for file in files)
            step = f"installed {installed_count} of {self._package_count} packages"
        return f"  {self.folder}: {step}, {self.seconds:.0f} s"

    @contextmanager
    def reporting(self) -> "Iterator[None]":
        """Report the progress while the block runs."""
        end, is_terminal = threading.Event(), sys.stderr.isatty()
        thread = threading.Thread(target=self._report_until, args=[end, is_terminal], name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()
            if is_terminal:
                print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _report_until(self, end: threading.Event, is_terminal: bool) -> None:
        while not end.wait(TERMINAL_SECONDS if is_terminal else PIPE_SECONDS):
            if is_terminal:
                width = shutil.get_terminal_size().columns - 1  # a longer line could not be replaced
                print(f"\r\033[K{self.describe()[:width]}", end="", file=sys.stderr, flush=True)
            else:
                _report(self.describe())


def _is_installed(folder: Path, requirements: Path) -> bool:
    """Return True if the environment is complete and its lock file has not changed since."""
    stamp = folder / STAMP
    return stamp.exists() and stamp.stat().st_mtime_ns >= requirements.stat().st_mtime_ns


def _describe(folder: Path, requirements: Path) -> str:
    """Return the purpose and the size of an environment, as the end of a sentence."""
    description = ENVIRONMENTS[str(folder)]
    return (
        f": {description.purpose}; {_count_packages(requirements)} packages, about {description.download_megabytes} MB "
        f"to download and {description.disk_megabytes} MB on disk"
    )


def _count_packages(requirements: Path) -> int:
    return len(PACKAGE.findall(requirements.read_text(encoding="utf-8")))


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    check_python(sys.version_info[:3])
    try:
        install(Path(sys.argv[1]), Path(sys.argv[2]))
    except InstallationFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)
