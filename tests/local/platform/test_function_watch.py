"""Tests of `make watch`: each test makes the steps of the loop itself, so none of them waits."""

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from local.platform import emulator, function_watch
from local.platform.folder_lock import lock_folder
from local.platform.function_push import FunctionPusher, PushFailed
from local.platform.function_watch import LOG_OVERLAP_MILLISECONDS, FunctionWatch, LogReader, PackageFiles
from tests.handler_tree import HANDLER, START, SWEEP, use_handler_tree, write_files
from tests.local.platform.fake_platform_lambda import SWEEP_NAME, FakePlatformLambda, use_fake_platform

pytestmark = pytest.mark.unit
EARLY, LATER = 1_000_000, 1_000_000 + 2 * LOG_OVERLAP_MILLISECONDS


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePlatformLambda:
    use_handler_tree(monkeypatch, tmp_path)
    return use_fake_platform(monkeypatch, tmp_path)


class WatchedLines:
    """A watch with a clock that a test sets, and the lines that the watch has printed."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        pusher = FunctionPusher(folder, self.lines.append)
        self.watch = FunctionWatch(pusher, names, self.lines.append, lambda: self.now)

    def step(self, count: int = 2) -> list[str]:
        """Make steps of the loop, by default as many as a change needs. Return the lines that they have printed."""
        self.lines.clear()
        for _ in range(count):
            self.now += 1
            self.watch.step()
        return list(self.lines)


def event(message: str, timestamp: int = EARLY, stream: str = "one") -> dict[str, Any]:
    return {"message": message, "timestamp": timestamp, "logStreamName": stream}


def test_each_change_is_published_once(fake: FakePlatformLambda, tmp_path: Path) -> None:
    watched = WatchedLines(tmp_path, "sweep")
    assert watched.lines == ["watching 11 files for meetings/sweep; log lines follow; Ctrl-C ends the watch"]
    assert watched.step() == []
    write_files(tmp_path, {SWEEP: f"{HANDLER}# one\n"})
    [line] = watched.step()
    assert line.startswith("pushed meetings/sweep: version 2 is live after")
    assert watched.step() == []
    write_files(tmp_path, {"handlers/meetings/sweep/other.py": ""})
    [line] = watched.step()
    assert line.startswith("pushed meetings/sweep: version 3 is live after")
    assert fake.count_publications() == 2


def test_the_watch_goes_on_after_a_fault(fake: FakePlatformLambda, tmp_path: Path) -> None:
    watched = WatchedLines(tmp_path, "sweep")
    write_files(tmp_path, {SWEEP: "def handler(:\n"})
    fault, hint = watched.step()
    assert f"{SWEEP}:1: syntax error" in fault
    assert hint == "nothing was published; fix the handlers"
    write_files(tmp_path, {SWEEP: f"{HANDLER}# fixed\n"})
    [line] = watched.step()
    assert line.startswith("pushed meetings/sweep: version 2")


def test_a_refused_push_is_printed_and_the_watch_goes_on(fake: FakePlatformLambda, tmp_path: Path) -> None:
    watched = WatchedLines(tmp_path, "sweep")
    fake.fails_at = "update_function_code"
    write_files(tmp_path, {SWEEP: f"{HANDLER}# one\n"})
    [line] = watched.step(4)
    assert line.startswith(f"{SWEEP_NAME} could not be published")
    fake.fails_at = ""
    write_files(tmp_path, {SWEEP: f"{HANDLER}# another\n"})
    [line] = watched.step()
    assert line.startswith("pushed meetings/sweep")


def test_a_push_waits_for_another_command(fake: FakePlatformLambda, tmp_path: Path) -> None:
    watched = WatchedLines(tmp_path, "sweep")
    write_files(tmp_path, {SWEEP: f"{HANDLER}# one\n"})
    with lock_folder(tmp_path, "another command"):
        [line] = watched.step(6)
        assert "is using" in line
    [line] = watched.step()
    assert line.startswith("pushed meetings/sweep")
    assert fake.count_publications() == 1


def test_a_file_that_is_removed_while_it_is_packaged_is_no_end(
    fake: FakePlatformLambda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = WatchedLines(tmp_path, "sweep")

    def vanished(_names: object, _started: float) -> int:
        raise FileNotFoundError(2, "No such file or directory", START)

    write_files(tmp_path, {SWEEP: f"{HANDLER}# one\n"})
    with monkeypatch.context() as patch:
        patch.setattr(watched.watch._pusher, "push", vanished)
        [line] = watched.step(4)
        assert START in line
    [line] = watched.step()
    assert line.startswith("pushed meetings/sweep")


def test_the_watch_ends_with_the_platform(
    fake: FakePlatformLambda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = WatchedLines(tmp_path, "sweep")
    monkeypatch.setattr(emulator, "find_running", lambda _: None)
    with pytest.raises(PushFailed, match="is not running"):
        watched.step()


def test_log_lines_of_several_functions_name_the_function(fake: FakePlatformLambda, tmp_path: Path) -> None:
    one, both = WatchedLines(tmp_path, "sweep"), WatchedLines(tmp_path, "all")
    fake.log_events = [event("a line\n", timestamp=2**53)]
    assert one.step() == ["  a line"]
    assert both.step() == ["  meetings/start  a line", "  meetings/sweep  a line"]


def test_a_missing_log_group_does_not_end_the_watch(fake: FakePlatformLambda, tmp_path: Path) -> None:
    watched = WatchedLines(tmp_path, "sweep")
    fake.fails_at = "filter_log_events"
    assert watched.step() == []
    fake.fails_at = ""
    fake.log_events = [event("a line", timestamp=2**53)]
    assert watched.step() == ["  a line"]


def test_a_log_line_is_read_once_even_if_it_arrives_late_or_twice(fake: FakePlatformLambda) -> None:
    log = LogReader("group", EARLY - 1)
    fake.log_events = [event("too old", EARLY - 2), event("same"), event("same")]
    assert list(log.read(fake)) == ["same", "same"]
    fake.log_events.append(event("late", EARLY, "two"))
    fake.log_events.append(event("same", EARLY))
    assert list(log.read(fake)) == ["late", "same"]
    fake.log_events.append(event("later", LATER))
    assert list(log.read(fake)) == ["later"]
    assert list(log.read(fake)) == []
    fake.log_events.append(event("newest", LATER))
    assert list(log.read(fake)) == ["newest"]


def test_a_file_that_still_changes_is_not_published(fake: FakePlatformLambda, tmp_path: Path) -> None:
    files = PackageFiles(["meetings", "meetings"])
    assert not files.has_change()
    for text in ("def", "def handler", HANDLER):
        write_files(tmp_path, {SWEEP: text})
        assert not files.has_change()
    assert files.has_change()
    assert not files.has_change()
    os.utime(tmp_path / SWEEP, (1, 1))
    assert [files.has_change() for _ in range(3)] == [False, True, False]


def test_the_command_publishes_at_its_start_and_ends_with_ctrl_c(
    fake: FakePlatformLambda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path, {SWEEP: f"{HANDLER}# one\n"})
    pauses: Iterator[Any] = iter([nullcontext(), KeyboardInterrupt()])

    def pause(_seconds: float) -> None:
        if isinstance(end := next(pauses), BaseException):
            raise end

    monkeypatch.setattr(time, "sleep", pause)
    with pytest.raises(KeyboardInterrupt):
        function_watch.watch(tmp_path, ["sweep"], 0.0)
    assert "pushed meetings/sweep: version 2" in capsys.readouterr().out
