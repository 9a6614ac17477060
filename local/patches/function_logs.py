"""A call's log ends where the call does, which the emulator cannot see.

It waits 50 ms for a first line, with every call of a function that logs nothing, and goes on when no line has come for
5 ms, which on a busy machine leaves the last ones to the next call. Here each call ends with a mark, and so does a
process that dies.
"""

import queue
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.lambda_runtime import Worker

from local.patches import NotThere, reached

MARK = "\x1eend of the call"
ANSWER = "        _real_stdout.flush()\n\nrun()\n"
"""How the emulator's script for Python functions ends: with an answer, again and again."""
PATIENCE = 0.25
"""Seconds for the next line where a dead call's own children keep its log open, as in the emulator."""


def install() -> None:
    """Replaces two methods of `lambda_runtime.Worker`, and has its script set the mark."""
    script = reached(lambda_runtime, "_PYTHON_WORKER_SCRIPT")
    reached(Worker, "_drain_stderr_bounded")
    read = reached(Worker, "_read_stderr")
    if script.count(ANSWER) != 1:
        raise NotThere(lambda_runtime, "_PYTHON_WORKER_SCRIPT as it was")
    marked = f"        print({MARK!r}, file=sys.__stderr__, flush=True)\n{ANSWER}"
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(ANSWER, marked)  # noqa: SLF001

    def read_to_the_end(self: Any) -> None:
        lines = self._stderr_queue  # this process's: the next one gets its own
        read(self)
        lines.put(MARK)

    Worker._read_stderr = read_to_the_end  # noqa: SLF001
    Worker._drain_stderr_bounded = _until_its_mark  # noqa: SLF001


def _until_its_mark(worker: Any, **_waits: float) -> str:
    lines: list[str] = []
    try:
        while (line := worker._stderr_queue.get(timeout=PATIENCE)) != MARK:  # noqa: SLF001
            lines.append(line)
    except queue.Empty:
        pass
    return "\n".join(lines)
