"""Tests of `make up` that fails, is interrupted or is killed, of a dead emulator, and of what the next command does.

The commands deploy two log groups to a real emulator. A command that is interrupted runs in a process of its own, and waits
between the groups (`interruptible_command.py`).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import ROOT
from local.__main__ import main
from local.flows import eventually
from local.platform import emulator, lifecycle
from local.platform.emulator_clients import EmulatorClients
from local.platform.folder_lock import lock_folder
from local.platform.frontend_file import FrontendUnavailable, read_frontend
from tests.end_to_end.interruptible_command import WAITING, replace_program

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("interruption")]
TOO_LONG = "g" * 513
"""Name of a log group that CloudWatch Logs refuses."""
NEW_PLATFORM = "starting a new platform"


@dataclass
class Commands:
    """Commands for the platform in a folder."""

    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    @property
    def platform(self) -> Path:
        return self.folder / "platform"

    def up(self, second_group: str = "second", status: int = 0) -> str:
        """Run `up` in this process, without a pause in its program. Check its exit status, and return its output."""
        replace_program(self.patch.setattr, second_group)
        actual_status = main(["up", "--folder", str(self.platform)])
        output = self.capture.readouterr().out
        assert actual_status == status, output
        return output

    def interrupt_up(self, signal_number: signal.Signals, second_group: str = "second") -> tuple[int, str]:
        """Run `up` in a separate process, and send a signal to it after it has created the first group. Return its
        exit status and output.
        """
        (self.folder / "continue").unlink(missing_ok=True)
        with subprocess.Popen(  # noqa: S603 - this project's own code
            [sys.executable, "-m", "tests.end_to_end.interruptible_command", str(self.folder), second_group, "up"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            output = ""
            assert process.stdout is not None
            while WAITING not in output:
                line = process.stdout.readline()
                assert line, output
                output += line
            process.send_signal(signal_number)
            (self.folder / "continue").touch()
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
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Commands]:
    commands = Commands(tmp_path, monkeypatch, capsys)
    yield commands
    emulator.stop(commands.platform)


def test_a_killed_first_up_leaves_no_process_and_the_next_up_deploys_everything(commands: Commands) -> None:
    status, _ = commands.interrupt_up(signal.SIGKILL)
    assert status == -signal.SIGKILL
    commands.assert_gone()
    assert NEW_PLATFORM in commands.up()
    assert commands.groups() == {"first", "second"}


def test_a_killed_second_up_lets_the_next_up_start_a_new_platform(commands: Commands) -> None:
    commands.up()
    pid = commands.pid()
    commands.interrupt_up(signal.SIGKILL, second_group="other")
    output = commands.up(second_group="other")
    assert f"the last run was killed before it was finished: {NEW_PLATFORM}" in output
    assert (commands.pid() != pid, commands.groups()) == (True, {"first", "other"})


def test_an_interrupted_first_up_leaves_no_process_and_no_state(commands: Commands) -> None:
    status, output = commands.interrupt_up(signal.SIGINT)
    assert status == 130, output
    assert "interrupted; run `make up` to try again" in output
    assert "Traceback" not in output
    commands.assert_gone()
    assert {path.name for path in commands.platform.iterdir()} <= {"command.lock", "emulator.log", "decisions.jsonl"}


def test_an_interrupted_or_failed_second_up_is_continued_by_the_next_one(commands: Commands) -> None:
    commands.up()
    pid = commands.pid()
    status, _ = commands.interrupt_up(signal.SIGINT, second_group="other")
    assert status == 130
    assert "fix the failed resources, then run `make up` again" in commands.up(second_group=TOO_LONG, status=1)
    assert NEW_PLATFORM not in commands.up(second_group="other")
    assert (commands.pid(), commands.groups()) == (pid, {"first", "other"})


def test_a_failed_first_up_stops_its_emulator(commands: Commands) -> None:
    assert "1 created, 1 failed" in commands.up(second_group=TOO_LONG, status=1)
    commands.assert_gone()


def test_a_dead_emulator_is_noticed_by_every_command_and_replaced_by_the_next_up(commands: Commands) -> None:
    commands.up()
    os.kill(commands.pid(), signal.SIGKILL)
    commands.assert_gone()
    assert lifecycle.find_running_platform(commands.platform) is None
    with pytest.raises(FrontendUnavailable, match="not running: start it with `make up`"):
        read_frontend(commands.platform)
    assert f"the emulator of the last platform has ended: {NEW_PLATFORM}" in commands.up()


def test_only_one_command_at_a_time_works_on_a_platform_and_down_removes_it(commands: Commands) -> None:
    commands.up()
    platform = ["--folder", str(commands.platform)]
    with lock_folder(commands.platform, ""):
        for command in ("up", "down"):
            assert main([command, *platform]) == 2
            assert f"process {os.getpid()}: wait until it ends" in commands.capture.readouterr().err
    for result in ("the local platform is down", "the local platform is not running"):
        assert main(["down", *platform]) == 0
        assert commands.capture.readouterr().out == f"{result}\n"
        assert emulator.find_running(commands.platform) is None
    assert {path.name for path in commands.platform.iterdir()} == {"command.lock", "emulator.log", "decisions.jsonl"}
