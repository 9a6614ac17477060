"""The files of an emulator are its own for as long as it is there, whoever asks for them to go."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.platform import emulator
from local.platform.emulator import EmulatorError

pytestmark = pytest.mark.unit


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an emulator that somebody else has begun to start, and that has not said yet which process it is."""
    monkeypatch.setattr(emulator, "STOP_SECONDS", 0)
    (tmp_path / "emulator").mkdir()
    with (tmp_path / "emulator.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


@pytest.mark.parametrize("command", [emulator.start, emulator.stop])
def test_an_emulator_that_is_being_started_keeps_what_it_has(begun: Path, command: object) -> None:
    assert callable(command)
    with pytest.raises(EmulatorError, match="the emulator in this folder does not stop"):
        command(begun)
    assert {path.name for path in begun.iterdir()} == {"emulator", "emulator.lock"}


def test_what_a_killed_emulator_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "emulator" / "tmp").mkdir(parents=True)
    for name in ("emulator.lock", "emulator.json", "emulator.log"):
        (tmp_path / name).touch()
    assert emulator.stop(tmp_path) is False
    assert [path.name for path in tmp_path.iterdir()] == ["emulator.log"]
