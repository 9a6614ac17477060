"""When a batch of queue messages goes out, and with how many. Pure.

On AWS: when it is full, when its window has passed since the first message, or when it has 6 MB.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

FULL_BYTES = 6 * 1024 * 1024


def ready(messages: Sequence[Mapping[str, Any]], size: int, window: float, now: float) -> int:
    """How many messages a batch takes now; none while it is neither full nor its window over."""
    visible = [one for one in messages if one.get("visible_at", 0) <= now]
    taken = total = 0
    for one in visible[:size]:
        total += len(one["body"].encode())
        if taken and total > FULL_BYTES:
            return taken
        taken += 1
    if not taken or taken == size:
        return taken
    first = min(max(one.get("visible_at", 0), one["sent_at"]) for one in visible)
    return taken if now - first >= window else 0
