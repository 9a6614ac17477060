"""Tests of the lock of a platform's folder, which prevents that two commands use the platform at the same time."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import ROOT
from local.__main__ import main
from local.flows import demo
from local.platform import lifecycle
from local.platform.folder_lock import FolderBusy, lock_folder

pytestmark = pytest.mark.unit
LOCK_FOLDER = """
import subprocess, sys
from pathlib import Path
from local.platform.folder_lock import lock_folder
with lock_folder(Path(sys.argv[1]), "another"):
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"]) if "child" in sys.argv else None
    print("locked", flush=True)
    if child is None:
        sys.stdin.read()
"""


@contextmanager
def lock_in_other_process(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that holds the folder's lock until its standard input is closed.

    With the option `child`, the process starts a child and ends, and only the child waits for the input.
    """
    with subprocess.Popen(  # noqa: S603 - this project's own code
        [sys.executable, "-c", LOCK_FOLDER, str(folder), *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        if process.stdin is not None:
            process.stdin.close()


def test_the_error_of_a_second_command_names_the_process_that_holds_the_lock(tmp_path: Path) -> None:
    with (
        lock_in_other_process(tmp_path) as first,
        pytest.raises(FolderBusy, match=rf"another `make up` is .* process {first.pid}: wait"),
        lock_folder(tmp_path, "another `make up`"),
    ):
        pytest.fail("two processes hold the lock")


def test_up_creates_the_parents_of_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lifecycle.up("nowhere", tmp_path / "a" / "b") == 2
    assert "There is no stack 'nowhere'" in capsys.readouterr().out, "without a folder, the lock would fail first"


def test_a_killed_process_releases_the_lock(tmp_path: Path) -> None:
    with lock_in_other_process(tmp_path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
    with lock_folder(tmp_path, "another"):
        pass


def test_a_child_process_that_survives_its_parent_does_not_hold_the_lock(tmp_path: Path) -> None:
    with lock_in_other_process(tmp_path, "child") as first:
        first.wait()
        with lock_folder(tmp_path, "another"):
            pass


@pytest.mark.parametrize("command", ["up", "down", "demo"])
def test_a_command_is_refused_while_another_one_uses_the_platform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(lifecycle, "emulator", None)  # any use of the emulator would fail
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    with lock_in_other_process(tmp_path) as first:
        assert main([command, *([] if command == "demo" else ["--folder", str(tmp_path)])]) == 2
        output = capsys.readouterr()
        assert f" is using {tmp_path}, process {first.pid}: wait until" in output.err
        assert output.out == ""


def test_down_creates_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "--folder", str(tmp_path / "misspelt")]) == 0
    assert capsys.readouterr().out == "the local platform is not running\n"
    assert list(tmp_path.iterdir()) == []
