"""What commands say, and how they end, where they cannot do what they are for."""

import json
from pathlib import Path

import pytest

from local.__main__ import main
from local.platform import emulator, frontend_output, lifecycle
from local.platform.emulator import Emulator
from local.preview import stack_files
from local.preview.stack_files import StackFileError

pytestmark = pytest.mark.unit


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which an emulator is said to run."""
    monkeypatch.setattr(emulator, "find_running", lambda folder: Emulator(1, 4566, folder))
    return tmp_path


def test_a_folder_is_the_same_wherever_it_is_looked_at_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def noted(folder: Path) -> int:
        seen.append(folder)
        return 0

    monkeypatch.setattr(lifecycle, "up", noted)
    monkeypatch.chdir(tmp_path)
    assert main(["up", "--folder", "second"]) == 0
    assert seen == [tmp_path / "second"]


@pytest.mark.parametrize("error", [StackFileError("the line 3"), OSError(28, "No space left on device", "/x")])
def test_what_is_in_the_way_is_one_line_and_the_status_says_that_nothing_ran(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_stack: str) -> None:
        raise error

    monkeypatch.setattr(stack_files, "read", fails)
    for command in ("preview", "cost", "demo"):
        assert main([command]) == 2
        said = capsys.readouterr().err
        assert str(error) in said
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize("command", ["outputs", "console"])
def test_a_state_that_another_version_wrote_is_named_with_what_to_do(
    runs: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "state.json").write_text(json.dumps({"schemaVersion": 99}))
    assert main([command, "--folder", str(runs)]) == 2
    assert "schema version 99, but this program needs 1: `make down`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "is not complete"),
        ({"frontend": {"schemaVersion": 1}}, "from another version of this program: update it with `make up`"),
    ],
)
def test_outputs_that_are_not_those_of_this_version_are_not_written(
    given: object, says: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifecycle, "find_running_platform", lambda _: {"outputs": given})
    monkeypatch.setattr(frontend_output, "FILE", runs / "frontend.json")
    assert main(["outputs", "--folder", str(runs)]) == 2
    assert says in capsys.readouterr().err
    assert not frontend_output.FILE.exists()


def test_outputs_are_written_of_the_platform_that_is_named(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"schemaVersion": 1, "environment": "local", "region": "us-east-1"}
    monkeypatch.setattr(
        lifecycle, "find_running_platform", lambda folder: {"outputs": {"frontend": said}} if folder == runs else None
    )
    monkeypatch.setattr(frontend_output, "FILE", runs / "frontend.json")
    assert main(["outputs", "--folder", str(runs)]) == 0
    assert json.loads(frontend_output.FILE.read_text())["region"] == "us-east-1"
