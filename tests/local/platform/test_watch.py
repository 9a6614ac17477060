"""Tests of `make watch`, which publishes functions whenever their files change, and prints their logs.

The tests call `step` in place of the watch's loop, so that they do not wait.
"""

import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from local.platform import emulator, watch
from local.platform.folder_lock import FolderBusy
from local.platform.push import PushFailed
from local.platform.watch import STEPS_PER_LOG_REQUEST, FunctionWatch
from tests.handler_tree import STORAGE, write_files
from tests.local.platform.conftest import START_NAME, STORAGE_NAME, FunctionPlatform

pytestmark = pytest.mark.unit


class WatchHarness:
    """A watch, and the lines that it has printed since the last call of `step`."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.lines: list[str] = []
        self._watch = FunctionWatch(folder, names, self.lines.append)

    def step(self) -> list[str]:
        """Make the steps after which the watch has published a change and read the logs. Return the printed lines."""
        self.lines.clear()
        for _ in range(STEPS_PER_LOG_REQUEST):
            self._watch.step()
        return list(self.lines)


def test_each_change_is_published_once(platform: FunctionPlatform) -> None:
    harness = WatchHarness(platform.folder, "storage")
    assert harness.step() == []
    platform.change_storage()
    pushed, _ = harness.step()
    assert pushed.startswith("pushed meetings/storage: version 2 is live")
    assert harness.step() == []
    write_files(platform.folder, {"handlers/meetings/storage/other.py": ""})
    assert harness.step() == ["up to date: meetings/storage"]


def test_a_file_is_published_after_its_editor_has_written_it(platform: FunctionPlatform) -> None:
    lines: list[str] = []
    function_watch = FunctionWatch(platform.folder, ["storage"], lines.append)
    for text in ("d", "de", "def"):
        write_files(platform.folder, {STORAGE: text})
        function_watch.step()
    assert len(lines) == 1, "the incomplete handler would have a fault"


def test_the_watch_continues_after_a_fault_and_after_a_failed_push(platform: FunctionPlatform) -> None:
    harness = WatchHarness(platform.folder, "storage")
    write_files(platform.folder, {STORAGE: "def handler(:\n"})
    fault, _ = harness.step()
    assert f"{STORAGE}:1: syntax error" in fault
    platform.failing_operation = "UpdateFunctionCode"
    platform.change_storage("one")
    [failure] = harness.step()
    assert "message of AWS" in failure
    platform.failing_operation = ""
    platform.change_storage("two")
    assert harness.step()[0].startswith("pushed meetings/storage: version 2")


@pytest.mark.parametrize(
    "problem",
    [
        FolderBusy("another command is using the platform"),
        FileNotFoundError("a file was removed while it was packaged"),
    ],
)
def test_a_change_is_published_after_a_temporary_problem(
    platform: FunctionPlatform, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    harness = WatchHarness(platform.folder, "storage")
    platform.change_storage()
    with monkeypatch.context() as patch:
        patch.setattr(watch, "push", Mock(side_effect=problem))
        assert harness.step() == [str(problem)]
        assert harness.step() == [], "the same problem is printed once"
    assert harness.step()[0].startswith("pushed meetings/storage")


def test_the_watch_ends_with_the_platform(platform: FunctionPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = WatchHarness(platform.folder, "storage")
    monkeypatch.setattr(emulator, "find_running", lambda _: None)
    with pytest.raises(PushFailed, match="is not running"):
        harness.step()


def test_each_log_line_is_printed_once_and_with_the_function_if_several_are_watched(platform: FunctionPlatform) -> None:
    platform("logs").create_log_group(logGroupName=f"/aws/lambda/{STORAGE_NAME}")
    platform.write_log(STORAGE_NAME, "earlier", "before the watch", age_seconds=1)
    watch_of_one, watch_of_all = WatchHarness(platform.folder, "storage"), WatchHarness(platform.folder, "all")
    assert watch_of_all.step() == [], "the function start has no log group yet"
    platform.write_log(STORAGE_NAME, "first", "same", "same")
    assert watch_of_one.step() == ["  same", "  same"]
    platform.write_log(STORAGE_NAME, "second", "same")
    assert watch_of_one.step() == ["  same"]
    assert watch_of_one.step() == []
    platform("logs").create_log_group(logGroupName=f"/aws/lambda/{START_NAME}")
    platform.write_log(START_NAME, "first", "other\n")
    assert watch_of_all.step() == ["  meetings/start  other", *["  meetings/storage  same"] * 3]


def test_the_command_publishes_at_its_start_and_ends_with_ctrl_c(
    platform: FunctionPlatform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.change_storage()
    monkeypatch.setattr(time, "sleep", Mock(side_effect=[None, KeyboardInterrupt]))
    with pytest.raises(KeyboardInterrupt):
        watch.watch(platform.folder, ["storage"], started=0.0)
    watching, pushed, _ = capsys.readouterr().out.splitlines()
    assert watching == "watching handlers/ for meetings/storage; log lines follow; Ctrl-C ends the watch"
    assert pushed.startswith("pushed meetings/storage: version 2")
