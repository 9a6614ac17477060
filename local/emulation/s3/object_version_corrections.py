"""Corrects two cases in which the emulator ignores the version of an S3 object.

On AWS, an event on the bus contains the version, and a range request for a version returns only the range.
"""

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3

from local.emulation import get_private, wrap_function

Answer = tuple[int, dict[str, str], Any]
_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("object_version", default=None)


def install() -> None:
    """Replace `s3._fire_s3_event`, `eventbridge._dispatch_event` and `s3._get_object`."""
    wrap_function(s3, "_fire_s3_event", _fire)
    wrap_function(eventbridge, "_dispatch_event", _dispatch)
    wrap_function(s3, "_get_object", _get_range)


def _fire(fire: Any, *given: Any, **named: Any) -> None:
    before = _version.set(named.get("version_id"))
    try:
        fire(*given, **named)
    finally:
        _version.reset(before)


def _dispatch(dispatch: Any, event: dict[str, Any], view: Any = None) -> Any:
    version = _version.get()
    if version is None or event["Source"] != "aws.s3":
        return dispatch(event, view)
    detail = json.loads(event["Detail"])
    detail["object"]["version-id"] = version
    return dispatch({**event, "Detail": json.dumps(detail)})


def _get_range(get: Any, bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Answer:
    answer: Answer = get(bucket, key, headers, query)
    status, response_headers, body = answer
    requested_range = headers.get("range", "")
    if status != 200 or not requested_range or "versionId" not in (query or {}) or not isinstance(body, bytes):
        return answer
    part = get_private(s3, "_parse_range")(requested_range, len(body))
    if part is None:
        return answer
    start, end = part
    range_headers = {"Content-Range": f"bytes {start}-{end}/{len(body)}", "Content-Length": str(end - start + 1)}
    return 206, {**response_headers, **range_headers}, body[start : end + 1]
