"""Tests of `python -m local up` as a separate process that is interrupted, killed and taken down: nothing is left behind."""

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
from tests.process_tree import tree

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("interruption"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads process trees and sockets from /proc"),
]
SMALL_STACK = """
from dataclasses import replace
from local import __main__ as command_line

command_line.prepare()
from local.preview import stack_files

read_stack = stack_files.read_stack

def read_small_stack(stack):
    config = read_stack(stack)
    disabled = (f"polyphony:{name}" for name in ("transcription", "voiceQa", "livestream", "meetings"))
    return replace(config, values={**config.values, **dict.fromkeys(disabled, '{"enabled": false}')})

stack_files.read_stack = read_small_stack
command_line._leave(command_line.main())
"""
"""Program that runs a command of `python -m local` with ingestion as the only subsystem, because its `up` is short."""
KEPT_FILES = {"decisions.jsonl", "emulator.log", "command.lock"}
"""Files that stay: two logs, and the lock file that every command uses."""


@dataclass
class IsolatedMachine:
    """Home, temporary folder and platform folder that only one test uses."""

    folder: Path

    @property
    def platform(self) -> Path:
        """Folder of the platform's files."""
        return self.folder / "platform"

    @contextmanager
    def running(self, command: str) -> Iterator["subprocess.Popen[str]"]:
        """Start a command in its own process group, as a terminal does."""
        folders = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        for path in folders.values():
            Path(path).mkdir(exist_ok=True)
        with subprocess.Popen(  # noqa: S603 - this project's own code
            [sys.executable, "-c", SMALL_STACK, command, "--folder", str(self.platform)],
            cwd=ROOT,
            env={**os.environ, **folders},
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
        """Run a command to its end and return its status and output."""
        with self.running(command) as process:
            output, _ = process.communicate()
            return process.returncode, output

    def remaining_files(self) -> set[str]:
        """Return all existing files except those that stay."""
        files = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if not path.is_dir()}
        return files - {f"platform/{name}" for name in KEPT_FILES}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[IsolatedMachine]:
    # Tests that run in the background ignore Ctrl-C, and so would the processes that they start.
    previous_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield IsolatedMachine(tmp_path)
    signal.signal(signal.SIGINT, previous_handler)


@pytest.mark.parametrize("when", ["the emulator runs", "resources are being made"])
def test_an_interrupted_up_leaves_no_processes_or_files(machine: IsolatedMachine, when: str) -> None:
    with machine.running("up") as process:
        running_emulator = eventually(lambda: emulator.find_running(machine.platform), "the emulator", 60)
        if when == "resources are being made":
            assert process.stdout is not None
            next(line for line in process.stdout if "created" in line)
        pids = {*tree(process.pid), *tree(running_emulator.pid)}
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does for all processes in the terminal's foreground
        output, _ = process.communicate()
        assert process.returncode == 130, output
    assert "interrupted; run `make up` to try again" in output
    assert "Traceback" not in output
    wait_until_gone(pids, running_emulator.port)
    assert emulator.find_running(machine.platform) is None
    assert machine.remaining_files() == set()


def test_up_works_after_a_kill_and_down_leaves_no_processes_or_files(machine: IsolatedMachine) -> None:
    with machine.running("up") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "created" in line)
        killed_emulator = emulator.find_running(machine.platform)
        assert killed_emulator is not None
        killed_pids = {*tree(process.pid), *tree(killed_emulator.pid)}
        os.killpg(process.pid, signal.SIGKILL)
    wait_until_gone(killed_pids, killed_emulator.port)
    assert emulator.find_running(machine.platform) is None
    # The killed process could not clean up; the next `up` does.
    assert {remaining_file.partition("/")[0] for remaining_file in machine.remaining_files()} <= {"platform", "tmp"}
    with machine.running("up") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "created" in line)
        os.kill(process.pid, signal.SIGSTOP)  # otherwise it may end before the other commands start
        for meanwhile in ("up", "down"):
            status, output = machine.run(meanwhile)
            assert status == 2, output
            assert f"process {process.pid}: wait until it ends" in output
        os.kill(process.pid, signal.SIGCONT)
        output, _ = process.communicate()
        assert process.returncode == 0, output
    running_emulator = emulator.find_running(machine.platform)
    assert running_emulator is not None
    pids = tree(running_emulator.pid)
    status, output = machine.run("down")
    assert status == 0, output
    wait_until_gone(pids, running_emulator.port)
    assert machine.remaining_files() == set()


def wait_until_gone(pids: Iterable[int], port: int) -> None:
    """Wait until no process exists and no socket is open.

    A process' last thread may release the socket a little later.
    """
    eventually(lambda: None if any(map(is_alive, pids)) else True, "the end of all processes")
    eventually(lambda: None if is_listening(port) else True, "the end of the socket")


def is_alive(pid: int) -> bool:
    """Return True if a process exists and is not a zombie."""
    status = Path(f"/proc/{pid}/status")
    try:
        return "(zombie)" not in status.read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_listening(port: int) -> bool:
    """Return True if a socket is open at the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
