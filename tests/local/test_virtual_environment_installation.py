"""Tests of the installation of virtual environments, which the real `make` starts.

Most tests use a fake module `venv`, whose installations take no time and can be made to wait.
"""

import fcntl
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from local import ROOT, virtual_environment_installation
from local.virtual_environment_installation import ENVIRONMENTS, InstallationFailed, InstallationProgress, check_python

STAMP = ".venv/.locked"
"""File that marks a complete installation. It is the target of make."""
FAKE_VENV = """
import pathlib, sys
binaries = pathlib.Path(sys.argv[1]) / "bin"
binaries.mkdir(parents=True)
python = binaries / "python"
python.write_text('''#!/bin/sh
case "$*" in
  "-m local "*) echo "{}" ;;
  "-m pip "*)
    echo installing >> calls.txt
    test -e fatal && rm fatal && kill -9 $PPID
    test -p gate && echo "pip waits" >&2 && cat gate
    touch .venv/package ;;
esac
''')
python.chmod(0o755)
"""
"""Module that creates environments with a fake pip. If there is a named pipe `gate`, pip waits until the test opens it.
If there is a file `fatal`, pip first kills the process that started it."""


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 1)])
def test_a_supported_python_version_is_accepted(version: tuple[int, int, int]) -> None:
    check_python(version)


@pytest.mark.parametrize(("version", "text"), [((3, 10, 1), "3.10.1"), ((3, 14, 0), "3.14.0")])
def test_an_unsupported_python_version_is_an_error(version: tuple[int, int, int], text: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(f"Python 3.11 to 3.13, but this is {text}")):
        check_python(version)


class Checkout:
    """Folder with the Makefile and the files that it needs for an installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "local").mkdir()
        (folder / "fakes").mkdir()
        (folder / "policies").mkdir()
        (folder / "requirements").mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        shutil.copy(ROOT / "local" / "virtual_environment_installation.py", folder / "local")
        (folder / "fakes" / "venv.py").write_text(FAKE_VENV)
        for requirements_file in ("requirements/tools.txt", "policies/requirements.txt"):
            (folder / requirements_file).touch()

    @contextmanager
    def make(self, *arguments: str, fake_venv: bool = True) -> Iterator["subprocess.Popen[str]"]:
        """Run make in its own process group, which is killed at the end."""
        variables = {"PYTHONPATH": str(self.folder / "fakes")} if fake_venv else {}
        with subprocess.Popen(  # noqa: S603 - this project's own Makefile
            ["make", f"PYTHON={sys.executable}", *arguments],  # noqa: S607
            cwd=self.folder,
            # The environment is minimal, because make may have started these tests itself.
            env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                kill_group(process)

    def close_gate(self) -> None:
        """Make pip wait until the gate is opened."""
        os.mkfifo(self.folder / "gate")

    def open_gate(self) -> None:
        """Let the waiting pip continue. Later ones do not wait."""
        with (self.folder / "gate").open("w"):  # waits until pip reads
            (self.folder / "gate").unlink()

    @property
    def installation_count(self) -> int:
        """Number of installations that pip has started."""
        return len((self.folder / "calls.txt").read_text().splitlines())


def kill_group(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def read_message(process: "subprocess.Popen[str]") -> str:
    """Return the next message that make prints on standard error, up to a colon. Progress lines are skipped."""
    assert process.stderr is not None
    line = process.stderr.readline()
    while line.startswith("  "):
        line = process.stderr.readline()
    return line.partition(": ")[0].strip()


INSTALLING = "installing requirements/tools.txt into .venv"
WAITING = "another command is installing .venv"
PIP_WAITS = "pip waits"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("target", ["cost", "preview"])
def test_the_output_of_a_command_is_only_json_even_if_it_installs_first(target: str, checkout: Checkout) -> None:
    with checkout.make(target, "JSON=1") as process:
        output, errors = process.communicate()
    assert (process.returncode, json.loads(output)) == (0, {})
    assert INSTALLING in errors


def test_a_second_command_waits_and_does_not_install_again(checkout: Checkout) -> None:
    checkout.close_gate()
    with checkout.make(STAMP) as first, checkout.make(STAMP) as second:
        assert {read_message(first), read_message(second)} == {INSTALLING, WAITING}
        checkout.open_gate()
        assert (first.wait(), second.wait()) == (0, 0)
    assert checkout.installation_count == 1
    assert (checkout.folder / ".venv" / "package").exists()


def test_an_installation_that_was_killed_is_repeated_from_the_start(checkout: Checkout) -> None:
    checkout.close_gate()
    with checkout.make(STAMP) as first:
        assert (read_message(first), read_message(first)) == (INSTALLING, PIP_WAITS)
        with checkout.make(STAMP) as second:
            assert read_message(second) == WAITING
            (checkout.folder / ".venv" / "incomplete").touch()
            kill_group(first)
            assert read_message(second) == INSTALLING
            checkout.open_gate()
            assert second.wait() == 0
    assert checkout.installation_count == 2
    assert not (checkout.folder / ".venv" / "incomplete").exists()
    assert (checkout.folder / STAMP).exists()


def test_the_next_command_waits_for_a_pip_whose_parent_was_killed(checkout: Checkout) -> None:
    (checkout.folder / "fatal").touch()
    checkout.close_gate()
    with checkout.make(STAMP) as first:
        assert read_message(first) == INSTALLING
        assert first.wait() != 0
        with checkout.make(STAMP) as second:
            assert read_message(second) == WAITING
            checkout.open_gate()
            assert read_message(second) == INSTALLING
            assert second.wait() == 0
    assert checkout.installation_count == 2


FIRST_DOWNLOAD = """
Collecting one==1.0 (from -r requirements/tools.txt (line 1))
  Downloading one-1.0-py3-none-any.whl.metadata (1.0 kB)
  Downloading one-1.0-py3-none-any.whl (12.3 MB)
"""
"""Output of pip."""


@pytest.fixture
def progress(tmp_path: Path) -> InstallationProgress:
    requirements_file = tmp_path / "requirements.txt"
    requirements_file.write_text("one==1.0 --hash=sha256:1\ntwo==2.0 --hash=sha256:2\n    # via one==1.0\nthree==3.0\n")
    return InstallationProgress(tmp_path / "environment", requirements_file)


def run_step(progress: InstallationProgress, text: str) -> None:
    """Run a step of an installation that prints a text."""
    with progress.reporting(), (progress.folder.parent / "lock").open("wb") as lock:
        progress.run("connecting to the index", [sys.executable, "-c", f"print({text!r})"], lock.fileno())


def test_the_progress_counts_downloaded_and_installed_packages(progress: InstallationProgress) -> None:
    run_step(progress, "Collecting one==1.0")
    assert "connecting to the index" in progress.describe()
    run_step(progress, FIRST_DOWNLOAD)
    assert "package 1 of 3, one-1.0 (12.3 MB), 0 s" in progress.describe()
    run_step(progress, "Collecting two==2.0\n  Using cached two-2.0.tar.gz (1.2 MB)")
    assert "package 2 of 3, two-2.0 (1.2 MB)" in progress.describe()
    run_step(progress, "Building wheels for collected packages: two")
    assert "Building wheels for collected packages: two" in progress.describe()
    packages = progress.folder / "lib" / "python3.11" / "site-packages"
    for name in ("pip-1.0", "one-1.0", "two-2.0"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    (packages / "pip-1.0.dist-info" / "INSTALLER").touch()
    os.utime(packages / "pip-1.0.dist-info" / "INSTALLER", (0, 0))  # installed before the step, so not counted
    run_step(progress, "Installing collected packages: one, two, three")
    assert "installed 0 of 3 packages" in progress.describe()
    (packages / "one-1.0.dist-info" / "INSTALLER").touch()
    assert "installed 1 of 3 packages" in progress.describe()


def test_the_progress_is_reported_while_a_step_prints_nothing(
    progress: InstallationProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(virtual_environment_installation, "PIPE_SECONDS", 0.001)
    monkeypatch.setattr(virtual_environment_installation, "_report", reports.put)
    with progress.reporting():
        assert {reports.get(timeout=60) for _ in range(3)} == {f"  {progress.folder}: starting, 0 s"}


def test_a_waiting_command_prints_reports_until_the_other_installation_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(virtual_environment_installation, "LOCK_SECONDS", 0.001)
    monkeypatch.setattr(virtual_environment_installation, "PIPE_SECONDS", 0.001)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.txt").touch()
    (tmp_path / STAMP).touch()  # the other command has installed the environment
    reports: list[str] = []
    with (tmp_path / ".local" / ".venv.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def release_after_three_reports(text: str) -> None:
            reports.append(text)
            if len(reports) == 3:
                fcntl.flock(lock, fcntl.LOCK_UN)

        monkeypatch.setattr(virtual_environment_installation, "_report", release_after_three_reports)
        virtual_environment_installation.install(Path(".venv"), Path("requirements.txt"))
    assert reports[0].startswith("another command is installing .venv: waiting")
    assert reports[1:] == ["  .venv: waiting for the other command, 0 s"] * 2


def test_the_error_of_a_failed_installation_names_the_package_index_and_the_remedy(
    progress: InstallationProgress, tmp_path: Path
) -> None:
    with (tmp_path / "lock").open("wb") as lock, pytest.raises(InstallationFailed) as error:
        progress.run("", [sys.executable, "-c", "raise SystemExit(1)"], lock.fileno())
    assert re.search(r"could not be installed.*status 1.*package index.*Try again", str(error.value))


def test_every_environment_is_described_before_its_installation(checkout: Checkout) -> None:
    stamps = re.findall(r"^(\S+)/\.locked: ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(stamps) == set(ENVIRONMENTS)
    (checkout.folder / "requirements" / "tools.txt").write_text("one==1.0\ntwo==2.0\n")
    with checkout.make(STAMP) as process:
        _, errors = process.communicate()
    description = ENVIRONMENTS[".venv"]
    size = f"{description.download_megabytes} MB to download and {description.disk_megabytes} MB on disk"
    assert f"{INSTALLING}: {description.purpose}; 2 packages, about {size}\n" in errors
    assert "installed .venv in " in errors


def test_of_two_concurrent_commands_one_installs_a_working_environment(checkout: Checkout) -> None:
    """The environment and pip are real. Pip installs a wheel from the folder."""
    wheel = checkout.folder / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("small.py", "VALUE = 7\n")
        archive.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        archive.writestr(
            "small-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("small-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (checkout.folder / "requirements" / "tools.txt").write_text(f"small==1.0 --hash=sha256:{digest}\n")
    with checkout.make(STAMP, fake_venv=False) as first, checkout.make(STAMP, fake_venv=False) as second:
        errors = [process.communicate()[1] for process in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0), errors
    assert "".join(errors).count(INSTALLING) == 1
    python = checkout.folder / ".venv" / "bin" / "python"
    process = subprocess.run([python, "-c", "import small; print(small.VALUE)"], capture_output=True, check=True)  # noqa: S603
    assert process.stdout == b"7\n"
