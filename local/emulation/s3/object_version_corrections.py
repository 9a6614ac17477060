"""Corrects two cases in which the emulator ignores the version of an S3 object.

On AWS, an event on the bus contains the version, and a range request for a version returns only the range.
"""

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3

from local.emulation import get_private, wrap_function

Answer = tuple[int, dict[str, str], Any]
"""Status, headers and body of an HTTP response."""
_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("object_version", default=None)
"""Version of the object whose event is being sent, or None."""


def install() -> None:
    """Replace `s3._fire_s3_event`, `eventbridge._dispatch_event` and `s3._get_object`."""
    wrap_function(s3, "_fire_s3_event", _send_event)
    wrap_function(eventbridge, "_dispatch_event", _dispatch_event)
    wrap_function(s3, "_get_object", _get_object)


def _send_event(original: Any, *arguments: Any, **keywords: Any) -> None:
    token = _version.set(keywords.get("version_id"))
    try:
        original(*arguments, **keywords)
    finally:
        _version.reset(token)


def _dispatch_event(original: Any, event: dict[str, Any], view: Any = None) -> Any:
    version = _version.get()
    if version is None or event["Source"] != "aws.s3":
        return original(event, view)
    detail = json.loads(event["Detail"])
    detail["object"]["version-id"] = version
    # `view` is left out, because it was made from the event without the version.
    return original({**event, "Detail": json.dumps(detail)})


def _get_object(original: Any, bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Answer:
    answer: Answer = original(bucket, key, headers, query)
    status, response_headers, body = answer
    requested_range = headers.get("range", "")
    if status != 200 or not requested_range or "versionId" not in (query or {}) or not isinstance(body, bytes):
        return answer
    bounds = get_private(s3, "_parse_range")(requested_range, len(body))
    if bounds is None:
        return answer
    start, end = bounds
    range_headers = {"Content-Range": f"bytes {start}-{end}/{len(body)}", "Content-Length": str(end - start + 1)}
    return 206, {**response_headers, **range_headers}, body[start : end + 1]
