"""Tests of the local commands' error messages and exit statuses."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from local.__main__ import main
from local.platform import emulator, frontend_file, lifecycle
from local.preview import stack_files
from local.preview.stack_files import StackFileError

pytestmark = pytest.mark.unit
ENDPOINT = "http://127.0.0.1:4566"
FRONTEND = {"schemaVersion": 1, "environment": "local", "region": "us-east-1"}
PLATFORM = {"endpoint": ENDPOINT, "outputs": {"frontend": FRONTEND}}


def test_a_relative_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def up(folder: Path, *, verbose: bool) -> int:
        folders.append(folder)
        assert not verbose
        return 0

    monkeypatch.setattr(lifecycle, "up", up)
    monkeypatch.chdir(tmp_path)
    assert main(["up", "--folder", "second"]) == 0
    assert folders == [tmp_path / "second"]


@pytest.mark.parametrize("error", [StackFileError("error in line 3"), OSError(28, "No space left on device", "/x")])
def test_a_command_that_cannot_run_prints_one_line_and_ends_with_status_two(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stack_files, "read_stack", Mock(side_effect=error))
    assert main(["preview"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(error) in line


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "is not complete"),
        ({"frontend": {"schemaVersion": 1}}, "started by another version of this program: update it with `make up`"),
    ],
)
def test_outputs_of_an_incomplete_platform_or_of_another_version_are_not_written(
    outputs: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifecycle, "find_running_platform", lambda _: {"endpoint": ENDPOINT, "outputs": outputs})
    monkeypatch.setattr(frontend_file, "FILE", tmp_path / "frontend.json")
    assert main(["outputs", "--folder", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not frontend_file.FILE.exists()


def test_outputs_are_written_for_the_given_platform_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platforms = {tmp_path: PLATFORM}
    monkeypatch.setattr(lifecycle, "find_running_platform", platforms.get)
    monkeypatch.setattr(frontend_file, "FILE", tmp_path / "frontend.json")
    assert main(["outputs", "--folder", str(tmp_path)]) == 0
    assert json.loads(frontend_file.FILE.read_text()) == {**FRONTEND, "local": {"endpoint": ENDPOINT}}


def test_up_and_down_update_the_outputs_of_the_local_platform_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platforms = {tmp_path: PLATFORM}
    file = tmp_path / "frontend.json"
    monkeypatch.setattr(emulator, "FOLDER", tmp_path)
    monkeypatch.setattr(frontend_file, "FILE", file)
    monkeypatch.setattr(lifecycle, "find_running_platform", platforms.get)
    monkeypatch.setattr(lifecycle, "up", Mock(return_value=0))
    monkeypatch.setattr(lifecycle, "down", Mock(return_value=0))
    deployed = json.dumps({**FRONTEND, "environment": "dev"})
    for command in ("up", "down"):
        assert main([command]) == 0
        assert not file.exists(), "only `make outputs` creates the file"
        file.write_text(deployed)
        assert main([command]) == 0
        assert file.read_text() == deployed
        file.unlink()
    stale = json.dumps({**FRONTEND, "local": {"endpoint": "http://127.0.0.1:1"}})
    file.write_text(stale)
    assert main(["up"]) == 0
    assert json.loads(file.read_text())["local"] == {"endpoint": ENDPOINT}
    platforms.clear()
    assert main(["down", "--folder", str(tmp_path / "second")]) == 0
    assert file.exists(), "another platform was stopped"
    assert main(["down"]) == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("error", "location"),
    [
        (ImportError("no module x"), "tests/local/test_command_line.py:"),
        (SyntaxError("x", ("a.py", 3, 1, "")), "a.py:3"),
    ],
)
def test_an_error_in_the_program_is_one_line_with_its_location_and_a_traceback_on_request(
    error: Exception, location: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_stack(_stack: str) -> None:
        raise error

    monkeypatch.setattr(stack_files, "read_stack", read_stack)
    assert main(["preview"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(location)
    assert type(error).__name__ in line
    monkeypatch.setenv("TRACEBACK", "1")
    assert main(["preview"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err
