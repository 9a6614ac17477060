"""Corrects three faults of Lambda's Python worker processes: the next invocation gets the last lines of a log, the class
of a raised exception is not reported, and a process that dies while it starts ends all other processes of its function.

The emulator waits 50 ms for the first log line and stops if no line comes for 5 ms. So on a busy machine, the last
lines appear in the next invocation's log. It also gives every failure the error type `Runtime.HandlerError`, so a
workflow could never catch an exception by its class. For both corrections, the script that the processes run writes
marks to the log, which the emulator's process reads and removes.

If a process dies while it starts, the emulator kills the function's other processes, although they may be working. Here,
only the invocation of the dead process fails.
"""

import queue
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.lambda_runtime import Worker
from ministack.services import lambda_svc

from local.emulation import PrivateNameMissing, get_private, wrap_function

LOG_END = "\x1eend of the call"
"""Line that is written to the log after each invocation, and when a process ends."""
CLASS_MARK = "\x1eclass "
"""Text that is written after a traceback, before the exception's class name."""
EDITS = {
    # Write LOG_END after each invocation, and when the process ends.
    "        _real_stdout.flush()\n\nrun()\n": (
        f"        print({LOG_END!r}, file=sys.__stderr__, flush=True)\n        _real_stdout.flush()\n\nrun()\n"
    ),
    # Write the class's name after the traceback.
    "traceback.format_exc()}": f"traceback.format_exc() + {CLASS_MARK!r} + type(e).__name__}}",
}
"""Replacements in the emulator's script for Python functions."""
PATIENCE_SECONDS = 0.25
"""Time to wait for the next log line. It matters only if a process has died and its children keep its log open. It
equals the emulator's limit for reading a whole log."""


def install() -> None:
    """Replace three methods of `lambda_runtime.Worker`, its script, and `lambda_svc._execute_function_warm`."""
    script = get_private(lambda_runtime, "_PYTHON_WORKER_SCRIPT")
    for before, after in EDITS.items():
        if script.count(before) != 1:
            raise PrivateNameMissing(lambda_runtime, "_PYTHON_WORKER_SCRIPT as it was")
        script = script.replace(before, after)
    lambda_runtime._PYTHON_WORKER_SCRIPT = script  # noqa: SLF001
    read_stderr = get_private(Worker, "_read_stderr")
    get_private(Worker, "_drain_stderr_bounded")  # fails if the name is missing

    def read_to_the_end(self: Any) -> None:
        lines = self._stderr_queue  # the next process gets another queue
        read_stderr(self)
        lines.put(LOG_END)

    Worker._read_stderr = read_to_the_end  # noqa: SLF001
    Worker._drain_stderr_bounded = _read_log  # noqa: SLF001
    Worker.invoke = _invoke_alone(get_private(Worker, "invoke"))
    wrap_function(lambda_svc, "_execute_function_warm", _execute_function)


def _invoke_alone(invoke: Any) -> Any:
    """Return the method for an invocation that fails, without an exception, if the process dies while it starts."""
    end_processes = get_private(lambda_runtime, "kill_workers")

    def invoke_alone(self: Any, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = invoke(self, *arguments, **keywords)
        except Exception as error:  # noqa: BLE001 # the emulator would kill the other processes of the function
            end_processes([self])
            return {"status": "error", "error": str(error)}
        return answer

    return invoke_alone


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
