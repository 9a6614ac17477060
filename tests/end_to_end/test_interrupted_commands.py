"""Tests of `make up` that fails, is interrupted or is killed, of a dead emulator, and of what the next command does.

The commands deploy two log groups to a real emulator, and wait between them (`interruptible_command.py`).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import ROOT
from local.__main__ import main
from local.flows import eventually
from local.platform import emulator, lifecycle
from local.platform.emulator_clients import EmulatorClients
from local.platform.folder_lock import lock_folder
from local.platform.frontend_file import FrontendUnavailable, read_frontend
from tests.end_to_end.interruptible_command import WAITING

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("interruption")]
TOO_LONG = "g" * 513
"""Name of a log group that CloudWatch Logs refuses."""
NEW_PLATFORM = "starting a new platform"


class Commands:
    """Commands for the platform in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.platform = folder / "platform"

    @contextmanager
    def start(self, command: str, second_group: str = "second") -> Iterator["subprocess.Popen[str]"]:
        """Start a command in a process of its own. Its program waits for `release`."""
        (self.folder / "continue").unlink(missing_ok=True)
        with subprocess.Popen(  # noqa: S603 - this project's own code
            [sys.executable, "-m", "tests.end_to_end.interruptible_command", str(self.folder), second_group, command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            yield process

    def release(self) -> None:
        (self.folder / "continue").touch()

    def run(self, command: str, second_group: str = "second") -> tuple[int, str]:
        """Return exit status and output of a command."""
        with self.start(command, second_group) as process:
            self.release()
            output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def interrupt_up(self, signal_number: signal.Signals, second_group: str = "second") -> tuple[int, str]:
        """Send a signal to `up` after it has created the first group. Return its exit status and output."""
        with self.start("up", second_group) as process:
            output = ""
            assert process.stdout is not None
            while WAITING not in output:
                line = process.stdout.readline()
                assert line, output
                output += line
            process.send_signal(signal_number)
            self.release()
            rest, _ = process.communicate(timeout=60)
        return process.returncode, output + rest

    def pid(self) -> int:
        """Return the process id of the running emulator."""
        running = emulator.find_running(self.platform)
        assert running is not None
        return running.pid

    def groups(self) -> set[str]:
        """Return the names of the deployed log groups."""
        running = emulator.find_running(self.platform)
        assert running is not None
        groups = EmulatorClients(running.endpoint)("logs").describe_log_groups()["logGroups"]
        return {group["logGroupName"] for group in groups}

    def assert_gone(self) -> None:
        """Assert that no process of an emulator runs in the folder."""
        eventually(lambda: None if emulator.find_running(self.platform) else True, "the emulator's end")


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    commands = Commands(tmp_path)
    yield commands
    emulator.stop(commands.platform)


def test_a_killed_first_up_leaves_no_process_and_the_next_up_deploys_everything(commands: Commands) -> None:
    status, _ = commands.interrupt_up(signal.SIGKILL)
    assert status == -signal.SIGKILL
    commands.assert_gone()
    status, output = commands.run("up")
    assert (status, NEW_PLATFORM in output) == (0, True), output
    assert commands.groups() == {"first", "second"}


def test_a_killed_second_up_lets_the_next_up_start_a_new_platform(commands: Commands) -> None:
    commands.run("up")
    pid = commands.pid()
    commands.interrupt_up(signal.SIGKILL, second_group="other")
    status, output = commands.run("up", second_group="other")
    assert f"the last run was killed before it was finished: {NEW_PLATFORM}" in output
    assert (status, commands.pid() != pid, commands.groups()) == (0, True, {"first", "other"})


def test_an_interrupted_first_up_leaves_no_process_and_no_state(commands: Commands) -> None:
    status, output = commands.interrupt_up(signal.SIGINT)
    assert status == 130, output
    assert "interrupted; run `make up` to try again" in output
    assert "Traceback" not in output
    commands.assert_gone()
    assert {path.name for path in commands.platform.iterdir()} <= {"command.lock", "emulator.log", "decisions.jsonl"}


def test_an_interrupted_or_failed_second_up_is_continued_by_the_next_one(commands: Commands) -> None:
    commands.run("up")
    pid = commands.pid()
    status, _ = commands.interrupt_up(signal.SIGINT, second_group="other")
    assert status == 130
    status, output = commands.run("up", second_group=TOO_LONG)
    assert (status, "fix the failed resources, then run `make up` again" in output) == (1, True), output
    status, output = commands.run("up", second_group="other")
    assert (status, NEW_PLATFORM in output) == (0, False), output
    assert (commands.pid(), commands.groups()) == (pid, {"first", "other"})


def test_a_failed_first_up_stops_its_emulator(commands: Commands) -> None:
    status, output = commands.run("up", second_group=TOO_LONG)
    assert (status, "1 created, 1 failed" in output) == (1, True), output
    commands.assert_gone()


def test_a_dead_emulator_is_noticed_by_every_command_and_replaced_by_the_next_up(commands: Commands) -> None:
    commands.run("up")
    os.kill(commands.pid(), signal.SIGKILL)
    commands.assert_gone()
    assert lifecycle.find_running_platform(commands.platform) is None
    with pytest.raises(FrontendUnavailable, match="not running: start it with `make up`"):
        read_frontend(commands.platform)
    status, output = commands.run("up")
    assert (status, f"the emulator of the last platform has ended: {NEW_PLATFORM}" in output) == (0, True), output


def test_only_one_command_at_a_time_works_on_a_platform_and_down_removes_it(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.run("up")
    platform = ["--folder", str(commands.platform)]
    with lock_folder(commands.platform, ""):
        for command in ("up", "down"):
            assert main([command, *platform]) == 2
            assert f"process {os.getpid()}: wait until it ends" in capsys.readouterr().err
    for result in ("the local platform is down", "the local platform is not running"):
        assert main(["down", *platform]) == 0
        assert capsys.readouterr().out == f"{result}\n"
        assert emulator.find_running(commands.platform) is None
    assert {path.name for path in commands.platform.iterdir()} == {"command.lock", "emulator.log", "decisions.jsonl"}
