"""Presigned URLs that open a stream of Amazon Transcribe, for the audio processor.

A URL contains the parameters of the stream and the lifetime of the URL. It is signed with Signature Version 4 in the
query, for the host and port to which the WebSocket client will connect. This module does not validate the parameters
and sends nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handlers.transcription.audio import Encoding

if TYPE_CHECKING:
    import boto3

SERVICE = "transcribe"
PATH = "/stream-transcription-websocket"
PORT = 8443
"""Port of Amazon Transcribe's WebSocket endpoint."""
MAX_EXPIRES_SECONDS = 300
"""Maximum lifetime of a URL, as Amazon Transcribe limits it."""

# At level DEBUG, botocore logs the signed request, including the session token and the signature.
logging.getLogger("botocore.auth").setLevel(logging.INFO)


@dataclass(frozen=True)
class StreamRequest:
    language: str
    """BCP 47 code, such as en-US."""
    sample_rate: int
    encoding: Encoding
    stabilised: bool
    """True to let Amazon Transcribe mark the words of a partial result that will not change any more."""

    def parameters(self) -> dict[str, str]:
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
    """Return the URL that opens this stream. `endpoint` replaces the region's endpoint of Amazon Transcribe."""
    if not 1 <= expires_seconds <= MAX_EXPIRES_SECONDS:
        raise ValueError(f"the lifetime of a URL must be 1 to {MAX_EXPIRES_SECONDS} seconds, not {expires_seconds}")
    scheme, host = _origin(endpoint or f"wss://transcribestreaming.{region}.amazonaws.com:{PORT}")
    # A WebSocket client omits the default port in the Host header. The URL is signed with the scheme http or https,
    # whose default ports botocore knows, so that botocore omits the port from the signed host, too.
    signed = AWSRequest("GET", f"{'https' if scheme == 'wss' else 'http'}://{host}{PATH}", params=request.parameters())
    # Frozen, because a refresh while botocore signs could mix old and new values.
    SigV4QueryAuth(credentials.get_frozen_credentials(), SERVICE, region, expires_seconds).add_auth(signed)
    return f"{scheme}:{str(signed.url).partition(':')[2]}"


class NoCredentials(Exception):
    """The process has no AWS credentials with which it could sign a URL."""


def stream_url_signer(session: "boto3.Session", endpoint: str | None) -> Callable[[StreamRequest, int], str]:
    """Return a function that presigns a request for a number of seconds. `endpoint` replaces the region's endpoint."""

    def presign(request: StreamRequest, seconds: int) -> str:
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentials
        return presign_stream_url(
            credentials, session.region_name, request, expires_seconds=seconds, endpoint=endpoint or None
        )

    return presign


def _origin(endpoint: str) -> tuple[str, str]:
    """Return an endpoint's scheme, and its host with the port if the endpoint states one."""
    parts = urlsplit(endpoint)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or endpoint != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("an endpoint must be a ws:// or wss:// URL with a host and nothing after it")
    return parts.scheme, parts.netloc
