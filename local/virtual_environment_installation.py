"""Installation of one virtual environment: `python virtual_environment_installation.py <folder> <lock file>`.

The lock file lists all packages with fixed versions and hashes. The Makefile runs this program for each environment, and
the emulator runs it for Spark before the first Spark run. The program prints the environment's purpose and size, and
the progress of the installation.

Only one process installs an environment at a time, because two processes would corrupt it. The installing process holds
a lock (`fcntl.flock`), which the system releases when this process and its child processes end, even if they are
killed. The empty file `.locked` in the environment is written last. It is no lock, but shows that the installation is
complete. If it is missing, the next command installs the environment again.

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
"""Folder of the locks. They cannot be in the environment's own folder, which is deleted before its installation."""
STAMP = ".locked"
"""Name of the file in an environment that shows that the installation is complete."""
OLDEST, NEWEST = (3, 11), (3, 13)
"""Oldest and newest supported version of Python. For a Python newer than `NEWEST`, there is no wheel of the pyarrow
version in Spark's environment.
"""
PIPE_SECONDS = 5.0
"""Time between two lines about the progress in a pipe."""
TERMINAL_SECONDS = 0.5
"""Time between two updates of the line with the progress on a terminal."""
LOCK_SECONDS = 0.2
"""Time between two attempts to get the lock that another process holds."""
PACKAGE = re.compile(r"^[A-Za-z0-9][^\s;]*==", re.MULTILINE)
"""Start of a package's first line in a lock file, for example `boto3==`."""
FETCHED = re.compile(r"^\s*(?:Downloading|Using cached|Processing) (?:\S*/)?(\S+)(?: \(([^)]*)\))?")
"""Line with which pip reports that it fetches a package. The groups are the file's name and size, if pip prints it."""


class EnvironmentDescription(NamedTuple):
    """Purpose and approximate size of an environment, measured on Linux x86-64."""

    purpose: str
    download_megabytes: int
    disk_megabytes: int


ENVIRONMENTS = {
    ".venv": EnvironmentDescription("the Pulumi program, the local commands and the tests", 290, 1260),
    ".venv-emulator": EnvironmentDescription("the AWS emulator and the handlers' dependencies", 135, 400),
    "policies/.venv": EnvironmentDescription("the policy pack, which runs in a separate process", 20, 105),
    ".venv-spark": EnvironmentDescription("Spark and Java, for ingestion's runs", 460, 810),
}
"""Environments by folder."""


class InstallationFailed(Exception):
    """A step of the installation failed. The message says what to do."""


def check_python(version: "tuple[int, ...]") -> None:
    """Exit with an error if this version of Python is not supported."""
    if not OLDEST <= version[:2] <= NEWEST:
        found = ".".join(map(str, version))
        sys.exit(
            f"Polyphony needs Python 3.11 to 3.13, but this is {found}. Choose another Python, for example with "
            "`make up PYTHON=python3.13`."
        )


def install(folder: Path, requirements: Path) -> None:
    """Install an environment from its lock file, unless another process has just done so."""
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
            # The commands inherit the lock. So if only this program is killed, the next installation waits until the
            # command that was running has ended.
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
    """Steps of one installation, and a report of its progress: one updated line on a terminal, or lines in a pipe."""

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
        """Run the command of a step, and follow its progress in its output. Raise InstallationFailed if it fails.

        `lock` is the file descriptor of the lock, which the command inherits.
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
        """Update the progress from a line that pip prints."""
        fetched = FETCHED.match(line)
        if fetched and not fetched.group(1).endswith(".metadata"):
            self._fetched_count += 1
            name = "-".join(fetched.group(1).split("-")[:2]).removesuffix(".tar.gz")
            size = f" ({fetched.group(2)})" if fetched.group(2) else ""
            self._step = f"package {self._fetched_count} of {self._package_count}, {name}{size}"
        elif line.startswith("Building wheels"):
            self._step = line.strip()
        elif line.startswith("Installing collected packages"):
            # One second is subtracted, because file times are less exact, so a new file may seem older.
            self._installing_since = time.time() - 1

    def describe(self) -> str:
        """Return the current step with the time since the start."""
        step = self._step
        if self._installing_since is not None:
            # pip prints nothing now, but writes this file when a package is complete. Older files belong to packages
            # that came with the new environment.
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
    """Return True if the environment is complete, and its lock file has not changed since the installation."""
    stamp = folder / STAMP
    return stamp.exists() and stamp.stat().st_mtime_ns >= requirements.stat().st_mtime_ns


def _describe(folder: Path, requirements: Path) -> str:
    """Return the purpose and the size of an environment, as the end of a printed line."""
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
