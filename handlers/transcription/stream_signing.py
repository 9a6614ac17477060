"""The address of a stream of Amazon Transcribe, signed so that opening it needs nothing else.

It decides what is asked for and for how long the address may be used. The signature is botocore's Signature Version 4
in the query, made over the host and port that the WebSocket client will name. Nothing is checked or sent here.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    import boto3

SERVICE = "transcribe"
PATH = "/stream-transcription-websocket"
PORT = 8443
MAX_EXPIRES_SECONDS = 300
"""Transcribe's own limit."""

Encoding = Literal["pcm", "flac", "ogg-opus"]

# At DEBUG it writes what it signs, session token and all, and the signature.
logging.getLogger("botocore.auth").setLevel(logging.INFO)


@dataclass(frozen=True)
class StreamRequest:
    """What a stream is asked for."""

    language: str
    """As BCP 47 has it, like en-US."""
    sample_rate: int
    encoding: Encoding
    stabilised: bool
    """Whether words of partial results are marked once they will not change any more."""

    def parameters(self) -> dict[str, str]:
        """The request's part of the query."""
        stabilisation = {"enable-partial-results-stabilization": "true", "partial-results-stability": "high"}
        return {
            "language-code": self.language,
            "media-encoding": self.encoding,
            "sample-rate": str(self.sample_rate),
            **(stabilisation if self.stabilised else {}),
        }


def presign_stream_url(
    credentials: Credentials,
    region: str,
    request: StreamRequest,
    *,
    expires_seconds: int,
    endpoint: str | None = None,
) -> str:
    """Where to open this stream; `endpoint` is the origin of another Transcribe than the region's."""
    if not 1 <= expires_seconds <= MAX_EXPIRES_SECONDS:
        raise ValueError(f"an address can be used for 1 to {MAX_EXPIRES_SECONDS} seconds")
    scheme, host = _origin(endpoint or f"wss://transcribestreaming.{region}.amazonaws.com:{PORT}")
    # botocore leaves the default port of http and https out of the host, as WebSocket clients do for ws and wss.
    signed = AWSRequest("GET", f"{'https' if scheme == 'wss' else 'http'}://{host}{PATH}", params=request.parameters())
    # Frozen: credentials that are renewed between two of its reads would mix old and new.
    SigV4QueryAuth(credentials.get_frozen_credentials(), SERVICE, region, expires_seconds).add_auth(signed)
    return f"{scheme}:{str(signed.url).partition(':')[2]}"


class NoCredentials(Exception):
    """There is nothing to sign with."""


def stream_url_signer(session: "boto3.Session", endpoint: str | None) -> Callable[[StreamRequest, int], str]:
    """Signs a request for so many seconds; `endpoint` is where Amazon Transcribe is, if not where it is for everybody."""

    def signed(request: StreamRequest, seconds: int) -> str:
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentials
        return presign_stream_url(
            credentials, session.region_name, request, expires_seconds=seconds, endpoint=endpoint or None
        )

    return signed


def _origin(endpoint: str) -> tuple[str, str]:
    parts = urlsplit(endpoint)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or endpoint != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("an endpoint is ws:// or wss:// with a host, and nothing after it")
    return parts.scheme, parts.netloc
