"""Loop of `make watch`, which publishes functions whenever their code changes, and prints their logs.

The loop checks all files below `handlers/`. After a change of any of them, the push finds out which functions use it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from local import ROOT, CannotRun
from local.platform.deployed_functions import PACKAGE
from local.platform.folder_lock import FolderBusy
from local.platform.function_push import FunctionPusher

POLL_SECONDS = 0.1
"""Time between two steps of the loop. Each step checks whether a file has changed."""
LOG_POLL_SECONDS = 0.5
"""Time between two requests for log lines."""
LOG_OVERLAP_MILLISECONDS = 5_000
"""Time before the newest known line at which the next request begins, because a line may arrive after newer lines."""

FileStates = dict[Path, tuple[int, int]]
"""Time of modification and size of each file."""


class HandlerFiles:
    """All files below `handlers/`, with their times of modification and sizes."""

    def __init__(self) -> None:
        self._last = self._reported = _read_states(ROOT / PACKAGE)

    def has_change(self) -> bool:
        """Return True once after a change, as soon as two calls in a row find the same files.

        An editor may write a file in several steps, and an incomplete file must not be published.
        """
        before, self._last = self._last, _read_states(ROOT / PACKAGE)
        if self._last == before and self._last != self._reported:
            self._reported = self._last
            return True
        return False

    def report_again(self) -> None:
        """Let `has_change` report the last change again."""
        self._reported = {}


def _read_states(folder: Path) -> FileStates:
    states: FileStates = {}
    for path in folder.rglob("*"):
        if path.is_dir() or path.suffix == ".pyc" or path.name.startswith("."):
            continue
        try:
            status = path.stat()
        except FileNotFoundError:  # removed since it was listed
            continue
        states[path] = status.st_mtime_ns, status.st_size
    return states


class LogReader:
    """Reader of the new lines of one log group."""

    def __init__(self, group: str, since_milliseconds: int) -> None:
        self._group = group
        self._since = since_milliseconds
        self._seen: Counter[tuple[str, int, str]] = Counter()
        """Number of equal lines in the last response, by stream, time and text. The emulator gives lines no id."""

    def read(self, client: Any) -> Iterator[str]:
        """Yield the lines that no earlier call has yielded."""
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=self._group, startTime=self._since)
        counts: Counter[tuple[str, int, str]] = Counter()
        for page in pages:
            for event in page["events"]:
                line = event["logStreamName"], event["timestamp"], event["message"]
                counts[line] += 1
                if counts[line] > self._seen[line]:
                    yield event["message"].rstrip()
        self._seen = counts
        newest = max((timestamp for _, timestamp, _ in counts), default=self._since)
        self._since = max(self._since, newest - LOG_OVERLAP_MILLISECONDS)


class FunctionWatch:
    """State of the loop for some functions. The caller repeats `step`."""

    def __init__(
        self,
        pusher: FunctionPusher,
        names: Sequence[str],
        print_line: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pusher = pusher
        self._print_line = print_line
        self._clock = clock
        functions = pusher.select(names)
        self._names = [function.name for function in functions]
        self._files = HandlerFiles()
        now = int(time.time() * 1000)
        self._logs = {function.folder: LogReader(function.log_group, now) for function in functions}
        self._logs_read_at = 0.0
        self._last_problem = ""
        print_line(f"watching {PACKAGE}/ for {', '.join(self._logs)}; log lines follow; Ctrl-C ends the watch")

    def push(self, started: float) -> None:
        """Publish the functions whose code has changed. If this is not possible, print the reason.

        If another command is using the platform, or a file was removed meanwhile, a later step tries again.
        """
        try:
            self._pusher.push(self._names, started)
            self._last_problem = ""
        except (CannotRun, OSError, ImportError) as error:
            if isinstance(error, FolderBusy | OSError):  # OSError if a file was removed while it was packaged
                self._files.report_again()
            if str(error) != self._last_problem:
                self._print_line(str(error))
            self._last_problem = str(error)

    def step(self) -> None:
        """Publish changed code, and print new log lines. Raise CannotRun if the platform is no longer running."""
        if self._files.has_change():
            self.push(self._clock())
        if self._clock() - self._logs_read_at >= LOG_POLL_SECONDS:
            self._logs_read_at = self._clock()
            self._print_logs()

    def _print_logs(self) -> None:
        client = self._pusher.connect()("logs")
        for folder, log in self._logs.items():
            prefix = f"{folder}  " if len(self._logs) > 1 else ""
            try:
                for line in log.read(client):
                    self._print_line(f"  {prefix}{line}")
            except (ClientError, BotoCoreError):
                continue  # for example, `make up` is replacing the log group, or `make down` is stopping the emulator


def watch(folder: Path, names: Sequence[str], started: float) -> NoReturn:
    """Publish functions whenever their code changes, until Ctrl-C, for `make watch`."""
    print_line = partial(print, flush=True)
    watched = FunctionWatch(FunctionPusher(folder, print_line), names, print_line)
    watched.push(started)
    while True:
        time.sleep(POLL_SECONDS)
        watched.step()
