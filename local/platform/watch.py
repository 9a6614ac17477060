"""Loop of `make watch`, which publishes functions whenever their code changes, and prints their logs.

The loop checks all files below `handlers/`. After a change of any of them, the push finds out which functions use it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from local import ROOT, CannotRun
from local.platform.folder_lock import FolderBusy
from local.platform.push import PACKAGE, create_clients, find_emulator, list_functions, push, select_functions

POLL_SECONDS = 0.1
"""Time between two steps of the loop. Each step checks whether a file has changed."""
STEPS_PER_LOG_REQUEST = 5
"""Number of steps between two requests for log lines."""
LOG_OVERLAP_MILLISECONDS = 5_000
"""Time before the newest known line at which the next request begins, because a line may arrive after newer lines."""


class HandlerFiles:
    """All files below `handlers/`, with their times of modification and sizes."""

    def __init__(self) -> None:
        self._last = self._reported = _read_file_states(ROOT / PACKAGE)

    def has_change(self) -> bool:
        """Return True once after a change, as soon as two calls in a row find the same files.

        An editor may write a file in several steps, and an incomplete file must not be published.
        """
        before, self._last = self._last, _read_file_states(ROOT / PACKAGE)
        if self._last == before and self._last != self._reported:
            self._reported = self._last
            return True
        return False

    def report_again(self) -> None:
        """Let `has_change` report the last change again."""
        self._reported = {}


def _read_file_states(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return the time of modification and the size of each file."""
    states: dict[Path, tuple[int, int]] = {}
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
    """Reader of the new log lines of one function.

    The emulator writes the lines of each invocation into a log stream of its own, all at once. So a stream is new, or all
    its lines are known.
    """

    def __init__(self, function_name: str) -> None:
        self._group = f"/aws/lambda/{function_name}"
        self._since = int(time.time() * 1000)
        self._known_streams: set[str] = set()

    def read(self, client: Any) -> Iterator[str]:
        """Yield the lines that no earlier call has yielded."""
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=self._group, startTime=self._since)
        events = [event for page in pages for event in page["events"]]
        yield from (event["message"].rstrip() for event in events if event["logStreamName"] not in self._known_streams)
        self._known_streams |= {event["logStreamName"] for event in events}
        self._since = max([self._since, *(event["timestamp"] - LOG_OVERLAP_MILLISECONDS for event in events)])


class FunctionWatch:
    """State of the loop for the functions that the names select. The caller repeats `step`."""

    def __init__(self, folder: Path, names: Sequence[str], print_line: Callable[[str], None] = print) -> None:
        self._folder = folder
        self._names = names
        self._print_line = print_line
        functions = select_functions(list_functions(self._connect("lambda")), names)
        self._files = HandlerFiles()
        self._logs = {function.folder: LogReader(function.name) for function in functions}
        self._steps = 0
        self._last_problem = ""
        """Error of the last push, or empty. The next step does not print the same error again."""
        print_line(f"watching {PACKAGE}/ for {', '.join(self._logs)}; log lines follow; Ctrl-C ends the watch")

    def push(self, started: float) -> None:
        """Publish the functions whose code is not live. If this is not possible, print the reason.

        `started` is the time (of `time.monotonic`) at which the first printed duration begins. If another command is
        using the platform, or a file was removed meanwhile, a later step tries again.
        """
        try:
            push(self._folder, self._names, started, self._print_line)
            self._last_problem = ""
        except (CannotRun, OSError, ImportError) as error:
            if isinstance(error, FolderBusy | OSError):  # OSError if a file was removed while it was packaged
                self._files.report_again()
            if str(error) != self._last_problem:
                self._print_line(str(error))
            self._last_problem = str(error)

    def step(self) -> None:
        """Publish changed code, and print new log lines. Raise PushFailed if the platform is no longer running."""
        if self._files.has_change():
            self.push(time.monotonic())
        self._steps += 1
        if self._steps % STEPS_PER_LOG_REQUEST == 0:
            self._print_logs()

    def _print_logs(self) -> None:
        client = self._connect("logs")
        for folder, log in self._logs.items():
            prefix = f"{folder}  " if len(self._logs) > 1 else ""
            try:
                for line in log.read(client):
                    self._print_line(f"  {prefix}{line}")
            except (ClientError, BotoCoreError):
                continue  # for example, `make up` is replacing the log group, or `make down` is stopping the emulator

    def _connect(self, service: str) -> Any:
        return create_clients(find_emulator(self._folder).endpoint)(service)


def watch(folder: Path, names: Sequence[str], started: float) -> NoReturn:
    """Publish functions whenever their code changes, until Ctrl-C, for `make watch`, which began at `started`."""
    watched = FunctionWatch(folder, names)
    watched.push(started)
    while True:
        time.sleep(POLL_SECONDS)
        watched.step()
