"""Tests of `make watch`, which publishes functions whenever their files change, and prints their logs.

The tests call `step` in place of the watch's loop, so that they do not wait.
"""

import os
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from local.platform import emulator, function_watch
from local.platform.folder_lock import lock_folder
from local.platform.function_push import FunctionPusher, PushFailed
from local.platform.function_watch import LOG_OVERLAP_MILLISECONDS, FunctionWatch, HandlerFiles, LogReader
from tests.handler_tree import FILES, HANDLER, START, STORAGE, write_files
from tests.local.platform.fake_platform_lambda import STORAGE_NAME, FakePlatformLambda

pytestmark = pytest.mark.unit
EARLY, LATER = 1_000_000, 1_000_000 + 2 * LOG_OVERLAP_MILLISECONDS
"""Timestamps. Once an event of `LATER` was read, those of `EARLY` are not requested again."""
FUTURE = 2**53
"""Timestamp after the start of each watch, which prints only later events."""


class WatchHarness:
    """A watch with a fake clock, and the lines that it has printed since the last step."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        pusher = FunctionPusher(folder, self.lines.append)
        self.watch = FunctionWatch(pusher, names, self.lines.append, lambda: self.now)

    def step(self, count: int = 2) -> list[str]:
        """Call `step`, by default as often as the publication of a change needs. Return the printed lines."""
        self.lines.clear()
        for _ in range(count):
            self.now += 1
            self.watch.step()
        return list(self.lines)


def event(message: str, timestamp: int = EARLY, stream: str = "one") -> dict[str, Any]:
    return {"message": message, "timestamp": timestamp, "logStreamName": stream}


def test_each_change_is_published_once(platform: FakePlatformLambda) -> None:
    harness = WatchHarness(platform.folder, "storage")
    assert harness.lines == ["watching handlers/ for meetings/storage; log lines follow; Ctrl-C ends the watch"]
    assert harness.step() == []
    write_files(platform.folder, {STORAGE: f"{FILES[STORAGE]}# one\n"})
    [line] = harness.step()
    assert line.startswith("pushed meetings/storage: version 2 is live after")
    assert harness.step() == []
    write_files(platform.folder, {"handlers/meetings/storage/other.py": ""})
    assert harness.step() == ["meetings/storage is up to date: version 2 is live"]
    write_files(platform.folder, {"handlers/meetings/storage/other.txt": ""})
    [line] = harness.step()
    assert line.startswith("pushed meetings/storage: version 3 is live after")
    assert platform.count_publications() == 2


def test_the_watch_prints_a_fault_and_publishes_the_next_change(platform: FakePlatformLambda) -> None:
    harness = WatchHarness(platform.folder, "storage")
    write_files(platform.folder, {STORAGE: "def handler(:\n"})
    fault, hint = harness.step()
    assert f"{STORAGE}:1: syntax error" in fault
    assert hint == "nothing was published; fix the handlers"
    write_files(platform.folder, {STORAGE: f"{FILES[STORAGE]}# fixed\n"})
    [line] = harness.step()
    assert line.startswith("pushed meetings/storage: version 2")


def test_the_watch_prints_a_failed_push_and_publishes_the_next_change(platform: FakePlatformLambda) -> None:
    harness = WatchHarness(platform.folder, "storage")
    platform.failing_operation = "update_function_code"
    write_files(platform.folder, {STORAGE: f"{FILES[STORAGE]}# one\n"})
    [line] = harness.step(4)
    assert line.startswith(f"{STORAGE_NAME} could not be published")
    platform.failing_operation = ""
    write_files(platform.folder, {STORAGE: f"{FILES[STORAGE]}# another\n"})
    [line] = harness.step()
    assert line.startswith("pushed meetings/storage")


def test_a_change_is_published_when_another_command_has_released_the_lock(platform: FakePlatformLambda) -> None:
    harness = WatchHarness(platform.folder, "storage")
    write_files(platform.folder, {STORAGE: f"{FILES[STORAGE]}# one\n"})
    with lock_folder(platform.folder, "another command"):
        [line] = harness.step(6)
        assert "is using" in line
    [line] = harness.step()
    assert line.startswith("pushed meetings/storage")
    assert platform.count_publications() == 1


def test_the_watch_continues_after_a_file_was_removed_while_it_was_packaged(
    platform: FakePlatformLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = WatchHarness(platform.folder, "storage")

    def push_without_file(_names: object, _started: float) -> int:
        raise FileNotFoundError(2, "No such file or directory", START)

    write_files(platform.folder, {STORAGE: f"{FILES[STORAGE]}# one\n"})
    with monkeypatch.context() as patch:
        patch.setattr(harness.watch._pusher, "push", push_without_file)
        [line] = harness.step(4)
        assert START in line
    [line] = harness.step()
    assert line.startswith("pushed meetings/storage")


def test_the_watch_ends_with_the_platform(platform: FakePlatformLambda, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = WatchHarness(platform.folder, "storage")
    monkeypatch.setattr(emulator, "find_running", lambda _: None)
    with pytest.raises(PushFailed, match="is not running"):
        harness.step()


def test_log_lines_begin_with_the_function_if_several_functions_are_watched(platform: FakePlatformLambda) -> None:
    watch_of_one, watch_of_two = WatchHarness(platform.folder, "storage"), WatchHarness(platform.folder, "all")
    platform.log_events = [event("a line\n", timestamp=FUTURE)]
    assert watch_of_one.step() == ["  a line"]
    assert watch_of_two.step() == ["  meetings/start  a line", "  meetings/storage  a line"]


def test_a_missing_log_group_does_not_end_the_watch(platform: FakePlatformLambda) -> None:
    harness = WatchHarness(platform.folder, "storage")
    platform.failing_operation = "filter_log_events"
    assert harness.step() == []
    platform.failing_operation = ""
    platform.log_events = [event("a line", timestamp=FUTURE)]
    assert harness.step() == ["  a line"]


def test_each_log_event_is_read_once_even_if_it_arrives_late_or_has_the_text_of_another(
    platform: FakePlatformLambda,
) -> None:
    log = LogReader("group", EARLY - 1)
    platform.log_events = [event("too old", EARLY - 2), event("same"), event("same")]
    assert list(log.read(platform)) == ["same", "same"]
    platform.log_events.append(event("late", EARLY, "two"))
    platform.log_events.append(event("same", EARLY))
    assert list(log.read(platform)) == ["late", "same"]
    platform.log_events.append(event("later", LATER))
    assert list(log.read(platform)) == ["later"]
    assert list(log.read(platform)) == []
    platform.log_events.append(event("newest", LATER))
    assert list(log.read(platform)) == ["newest"]


def test_a_change_is_reported_once_and_only_after_a_check_without_further_changes(platform: FakePlatformLambda) -> None:
    files = HandlerFiles()
    assert not files.has_change()
    for text in ("def", "def handler", HANDLER):
        write_files(platform.folder, {STORAGE: text})
        assert not files.has_change()
    assert files.has_change()
    assert not files.has_change()
    os.utime(platform.folder / STORAGE, (1, 1))
    assert [files.has_change() for _ in range(3)] == [False, True, False]


def test_the_command_publishes_at_its_start_and_ends_with_ctrl_c(
    platform: FakePlatformLambda, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(platform.folder, {STORAGE: f"{FILES[STORAGE]}# one\n"})
    monkeypatch.setattr(time, "sleep", Mock(side_effect=[None, KeyboardInterrupt]))
    with pytest.raises(KeyboardInterrupt):
        function_watch.watch(platform.folder, ["storage"], started=0.0)
    assert "pushed meetings/storage: version 2" in capsys.readouterr().out
