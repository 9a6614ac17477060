"""Tests that the files of the AWS emulator are removed only if it does not run."""

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.platform import emulator
from local.platform.emulator import EmulatorError

pytestmark = pytest.mark.unit


@pytest.fixture
def starting_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of an emulator that another process is starting. The process id is not written yet."""
    monkeypatch.setattr(emulator, "STOP_SECONDS", 0)
    (tmp_path / "emulator").mkdir()
    with (tmp_path / "emulator.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


@pytest.mark.parametrize("command", [emulator.start, emulator.stop])
def test_the_files_of_a_starting_emulator_are_kept(starting_folder: Path, command: Callable[[Path], object]) -> None:
    with pytest.raises(EmulatorError, match="the emulator in this folder does not stop"):
        command(starting_folder)
    assert {path.name for path in starting_folder.iterdir()} == {"emulator", "emulator.lock"}


def test_the_files_of_a_killed_emulator_are_removed(tmp_path: Path) -> None:
    (tmp_path / "emulator" / "tmp").mkdir(parents=True)
    for name in ("emulator.lock", "emulator.json", "emulator.log"):
        (tmp_path / name).touch()
    assert emulator.stop(tmp_path) is False, "no emulator was running"
    assert [path.name for path in tmp_path.iterdir()] == ["emulator.log"]
