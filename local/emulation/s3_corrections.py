"""Corrects how the S3 of the emulator, MiniStack, handles versions of objects.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `event_version` | S3 | sends events to EventBridge without the version of the object | sends the version | voice Q&A and livestream read exactly the version of the event |
| `range_of_version` | S3 | answers a range request for a version with the whole object | sends the range | voice Q&A reads parts of a lecture to validate it |
| `encoded_keys` | S3 | ignores `encoding-type=url`, which boto3 sends to `ListObjectVersions` | percent-encodes the keys, because XML cannot contain all characters | the deletion of all versions in a bucket, whose keys may contain any character |
"""

import contextvars
import json
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from ministack.services import eventbridge, s3

from local.emulation import get_private, wrap_function

Answer = tuple[int, dict[str, str], Any]
"""HTTP status, headers and body."""
ENCODED_TAGS = frozenset({"Delimiter", "Key", "KeyMarker", "NextKeyMarker", "Prefix"})
"""XML elements whose text is percent-encoded in the response to ListObjectVersions."""
_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("object_version", default=None)
"""Version of the object whose event is being sent, or None."""
_has_encoded_keys: contextvars.ContextVar[bool] = contextvars.ContextVar("has_encoded_keys", default=False)
"""True while a response to ListObjectVersions with encoded keys is created."""


def install() -> None:
    """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
    wrap_function(s3, "_fire_s3_event", _send_event)
    wrap_function(eventbridge, "_dispatch_event", _dispatch_event)
    wrap_function(s3, "_get_object", _get_object)
    wrap_function(s3, "_list_object_versions", _list_object_versions)
    wrap_function(s3, "_xml_body", _to_xml)


def _send_event(original: Any, *arguments: Any, **keywords: Any) -> None:
    token = _version.set(keywords.get("version_id"))  # ministack passes the version by keyword, if there is one
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
    # The emulator made `view`, its parsed form of the event, without the version. If `view` is not passed on, the
    # emulator parses the corrected event.
    return original({**event, "Detail": json.dumps(detail)})


def _get_object(original: Any, bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Answer:
    answer: Answer = original(bucket, key, headers, query)
    status, response_headers, body = answer
    requested_range = headers.get("range", "")
    if status != 200 or not requested_range or "versionId" not in (query or {}) or not isinstance(body, bytes):
        return answer
    bounds = get_private(s3, "_parse_range")(requested_range, len(body))
    if bounds is None:  # AWS refuses such a range with status 416, which is not corrected here
        return answer
    start, end = bounds
    range_headers = {"Content-Range": f"bytes {start}-{end}/{len(body)}", "Content-Length": str(end - start + 1)}
    return 206, {**response_headers, **range_headers}, body[start : end + 1]


def _list_object_versions(original: Any, bucket: str, query: Mapping[str, Any]) -> Answer:
    token = _has_encoded_keys.set(get_private(s3, "_qp")(query, "encoding-type") == "url")
    try:
        answer: Answer = original(bucket, query)
    finally:
        _has_encoded_keys.reset(token)
    return answer


def _to_xml(original: Any, root: Element) -> Any:
    if _has_encoded_keys.get():
        for element in root.iter():
            if element.tag in ENCODED_TAGS:
                element.text = get_private(s3, "_url_encode")(element.text or "")
        SubElement(root, "EncodingType").text = "url"
    return original(root)
