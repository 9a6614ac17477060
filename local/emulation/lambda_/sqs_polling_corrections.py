"""Corrects how the emulator's Lambda polls an SQS queue for a function.

The emulator delivers at most ten messages in a batch, ignores the batching window (the time to wait for a full batch),
and does not check the permissions of the function's role.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import lambda_svc, sqs

from local.emulation import get_private, wrap_function
from local.emulation.iam.service_call_permissions import ServiceCallPermissions

POLL_ACTIONS = ("sqs:ReceiveMessage", "sqs:GetQueueAttributes")
"""Actions that the function's role must allow, so that Lambda can poll the queue."""


class SqsEventSources:
    def __init__(self, permissions: ServiceCallPermissions) -> None:
        self._permissions = permissions

    def install(self) -> None:
        wrap_function(sqs, "_receive_messages_for_esm", self._receive)
        wrap_function(sqs, "_delete_messages_for_esm", self._delete)

    def _receive(self, _original: Any, url: str, size: int) -> list[dict[str, Any]]:
        lock = get_private(sqs, "_queues_lock")
        with lock:
            queue = get_private(sqs, "_get_q")(url)
            get_private(sqs, "_expire_retained")(queue)
            get_private(sqs, "_dlq_sweep")(queue)
            mapping = _find_mapping(queue)
            window = int((mapping or {}).get("MaximumBatchingWindowInSeconds") or 0)
            count = _batch_size(queue["messages"], int(size), window, time.time())
        if count == 0:
            _poll_after(window, queue)
            return []
        if not all(self._is_allowed(action, queue, mapping) for action in POLL_ACTIONS):
            return []
        visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
        with lock:
            messages: list[dict[str, Any]] = get_private(sqs, "_collect_msgs")(queue, count, visibility)
        return messages

    def _delete(self, original: Any, url: str, handles: set[str]) -> None:
        queue = get_private(sqs, "_get_q")(url)
        if self._is_allowed("sqs:DeleteMessage", queue, _find_mapping(queue)):
            original(url, handles)

    def _is_allowed(self, action: str, queue: Mapping[str, Any], mapping: Mapping[str, Any] | None) -> bool:
        if mapping is None:
            return True
        function, qualifier = mapping["FunctionName"], mapping.get("Qualifier")
        _, config = get_private(lambda_svc, "_get_func_record_for_qualifier")(function, qualifier)
        return config is None or self._permissions.is_allowed(config["Role"], action, queue["attributes"]["QueueArn"])


def _batch_size(messages: Sequence[Mapping[str, Any]], size: int, window: float, now: float) -> int:
    """Return the number of messages to deliver now, or 0 to wait for more.

    `size` is the size of a full batch, which is delivered immediately. `window` is the batching window in seconds,
    after which a smaller batch is delivered.
    """
    visible = [message for message in messages if message.get("visible_at", 0) <= now][:size]
    if not visible or len(visible) == size:
        return len(visible)
    first_visible_at = min(max(message.get("visible_at", 0), message["sent_at"]) for message in visible)
    return len(visible) if now - first_visible_at >= window else 0


def _poll_after(seconds: float, queue: Mapping[str, Any]) -> None:
    """Let the emulator poll again after these seconds if the queue has messages.

    The emulator polls only once a second. Without this timer, it could deliver a batch up to a second too late.
    """
    if seconds and queue["messages"]:
        timer = threading.Timer(seconds, get_private(lambda_svc, "_esm_wake").set)
        timer.daemon = True
        timer.start()


def _find_mapping(queue: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the enabled event source mapping of a queue, or None."""
    arn = queue["attributes"].get("QueueArn")
    for _account, _region, mapping in get_private(lambda_svc, "_iter_all_esms")():
        if mapping.get("EventSourceArn") == arn and mapping.get("Enabled", True):
            matching: Mapping[str, Any] = mapping
            return matching
    return None
