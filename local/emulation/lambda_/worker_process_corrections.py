"""Corrects two faults of the emulator's worker processes, which execute Lambda functions in Python.

- The emulator reads the log of an invocation only until no line comes for some milliseconds. So on a busy machine, the
  last lines appear in the log of the next invocation. Here, the worker writes a mark at the end of each log.
- The emulator reports every raised exception with the error type `Runtime.HandlerError`, so a workflow cannot catch an
  exception by its class. Here, the worker appends the class to the traceback. The error type is read from there.
"""

import queue
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.lambda_runtime import Worker
from ministack.services import lambda_svc

from local.emulation import PrivateNameMissing, get_private, wrap_function

LOG_END = "\x1eend of the call"
CLASS_MARK = "\x1eclass "
"""Text that a worker appends to the traceback of an exception, followed by the exception's class name. The emulator
adds the traceback to the log of the invocation."""
EDITS = {
    # Write LOG_END after each invocation.
    "        _real_stdout.flush()\n\nrun()\n": (
        f"        print({LOG_END!r}, file=sys.__stderr__, flush=True)\n        _real_stdout.flush()\n\nrun()\n"
    ),
    # Write the class's name after the traceback.
    "traceback.format_exc()}": f"traceback.format_exc() + {CLASS_MARK!r} + type(e).__name__}}",
}
"""Replacements in the script that the workers run."""
PATIENCE_SECONDS = 0.25
"""Maximum time to wait for the next line of a log. It matters only if a worker has died and its child processes keep
its log open. It equals the emulator's limit for reading a whole log."""


def install() -> None:
    script = get_private(lambda_runtime, "_PYTHON_WORKER_SCRIPT")
    for before, after in EDITS.items():
        if script.count(before) != 1:
            raise PrivateNameMissing(lambda_runtime, "_PYTHON_WORKER_SCRIPT as it was")
        script = script.replace(before, after)
    lambda_runtime._PYTHON_WORKER_SCRIPT = script  # noqa: SLF001
    read_stderr = get_private(Worker, "_read_stderr")
    get_private(Worker, "_drain_stderr_bounded")  # fails if the name is missing

    def read_to_the_end(self: Any) -> None:
        lines = self._stderr_queue  # kept here, because a worker that is started again gets another queue
        read_stderr(self)
        lines.put(LOG_END)  # a worker that died could not write it

    Worker._read_stderr = read_to_the_end  # noqa: SLF001
    Worker._drain_stderr_bounded = _read_log  # noqa: SLF001
    wrap_function(lambda_svc, "_execute_function_warm", _execute_function)


def _read_log(worker: Any, **_timeouts: float) -> str:
    """Return the log of the invocation that has just ended."""
    lines: list[str] = []
    try:
        while (line := worker._stderr_queue.get(timeout=PATIENCE_SECONDS)) != LOG_END:  # noqa: SLF001
            lines.append(line)
    except queue.Empty:
        pass
    return "\n".join(lines)


def _execute_function(original: Any, *arguments: Any, **keywords: Any) -> dict[str, Any]:
    result: dict[str, Any] = original(*arguments, **keywords)
    log, mark, class_name = result.get("log", "").rpartition(CLASS_MARK)
    if mark:
        result["log"], result["body"]["errorType"] = log, class_name
    return result
