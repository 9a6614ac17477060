"""Corrects how the Lambda of the emulator, MiniStack, runs functions in worker processes, invokes them asynchronously, and
polls queues.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `end_of_log` | Lambda | reads the log of a call until no line comes for some milliseconds | keeps the logs of calls apart | on a busy machine, lines would appear in the log of the next call |
| `error_type` | Lambda | reports every exception as `Runtime.HandlerError` | reports the exception's class | meetings' workflow retries `SummaryBusy` |
| `qualifier_settings` | Lambda | uses the asynchronous settings of `$LATEST` for all calls, and none for EventBridge's calls | uses those of the called qualifier | retries and failure destinations are settings of the alias `live` |
| `queue_permissions` | Lambda | polls queues without a permission | polls with the function's role | unused and missing grants are found |
| `batch_size` | Lambda | delivers at most 10 messages of a queue | delivers the batch size of the event source | ingestion's batches of up to 100 files |
| `batch_window` | Lambda | delivers the messages of a queue at once | waits for a full batch for as long as the batching window | files that arrive within a second get one Spark run |
| `transition_delay` | Lambda | reports a new function as `Pending` for half a second | also reports it as `Pending` for some time | `make up` is faster with a shorter time |
"""

import json
import time
from collections.abc import Mapping, Sequence
from queue import Empty
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.lambda_runtime import Worker
from ministack.services import eventbridge, lambda_svc, sqs

from local.emulation import PrivateNameMissing, get_private, wrap_function
from local.emulation.iam.service_call_permissions import ServiceCallPermissions

# Both marks begin with the control character "record separator", which handlers do not write to their logs.
LOG_END = "\x1eend of the call"
"""Line that a worker writes to its log after each invocation."""
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
"""Replacements in the script that the workers run. Each replaced text occurs exactly once."""
PATIENCE_SECONDS = 0.25
"""Maximum time to wait for the next line of a log. It matters only if a worker has died and its child processes keep
its log open. It equals the emulator's limit for reading a whole log."""
TRANSITION_SECONDS = 0.02
"""Time for which a new function is `Pending`."""
POLL_ACTIONS = ("sqs:ReceiveMessage", "sqs:GetQueueAttributes")
"""Actions that the function's role must allow, so that Lambda can poll the queue."""


def install(permissions: ServiceCallPermissions) -> None:
    """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
    _correct_workers()
    wrap_function(lambda_svc, "_execute_function_warm", _execute_function)
    wrap_function(lambda_svc, "invoke_async_with_retry", _invoke_async)
    wrap_function(eventbridge, "_dispatch_to_lambda", _invoke_from_bus)
    get_private(lambda_svc, "_LAMBDA_STATE_TRANSITION_DELAY")  # fails if the name is missing
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = TRANSITION_SECONDS  # noqa: SLF001
    polling = QueuePolling(permissions)
    wrap_function(sqs, "_receive_messages_for_esm", polling.receive)
    wrap_function(sqs, "_delete_messages_for_esm", polling.delete)


def _correct_workers() -> None:
    """Correct the script of the worker processes and how the emulator reads their logs, so that each log has an end."""
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


def _read_log(worker: Any, **_timeouts: float) -> str:
    """Return the log of the invocation that has just ended."""
    lines: list[str] = []
    try:
        while (line := worker._stderr_queue.get(timeout=PATIENCE_SECONDS)) != LOG_END:  # noqa: SLF001
            lines.append(line)
    except Empty:
        pass
    return "\n".join(lines)


def _execute_function(original: Any, *arguments: Any, **keywords: Any) -> dict[str, Any]:
    """Invoke a function. Move the name of its exception's class from the log to `errorType` in the result."""
    result: dict[str, Any] = original(*arguments, **keywords)
    log, mark, class_name = result.get("log", "").rpartition(CLASS_MARK)
    if mark:
        result["log"], result["body"]["errorType"] = log, class_name
    return result


def _invoke_async(original: Any, record: dict[str, Any], event: Any) -> None:
    """Invoke a function asynchronously with the settings of the qualifier that was called.

    `record` is the record of the called version. The ARN in its configuration ends in the called qualifier. The
    settings of all qualifiers are in the record of the function.
    """
    config = record["config"]
    function = get_private(lambda_svc, "_functions").get(config["FunctionName"]) or {}
    all_settings = function.get("event_invoke_configs") or {}
    # The qualifier is the eighth part of the ARN. The emulator stores the settings for invocations without a qualifier
    # under an empty name.
    qualifiers = config["FunctionArn"].split(":")[7:] or ["", "$LATEST"]
    settings: dict[str, Any] = next((all_settings[name] for name in qualifiers if name in all_settings), {})
    # If `settings` is empty, the emulator would use the settings of `$LATEST` in `event_invoke_configs`.
    original({**record, "event_invoke_config": settings, "event_invoke_configs": {}}, event)


def _invoke_from_bus(_original: object, arn: str, payload: str) -> None:
    """Invoke a function asynchronously for EventBridge, so that `_invoke_async` finds the called qualifier in the ARN."""
    record, config, _ = get_private(lambda_svc, "_get_func_record_for_ref")(arn)
    if record is not None and config is not None:
        called_version = get_private(lambda_svc, "_execution_record_for_config")(record, {**config, "FunctionArn": arn})
        get_private(lambda_svc, "invoke_async_with_retry")(called_version, json.loads(payload))


class QueuePolling:
    """Polls of queues for event source mappings. A mapping delivers a queue's messages to a function."""

    def __init__(self, permissions: ServiceCallPermissions) -> None:
        self._permissions = permissions

    def receive(self, _original: object, url: str, size: int) -> list[dict[str, Any]]:
        """Return at most `size` messages, or none if no batch is due or the function's role may not receive them.

        The permissions are checked only if there are messages to deliver, because each check is recorded as a used
        permission.
        """
        with get_private(sqs, "_queues_lock"):
            queue = get_private(sqs, "_get_q")(url)
            get_private(sqs, "_expire_retained")(queue)
            get_private(sqs, "_dlq_sweep")(queue)
            mapping = _find_mapping(queue)
            window = int((mapping or {}).get("MaximumBatchingWindowInSeconds") or 0)
            is_due = _is_batch_due(queue["messages"], int(size), window)
        if not is_due or not all(self._is_allowed(action, queue, mapping) for action in POLL_ACTIONS):
            return []
        with get_private(sqs, "_queues_lock"):
            visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
            messages: list[dict[str, Any]] = get_private(sqs, "_collect_msgs")(queue, int(size), visibility)
        return messages

    def delete(self, original: Any, url: str, handles: set[str]) -> None:
        queue = get_private(sqs, "_get_q")(url)
        if self._is_allowed("sqs:DeleteMessage", queue, _find_mapping(queue)):
            original(url, handles)

    def _is_allowed(self, action: str, queue: Mapping[str, Any], mapping: Mapping[str, Any] | None) -> bool:
        """Return True if the function that gets the queue's messages may perform the action, or does not exist."""
        if mapping is None:
            return True
        function, qualifier = mapping["FunctionName"], mapping.get("Qualifier")
        _, config = get_private(lambda_svc, "_get_func_record_for_qualifier")(function, qualifier)
        return config is None or self._permissions.is_allowed(config["Role"], action, queue["attributes"]["QueueArn"])


def _find_mapping(queue: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the enabled event source mapping of a queue, or None."""
    arn = queue["attributes"].get("QueueArn")
    for _account, _region, mapping in get_private(lambda_svc, "_iter_all_esms")():
        if mapping.get("EventSourceArn") == arn and mapping.get("Enabled", True):
            matching: Mapping[str, Any] = mapping
            return matching
    return None


def _is_batch_due(messages: Sequence[Mapping[str, Any]], size: int, window: float) -> bool:
    """Return True if a batch of this size is full, or its first message has waited for `window` seconds."""
    now = time.time()
    waiting_since = [
        max(message.get("visible_at", 0), message["sent_at"])
        for message in messages
        if message.get("visible_at", 0) <= now
    ]
    return len(waiting_since) >= size or any(now - since >= window for since in waiting_since)
