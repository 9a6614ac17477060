"""`python -m local up` as a process of its own: interrupted, killed, and taken down. Nothing of it stays."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import ROOT
from local.flows import eventually
from local.platform import emulator
from tests.process_tree import listening, tree

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("interruption"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads process trees and sockets from /proc"),
]
KEPT = {"decisions.jsonl", "emulator.log", "command.lock"}
"""Two logs, and the lock that every command takes."""


@dataclass
class Machine:
    """A home, a temporary folder and a platform's folder that are nobody else's."""

    folder: Path

    @property
    def platform(self) -> Path:
        """Where the platform has its files."""
        return self.folder / "platform"

    @contextmanager
    def running(self, command: str) -> Iterator["subprocess.Popen[str]"]:
        """A command in a process group of its own, as a terminal starts it."""
        outside = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        for path in outside.values():
            Path(path).mkdir(exist_ok=True)
        with subprocess.Popen(  # noqa: S603 - this project's own code
            [sys.executable, "-m", "local", command, "--folder", str(self.platform)],
            cwd=ROOT,
            env={**os.environ, **outside},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, command: str) -> tuple[int, str]:
        """A command to its end: its status, and what it said."""
        with self.running(command) as process:
            said, _ = process.communicate()
            return process.returncode, said

    def left(self) -> set[str]:
        """All files that there are now, but for those that stay."""
        found = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if not path.is_dir()}
        return found - {f"platform/{name}" for name in KEPT}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    # Tests that were begun in the background ignore Ctrl-C, and so would all that they begin.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Machine(tmp_path)
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this one comes and goes."""


@pytest.mark.parametrize("when", ["the emulator runs", "resources are being made"])
def test_an_up_that_is_interrupted_leaves_nothing(machine: Machine, when: str) -> None:
    with machine.running("up") as process:
        there = eventually(lambda: emulator.find_running(machine.platform), "the emulator", 60)
        if when == "resources are being made":
            assert process.stdout is not None
            next(line for line in process.stdout if "created" in line)
        pids = {*tree(process.pid), *tree(there.pid)}
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to all that the terminal has in front
        said, _ = process.communicate()
        assert process.returncode == 130, said
    assert "interrupted; run `make up` to try again" in said
    assert "Traceback" not in said
    assert_gone(pids, there.port)
    assert emulator.find_running(machine.platform) is None
    assert machine.left() == set()


def test_a_platform_comes_up_after_a_kill_whoever_else_tries_and_goes_without_a_trace(machine: Machine) -> None:
    with machine.running("up") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "created" in line)
        killed = emulator.find_running(machine.platform)
        assert killed is not None
        gone = {*tree(process.pid), *tree(killed.pid)}
        os.killpg(process.pid, signal.SIGKILL)
    assert_gone(gone, killed.port)
    assert emulator.find_running(machine.platform) is None
    # Nobody was there to tidy up; the next `up` does.
    assert {one.partition("/")[0] for one in machine.left()} <= {"platform", "tmp"}
    with machine.running("up") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "created" in line)
        for meanwhile in ("up", "down"):
            status, said = machine.run(meanwhile)
            assert status == 2, said
            assert f"process {process.pid}: wait until it ends" in said
        said, _ = process.communicate()
        assert process.returncode == 0, said
    there = emulator.find_running(machine.platform)
    assert there is not None
    pids = tree(there.pid)
    addresses = {address for pid in pids for address in listening(pid)}
    assert f"127.0.0.1:{there.port}" in addresses
    assert [one for one in addresses if not one.startswith("127.0.0.1:")] == []
    status, said = machine.run("down")
    assert status == 0, said
    assert_gone(pids, there.port)
    assert machine.left() == set()


def assert_gone(pids: Iterable[int], port: int) -> None:
    """No process is there any more, and nothing listens: a process' last thread may let go of it a moment later."""
    eventually(lambda: None if any(map(alive, pids)) else True, "the end of all processes")
    eventually(lambda: None if answers(port) else True, "the end of the socket")


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    status = Path(f"/proc/{pid}/status")
    try:
        return "(zombie)" not in status.read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def answers(port: int) -> bool:
    """Whether anything listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
