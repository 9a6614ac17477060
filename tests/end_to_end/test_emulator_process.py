"""Tests of the emulator's process: its start, its end with its parent process, and `make down`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import ROOT
from local.flows import eventually
from local.platform import emulator, lifecycle
from local.platform.emulator import EmulatorError

pytestmark = pytest.mark.e2e


def test_an_emulator_ends_with_its_with_block(tmp_path: Path) -> None:
    with emulator.start(tmp_path) as running_emulator:
        pid = running_emulator.emulator.pid
        assert emulator.find_running(tmp_path) == running_emulator.emulator
        assert running_emulator.emulator.port in emulator.PORTS
        with pytest.raises(EmulatorError, match="already runs in this folder"):
            emulator.start(tmp_path)
    assert not is_alive(pid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decisions.jsonl", "emulator.log"]


START_EMULATOR = """
import sys, time
from pathlib import Path
from local.platform import emulator
with emulator.start(Path(sys.argv[1])) as started:
    if "keep" in sys.argv:
        started.keep()
    print(started.emulator.pid, flush=True)
    if "keep" not in sys.argv:
        sys.stdin.read()
"""
"""Program that starts an emulator. With the argument `keep`, the emulator outlives the program, as after `make up`."""


def test_an_emulator_stops_when_its_parent_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - this project's own code
        [sys.executable, "-c", START_EMULATOR, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        eventually(lambda: None if is_alive(pid) else True, "the emulator's end")
        # The last thread of the emulator releases the lock a little later.
        eventually(lambda: None if emulator.find_running(tmp_path) else True, "the release of the lock")


def test_a_kept_emulator_is_stopped_by_down(tmp_path: Path) -> None:
    run = subprocess.run(  # noqa: S603 - this project's own code
        [sys.executable, "-c", START_EMULATOR, str(tmp_path), "keep"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    pid = int(run.stdout)
    assert is_alive(pid)
    running = emulator.find_running(tmp_path)
    assert running is not None
    assert running.pid == pid
    assert lifecycle.find_running_platform(tmp_path) == {"endpoint": running.endpoint, "outputs": {}, "ids": {}}
    assert lifecycle.down(tmp_path) == 0
    eventually(lambda: None if is_alive(pid) else True, "the emulator's end")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["command.lock", "decisions.jsonl", "emulator.log"]


def test_a_missing_emulator_environment_is_reported_with_the_command_that_creates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "PYTHON", ROOT / "no-such-environment" / "python")
    with pytest.raises(EmulatorError, match="`make up`, which creates it"):
        emulator.start(tmp_path)


def is_alive(pid: int) -> bool:
    """Return True if a process exists and is not a zombie that its parent has not reaped yet."""
    try:
        os.kill(pid, 0)
        if sys.platform != "linux":
            return True
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
