"""Validates the presigned URL with which a client opens a stream of the local Transcribe.

The signature itself is not verified, because the service does not know the client's secret key. Tests of the signing
code verify it. Unknown parameters are refused, so that a misspelt parameter is noticed.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

PATH = "/stream-transcription-websocket"
MAX_EXPIRES_SECONDS = 300
CLOCK_SKEW = timedelta(minutes=5)
"""Maximum time by which the date of a signature may lie in the future."""

# Query parameters with the patterns of their values.
_SIGNATURE = {
    "X-Amz-Algorithm": r"AWS4-HMAC-SHA256",
    "X-Amz-Credential": r"[^/]+/\d{8}/[a-z0-9-]+/transcribe/aws4_request",
    "X-Amz-Date": r"\d{8}T\d{6}Z",
    "X-Amz-Expires": r"\d{1,3}",
    "X-Amz-SignedHeaders": r"host",
    "X-Amz-Signature": r"[0-9a-f]{64}",
}
_REQUIRED = {
    "language-code": r"[a-z]{2,3}-[A-Z]{2}",
    "media-encoding": r"pcm|flac|ogg-opus",
    "sample-rate": r"\d{4,5}",
}
_OPTIONAL = {
    "enable-partial-results-stabilization": r"true|false",
    "partial-results-stability": r"low|medium|high",
    "X-Amz-Security-Token": r".+",
}


class InvalidStreamRequest(Exception):
    """Error in a request or its audio. The client gets the message in a BadRequestException, and the stream ends."""


@dataclass(frozen=True)
class StreamSettings:
    language: str
    encoding: str
    sample_rate: int
    stabilised: bool
    """True if each word of a result has a flag that shows if the word can still change."""


def find_refusal(url: str, now: datetime) -> HTTPStatus | None:
    """Return the HTTP status with which the WebSocket handshake is refused, or None if the stream opens."""
    parts = urlsplit(url)
    if parts.path != PATH:
        return HTTPStatus.NOT_FOUND
    query = dict(parse_qsl(parts.query))
    if not all(re.fullmatch(pattern, query.get(name, "")) for name, pattern in _SIGNATURE.items()):
        return HTTPStatus.FORBIDDEN
    signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    expires = int(query["X-Amz-Expires"])
    is_in_time = signed_at - CLOCK_SKEW <= now <= signed_at + timedelta(seconds=expires)
    return None if is_in_time and expires <= MAX_EXPIRES_SECONDS else HTTPStatus.FORBIDDEN


def parse_settings(url: str) -> StreamSettings:
    """Return the settings in the URL of a stream. Raise InvalidStreamRequest if a parameter is missing or invalid."""
    query = dict(parse_qsl(urlsplit(url).query))
    patterns = {**_SIGNATURE, **_REQUIRED, **_OPTIONAL}
    if query.keys() - patterns.keys() or _REQUIRED.keys() - query.keys():
        raise InvalidStreamRequest("A parameter of the request is missing or unknown.")
    if not all(re.fullmatch(patterns[name], value) for name, value in query.items()):
        raise InvalidStreamRequest("A parameter of the request is not valid.")
    stabilised = query.get("enable-partial-results-stabilization") == "true"
    if "partial-results-stability" in query and not stabilised:
        raise InvalidStreamRequest("A stability was given, but stabilisation is not enabled.")
    return StreamSettings(query["language-code"], query["media-encoding"], int(query["sample-rate"]), stabilised)
