"""A queue's event source, as Lambda polls it: with the function's role, batches of any size, and the window.

The emulator takes ten messages at most, starts at once, and asks for no grant.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

from ministack.services import lambda_svc, sqs

from local.patches import reached
from local.patches.batches import ready
from local.patches.service_roles import ServiceRoles

POLLING = ("sqs:ReceiveMessage", "sqs:GetQueueAttributes")


class Queues:
    """Stands between the emulator's poller and its queues."""

    def __init__(self, roles: ServiceRoles) -> None:
        self._roles = roles

    def install(self) -> None:
        """Replaces `sqs._receive_messages_for_esm` and `sqs._delete_messages_for_esm`."""
        delete = reached(sqs, "_delete_messages_for_esm")
        reached(sqs, "_receive_messages_for_esm")
        lock, find = reached(sqs, "_queues_lock"), reached(sqs, "_get_q")
        expire, sweep = reached(sqs, "_expire_retained"), reached(sqs, "_dlq_sweep")
        collect = reached(sqs, "_collect_msgs")

        def receive(url: str, size: int) -> list[dict[str, Any]]:
            with lock:
                queue = find(url)
                expire(queue)
                sweep(queue)
                mapping = _mapping(queue)
                window = int((mapping or {}).get("MaximumBatchingWindowInSeconds") or 0)
                taken = ready(queue["messages"], int(size), window, time.time())
            if taken == 0:
                _look_again_after(window, queue)
                return []
            if not all(self._may(action, queue, mapping) for action in POLLING):
                return []
            with lock:
                found: list[dict[str, Any]] = collect(
                    queue, taken, int(queue["attributes"].get("VisibilityTimeout", "30"))
                )
            return found

        def delete_if_allowed(url: str, handles: set[str]) -> None:
            queue = find(url)
            if self._may("sqs:DeleteMessage", queue, _mapping(queue)):
                delete(url, handles)

        sqs._receive_messages_for_esm = receive  # noqa: SLF001
        sqs._delete_messages_for_esm = delete_if_allowed  # noqa: SLF001

    def _may(self, action: str, queue: Mapping[str, Any], mapping: Mapping[str, Any] | None) -> bool:
        if mapping is None:
            return True
        _, config = reached(lambda_svc, "_get_func_record_for_qualifier")(
            mapping["FunctionName"], mapping.get("Qualifier")
        )
        return config is None or self._roles.may(config["Role"], action, queue["attributes"]["QueueArn"])


def _look_again_after(seconds: float, queue: Mapping[str, Any]) -> None:
    """The poller looks once a second; a window ends in between."""
    if seconds and queue["messages"]:
        timer = threading.Timer(seconds, reached(lambda_svc, "_esm_wake").set)
        timer.daemon = True
        timer.start()


def _mapping(queue: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The event source that polls a queue."""
    arn = queue["attributes"].get("QueueArn")
    for _account, _region, mapping in reached(lambda_svc, "_iter_all_esms")():
        if mapping.get("EventSourceArn") == arn and mapping.get("Enabled", True):
            found: Mapping[str, Any] = mapping
            return found
    return None
