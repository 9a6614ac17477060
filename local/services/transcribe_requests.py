"""What the local Transcribe makes of the address that a stream is opened with. Pure; the clock is the caller's.

It decides whether the address is one that Amazon Transcribe would take: its path, that it is signed for this service
and still in time, and what it asks for. It cannot check the signature itself, because it does not know the key: whether
an address is signed right is shown by the tests of whoever signs. Parameters that it does not know are refused, so that
a misspelt one shows; the real service has more.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

PATH = "/stream-transcription-websocket"
MAX_EXPIRES_SECONDS = 300
SKEW = timedelta(minutes=5)
MIN_RATE, MAX_RATE = 8000, 48000

_SIGNED = re.compile(r"[^/]+/(?P<day>\d{8})/[a-z0-9-]+/transcribe/aws4_request")
_SIGNATURE = {
    "X-Amz-Algorithm": r"AWS4-HMAC-SHA256",
    "X-Amz-Credential": _SIGNED.pattern,
    "X-Amz-Date": r"\d{8}T\d{6}Z",
    "X-Amz-Expires": r"\d{1,3}",
    "X-Amz-SignedHeaders": r"([a-z0-9-]+;)*host(;[a-z0-9-]+)*",
    "X-Amz-Signature": r"[0-9a-f]{64}",
}
_ASKED = {
    "language-code": r"[a-z]{2,3}-[A-Z]{2}",
    "media-encoding": r"pcm|flac|ogg-opus",
    "sample-rate": r"\d{4,5}",
}
_OPTIONAL = {
    "enable-partial-results-stabilization": r"true|false",
    "partial-results-stability": r"low|medium|high",
}
_TOKEN = "X-Amz-Security-Token"  # noqa: S105 - a parameter's name


class BadRequest(Exception):
    """The stream opens, and this is all that it says."""


@dataclass(frozen=True)
class Asked:
    """What a stream is asked for."""

    encoding: str
    sample_rate: int
    stabilised: bool


def refusal(address: str, now: datetime) -> HTTPStatus | None:
    """Why the stream does not even open, if it does not."""
    parts = urlsplit(address)
    if parts.path != PATH:
        return HTTPStatus.NOT_FOUND
    query = _query(parts.query)
    if query is None or not _fit(query, _SIGNATURE) or not _in_time(query, now):
        return HTTPStatus.FORBIDDEN
    return None


def asked(address: str) -> Asked:
    """What an address that is not refused asks for."""
    query = _query(urlsplit(address).query) or {}
    if query.keys() - _SIGNATURE.keys() - _ASKED.keys() - _OPTIONAL.keys() - {_TOKEN}:
        raise BadRequest("The request has a parameter that is not known here.")
    given = {name: pattern for name, pattern in _OPTIONAL.items() if name in query}
    if not _fit(query, {**_ASKED, **given}):
        raise BadRequest("A parameter of the request is missing or not valid.")
    rate = int(query["sample-rate"])
    stabilised = query.get("enable-partial-results-stabilization") == "true"
    if not MIN_RATE <= rate <= MAX_RATE:
        raise BadRequest("The sample rate is out of range.")
    if "partial-results-stability" in query and not stabilised:
        raise BadRequest("A stability was given, but stabilisation is not enabled.")
    return Asked(query["media-encoding"], rate, stabilised)


def _query(text: str) -> dict[str, str] | None:
    """The parameters; none if one is there twice."""
    pairs = parse_qsl(text, keep_blank_values=True)
    query = dict(pairs)
    return query if len(query) == len(pairs) else None


def _fit(query: Mapping[str, str], patterns: Mapping[str, str]) -> bool:
    return all(re.fullmatch(pattern, query.get(name, "")) for name, pattern in patterns.items())


def _in_time(query: Mapping[str, str], now: datetime) -> bool:
    scope = _SIGNED.fullmatch(query["X-Amz-Credential"])
    try:
        signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    expires = int(query["X-Amz-Expires"])
    return (
        scope is not None
        and query["X-Amz-Date"].startswith(scope["day"])
        and 1 <= expires <= MAX_EXPIRES_SECONDS
        and signed - SKEW <= now <= signed + timedelta(seconds=expires)
    )
