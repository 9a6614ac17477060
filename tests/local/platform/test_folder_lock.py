"""Tests of the lock of a platform's folder, which prevents that two commands use the platform at the same time."""

import os
from pathlib import Path

import pytest

from local.__main__ import main
from local.flows import demo
from local.platform import lifecycle
from local.platform.folder_lock import lock_folder

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("command", ["up", "down", "demo"])
def test_a_command_is_refused_while_another_one_uses_the_platform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(lifecycle, "emulator", None)  # any use of the emulator would fail
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    with lock_folder(tmp_path, "another"):
        assert main([command, *([] if command == "demo" else ["--folder", str(tmp_path)])]) == 2
    output = capsys.readouterr()
    assert f" is using {tmp_path}, process {os.getpid()}: wait until" in output.err
    assert output.out == ""


def test_up_creates_the_parents_of_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lifecycle.up("nowhere", tmp_path / "a" / "b") == 2
    assert "There is no stack 'nowhere'" in capsys.readouterr().out, "without a folder, the lock would fail first"


def test_down_creates_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "--folder", str(tmp_path / "misspelt")]) == 0
    assert capsys.readouterr().out == "the local platform is not running\n"
    assert list(tmp_path.iterdir()) == []
