"""Tests of the installation of virtual environments, which the real `make` starts.

A fake module `venv` makes installations that take no time and can be made to wait.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from local import ROOT
from local.virtual_environment_installation import ENVIRONMENTS, REPORT_SECONDS, check_python

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
  "-m pip install "*" --require-hashes -r "*requirements*.txt)
    echo installing >> calls.txt
    test -e offline && exit 1
    test -e fatal && rm fatal && kill -9 $PPID
    test -p gate && echo "pip waits" && cat gate
    touch .venv/package ;;
  *) exit 1 ;;
esac
''')
python.chmod(0o755)
"""
"""Module that creates environments with a fake pip. If there is a named pipe `gate`, pip waits until the test opens it.
If there is a file `offline`, pip fails. If there is a file `fatal`, pip first kills the process that started it."""
INSTALLING, WAITING, PIP_WAITS = (
    "installing requirements/tools.txt into .venv",
    "another command is installing .venv",
    "pip waits",
)
MAX_SECONDS = "300"
"""Time after which `make` is killed, so that a defect is no endless test."""
PROGRESS = re.compile(r"  \.venv has 0 packages after \d+ s\n")


class Checkout:
    """Folder with the Makefile and the files that it needs for an installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requirements = folder / "requirements" / "tools.txt"
        (folder / "fakes").mkdir()
        for name in ("Makefile", "local/virtual_environment_installation.py"):
            text = re.sub(r"REPORT_SECONDS = .*", "REPORT_SECONDS = 0.05", (ROOT / name).read_text())
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        (folder / "fakes" / "venv.py").write_text(FAKE_VENV)
        for requirements in (self.requirements, folder / "policies" / "requirements.txt"):
            requirements.parent.mkdir()
            requirements.touch()

    @contextmanager
    def make(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Run make in its own process group, which is killed at the end."""
        with subprocess.Popen(  # noqa: S603 - this project's own Makefile
            ["timeout", "-s", "KILL", MAX_SECONDS, "make", f"PYTHON={sys.executable}", *arguments],  # noqa: S607
            cwd=self.folder,
            # The environment is minimal, because make may have started these tests itself.
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder / "fakes")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                kill_group(process)

    def install(self) -> str:
        """Install the environment, and return what make prints on standard error."""
        with self.make(STAMP) as process:
            return process.communicate()[1]

    def close_gate(self) -> None:
        """Make pip wait until the gate is opened."""
        os.mkfifo(self.folder / "gate")

    def open_gate(self) -> None:
        """Let the waiting pip continue. Later installations do not wait."""
        gate = os.open(self.folder / "gate", os.O_RDWR)  # for reading, too, so that this does not wait for pip
        (self.folder / "gate").unlink()
        os.close(gate)

    @property
    def installation_count(self) -> int:
        """Number of installations that pip has started."""
        return len((self.folder / "calls.txt").read_text().splitlines())


def kill_group(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    return process.stderr.readline()


def read_message(process: "subprocess.Popen[str]") -> str:
    """Return the next message that make prints on standard error, up to a colon. Skip the reports of the progress."""
    line = read_line(process)
    while PROGRESS.fullmatch(line):
        line = read_line(process)
    return line.partition(": ")[0].strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("version", [(3, 10, 1), (3, 14, 0)])
def test_an_unsupported_python_version_is_an_error(version: tuple[int, int, int]) -> None:
    text = ".".join(map(str, version))
    with pytest.raises(SystemExit, match=re.escape(f"Python 3.11 to 3.13, but this is {text}. Choose another")):
        check_python(version)


@pytest.mark.parametrize("target", ["cost", "preview"])
def test_the_output_of_a_command_is_only_json_even_if_it_installs_first(target: str, checkout: Checkout) -> None:
    with checkout.make(target, "JSON=1") as process:
        output, errors = process.communicate()
    assert (process.returncode, json.loads(output)) == (0, {})
    assert INSTALLING in errors


def test_every_environment_is_described_before_its_installation(checkout: Checkout) -> None:
    stamps = re.findall(r"^(\S+)/\.locked: ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(stamps) == set(ENVIRONMENTS)
    checkout.requirements.write_text("one==1.0 --hash=sha256:1\n    # via two==2.0\ntwo==2.0 --hash=sha256:2\n")
    assert checkout.install().startswith(f"{INSTALLING}: 2 packages, {ENVIRONMENTS['.venv']}\n")


def test_make_up_does_not_install_spark(checkout: Checkout) -> None:
    for name in ("emulator.txt", "spark.txt"):
        (checkout.folder / "requirements" / name).touch()
    with checkout.make("--dry-run", "up") as process:
        commands = process.communicate()[0]
    assert re.findall(r"installation\.py (\S+)", commands) == [".venv", ".venv-emulator", "policies/.venv"]


def test_a_second_command_waits_and_both_report_their_progress(checkout: Checkout) -> None:
    assert REPORT_SECONDS <= 10, "the tests replace it, but a person waits for it"
    checkout.close_gate()
    with checkout.make(STAMP) as first:
        assert (read_message(first), read_message(first)) == (INSTALLING, PIP_WAITS)
        assert PROGRESS.fullmatch(read_line(first))
        with checkout.make(STAMP) as second:
            assert read_message(second) == WAITING
            assert PROGRESS.fullmatch(read_line(second))
            checkout.open_gate()
            assert (first.wait(), second.wait()) == (0, 0)
    assert checkout.installation_count == 1
    assert (checkout.folder / ".venv" / "package").exists()


def test_a_changed_lock_file_installs_the_environment_again(checkout: Checkout) -> None:
    checkout.install()
    checkout.install()
    assert checkout.installation_count == 1
    os.utime(checkout.folder / STAMP, (0, 0))  # older than the lock file
    checkout.install()
    assert checkout.installation_count == 2


def test_after_an_installation_was_killed_the_next_waits_for_its_pip_and_starts_again(checkout: Checkout) -> None:
    (checkout.folder / "fatal").touch()
    checkout.close_gate()
    with checkout.make(STAMP) as first:
        assert read_message(first) == INSTALLING
        assert first.wait() != 0
        (checkout.folder / ".venv" / "incomplete").touch()
        with checkout.make(STAMP) as second:
            assert read_message(second) == WAITING
            checkout.open_gate()
            assert read_message(second) == INSTALLING
            assert second.wait() == 0
    assert checkout.installation_count == 2
    assert not (checkout.folder / ".venv" / "incomplete").exists()
    assert (checkout.folder / STAMP).exists()


def test_the_error_of_a_failed_installation_names_the_package_index_and_the_next_command_repeats_it(
    checkout: Checkout,
) -> None:
    (checkout.folder / "offline").touch()
    assert re.search(r"could not be installed.*package index.*repeat the command", checkout.install())
    assert not (checkout.folder / STAMP).exists()
    (checkout.folder / "offline").unlink()
    checkout.install()
    assert (checkout.folder / STAMP).exists()
