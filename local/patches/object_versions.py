"""The version in S3's events on the bus: on AWS they name it, the emulator's own do only in notifications to queues."""

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3

from local.patches import reached

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("object_version", default=None)


def install() -> None:
    """Replaces `s3._fire_s3_event` and `eventbridge._dispatch_event`."""
    fire = reached(s3, "_fire_s3_event")
    dispatch = reached(eventbridge, "_dispatch_event")

    def fire_with_version(*given: Any, **named: Any) -> None:
        before = _version.set(named.get("version_id"))
        try:
            fire(*given, **named)
        finally:
            _version.reset(before)

    def dispatch_with_version(event: dict[str, Any], view: Any = None) -> Any:
        version = _version.get()
        if version is None or event["Source"] != "aws.s3":
            return dispatch(event, view)
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        return dispatch({**event, "Detail": json.dumps(detail)})

    s3._fire_s3_event = fire_with_version  # noqa: SLF001
    eventbridge._dispatch_event = dispatch_with_version  # noqa: SLF001
