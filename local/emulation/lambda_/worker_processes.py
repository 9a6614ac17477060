"""Lambda's Python processes: where a call's log ends, and the class of the exception that it raised.

The emulator waits 50 ms for a first log line and stops when no line has come for 5 ms, so on a busy machine the last
lines end up in the next call's log. It also gives every failure the error type `Runtime.HandlerError`, so a workflow
that catches an exception by its class never would. Both are corrected in the script that the processes run.
"""

import queue
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.lambda_runtime import Worker
from ministack.services import lambda_svc

from local.emulation import PrivateNameMissing, get_private, wrap_function

END = "\x1eend of the call"
"""Written to the log after each call, and when a process dies."""
CLASS = "\x1eclass "
"""Written after a traceback, before the class of its exception."""
EDITS = {
    "        _real_stdout.flush()\n\nrun()\n": (
        f"        print({END!r}, file=sys.__stderr__, flush=True)\n        _real_stdout.flush()\n\nrun()\n"
    ),
    "traceback.format_exc()}": f"traceback.format_exc() + {CLASS!r} + type(e).__name__}}",
}
"""Changes of the emulator's script for Python functions."""
PATIENCE_SECONDS = 0.25
"""For the next line of a dead process whose children keep its log open, as in the emulator."""


def install() -> None:
    """Replace two methods of `lambda_runtime.Worker`, its script, and `lambda_svc._execute_function_warm`."""
    script = get_private(lambda_runtime, "_PYTHON_WORKER_SCRIPT")
    for before, after in EDITS.items():
        if script.count(before) != 1:
            raise PrivateNameMissing(lambda_runtime, "_PYTHON_WORKER_SCRIPT as it was")
        script = script.replace(before, after)
    lambda_runtime._PYTHON_WORKER_SCRIPT = script  # noqa: SLF001
    read = get_private(Worker, "_read_stderr")
    get_private(Worker, "_drain_stderr_bounded")

    def read_to_the_end(self: Any) -> None:
        lines = self._stderr_queue  # this process's own: the next process gets another one
        read(self)
        lines.put(END)

    Worker._read_stderr = read_to_the_end  # noqa: SLF001
    Worker._drain_stderr_bounded = _read_log  # noqa: SLF001
    wrap_function(lambda_svc, "_execute_function_warm", _execute)


def _read_log(worker: Any, **_waits: float) -> str:
    lines: list[str] = []
    try:
        while (line := worker._stderr_queue.get(timeout=PATIENCE_SECONDS)) != END:  # noqa: SLF001
            lines.append(line)
    except queue.Empty:
        pass
    return "\n".join(lines)


def _execute(execute: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
    result: dict[str, Any] = execute(*arguments, **named)
    log, mark, name = result.get("log", "").rpartition(CLASS)
    if mark:
        result["log"], result["body"]["errorType"] = log, name
    return result
