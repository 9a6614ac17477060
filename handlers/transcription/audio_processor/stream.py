"""Client of a stream of Amazon Transcribe: a presigned URL, a WebSocket, and AWS event-stream frames as its messages.

The audio processor opens one stream for each utterance, a few seconds of speech, and receives its transcript. boto3 does
not support such streams. The library `websockets` implements the protocol with asyncio, and `TranscribeStream` makes its
calls synchronous. The event loop runs only while a method of `TranscribeStream` runs, so nothing is sent or received in
between. Each method has a time limit.

Every failure is reported as one of a few codes. So no exception and no log line contains the presigned URL or anything
that the service sent.
"""

import asyncio
import logging
import struct
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from enum import StrEnum
from ssl import SSLCertVerificationError
from typing import Any, Self
from zlib import crc32

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import NoCredentialsError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from handlers.transcription.audio import Encoding

URL_SECONDS = 60
"""Lifetime of a presigned URL. A minute is enough, because the stream is opened at once."""
SEND_SECONDS = 0.2
"""Time limit for sending if the service reads nothing. It is short, because the transcription has a deadline."""
CLOSE_SECONDS = 0.1
"""Time limit for the closing handshake. It is short, because the messages that matter were received before."""
MIN_RECEIVE_SECONDS = 0.005
"""Minimum time for which `receive` waits. With a shorter time, it might not return a message that has already arrived."""
NORMAL_CLOSES = frozenset([1000, 1005])
"""Close codes of a normal end: 1000, and 1005 if the service sent no code. Code 1001 is not normal, because it means that
the server shuts down, and may not have sent all results."""

# Created without `getLogger`, so that no logging configuration makes it log frames or URLs.
_SILENT_LOGGER = logging.Logger("transcribe", logging.CRITICAL + 1)  # noqa: LOG001


class StreamFailureCode(StrEnum):
    THROTTLED = "throttled"
    """Too many streams, or the service is unavailable. A later attempt may succeed."""
    REJECTED = "rejected"
    """The service opened the stream, but does not accept this request or its audio."""
    REFUSED = "refused"
    """The service denied access, or its certificate is invalid."""
    BROKEN = "broken"
    """Any other failure: of the network, of the service, or of the protocol."""


class TranscribeStreamFailed(Exception):
    def __init__(self, code: StreamFailureCode) -> None:
        super().__init__(code)
        self.code = code


_CODES_BY_EXCEPTION = {
    "BadRequestException": StreamFailureCode.REJECTED,
    "ConflictException": StreamFailureCode.REJECTED,
    "ValidationException": StreamFailureCode.REJECTED,
    "LimitExceededException": StreamFailureCode.THROTTLED,
    "ServiceUnavailable": StreamFailureCode.THROTTLED,
    "ServiceUnavailableException": StreamFailureCode.THROTTLED,
    "ThrottlingException": StreamFailureCode.THROTTLED,
    "AccessDeniedException": StreamFailureCode.REFUSED,
    "ExpiredTokenException": StreamFailureCode.REFUSED,
    "InvalidSignatureException": StreamFailureCode.REFUSED,
    "UnrecognizedClientException": StreamFailureCode.REFUSED,
}


@dataclass(frozen=True)
class StreamRequest:
    """Parameters of a stream."""

    language: str
    """BCP 47 code, such as en-US."""
    sample_rate: int
    encoding: Encoding
    stabilised: bool
    """True to let Amazon Transcribe mark the words of a partial result that will not change any more."""


def presign_stream_url(
    credentials: Credentials | None, region: str, request: StreamRequest, endpoint: str | None = None
) -> str:
    """Return the URL that opens this stream. `endpoint` replaces the region's endpoint of Amazon Transcribe."""
    origin = endpoint or f"wss://transcribestreaming.{region}.amazonaws.com:8443"
    # Signed with the scheme http or https, whose default ports botocore knows. A WebSocket client omits the default port
    # in the header `Host`, so it must not be part of the signed host either.
    url = f"http{origin.removeprefix('ws')}/stream-transcription-websocket"
    parameters = {
        "language-code": request.language,
        "media-encoding": request.encoding,
        "sample-rate": str(request.sample_rate),
    }
    if request.stabilised:
        parameters |= {"enable-partial-results-stabilization": "true", "partial-results-stability": "high"}
    signed = AWSRequest("GET", url, params=parameters)
    if credentials is None:
        raise NoCredentialsError
    # Frozen, because a refresh while botocore signs could mix old and new values.
    SigV4QueryAuth(credentials.get_frozen_credentials(), "transcribe", region, URL_SECONDS).add_auth(signed)
    return f"ws{str(signed.url).removeprefix('http')}"


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return an event-stream frame. Botocore can decode frames, but cannot encode them.

    A frame consists of two lengths, their checksum, the headers, the payload, and the checksum of all this.
    """
    head = b"".join(_encode_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack("!II", 16 + len(head) + len(payload), len(head))  # 16 for two lengths and two checksums
    frame = lengths + struct.pack("!I", crc32(lengths)) + head + payload
    return frame + struct.pack("!I", crc32(frame))


def _encode_header(name: bytes, value: bytes) -> bytes:
    """Return a header: length of the name (one byte), name, type (7 is a string), length of the value (two), value."""
    return bytes([len(name)]) + name + b"\x07" + struct.pack("!H", len(value)) + value


AUDIO_HEADERS = {":content-type": "application/octet-stream", ":event-type": "AudioEvent", ":message-type": "event"}


class TranscribeStream(AbstractContextManager["TranscribeStream"]):
    """A stream. `open` opens it, and leaving its `with` block closes it in any state."""

    def __init__(self, runner: asyncio.Runner, connection: ClientConnection) -> None:
        self._runner = runner
        self._connection = connection
        self._audio_ended = False
        self.ended = False
        """True if the service has closed the stream normally after `end`. Nothing more can be received."""

    @classmethod
    def open(cls, url: str, timeout_seconds: float) -> Self:
        """Open the stream of a presigned URL. Raise TranscribeStreamFailed if this fails."""
        runner = asyncio.Runner()
        try:
            return cls(runner, runner.run(_connect(url, timeout_seconds)))
        except Exception as error:  # noqa: BLE001 - the library documents many exceptions, and the network raises others
            code = _code_of_open_error(error)
        runner.close()
        # Raised outside the except block, because the library's exception contains what the peer sent.
        raise TranscribeStreamFailed(code)

    def __exit__(self, *_: object) -> None:
        with self._runner:
            with suppress(TimeoutError):
                self._runner.run(asyncio.wait_for(self._connection.close(), CLOSE_SECONDS))
            self._connection.transport.abort()

    def send(self, chunk: bytes) -> None:
        """Send audio. It must not be empty, because a message without audio ends the stream.

        If the service has closed the connection, the audio is discarded. `receive` reports this failure later, after the
        messages that the service has sent before, because they often contain the reason.
        """
        sending = self._connection.send(encode_frame(AUDIO_HEADERS, chunk))
        try:
            self._runner.run(asyncio.wait_for(sending, SEND_SECONDS))
        except ConnectionClosed:
            pass
        except TimeoutError:
            raise TranscribeStreamFailed(StreamFailureCode.BROKEN) from None

    def end(self) -> None:
        """Notify the service that all audio was sent. The last results are still to be received."""
        self.send(b"")
        self._audio_ended = True

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return the payload of the next transcript event, or None if none comes in time or the stream has ended.

        Raise TranscribeStreamFailed if the stream has failed.
        """
        deadline = time.monotonic() + max(timeout_seconds, MIN_RECEIVE_SECONDS)
        while not self.ended and (remaining := deadline - time.monotonic()) > 0:
            message = self._receive_message(remaining)
            if message is not None and (payload := _transcript_payload(message)) is not None:
                return payload
        return None

    def _receive_message(self, timeout_seconds: float) -> bytes | None:
        """Return the next message, or None if none comes in time or the stream has ended normally."""
        try:
            # Cancelling `recv` after the time loses no data, as the library documents.
            return self._runner.run(asyncio.wait_for(self._connection.recv(decode=False), timeout_seconds))
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            received = error.rcvd
        self.ended = self._audio_ended and received is not None and received.code in NORMAL_CLOSES
        if not self.ended:
            raise TranscribeStreamFailed(StreamFailureCode.BROKEN)
        return None


async def _connect(url: str, timeout_seconds: float) -> ClientConnection:
    # Without pings, because the event loop does not run between calls, so it would notice their answers too late.
    return await connect(
        url,
        open_timeout=timeout_seconds,
        close_timeout=CLOSE_SECONDS,
        ping_interval=None,
        compression=None,
        proxy=None,
        logger=_SILENT_LOGGER,
    )


def _code_of_open_error(error: Exception) -> StreamFailureCode:
    match error:
        case InvalidStatus(response=Response(status_code=429 | 503)):
            return StreamFailureCode.THROTTLED
        case InvalidStatus(response=Response(status_code=status)) if 400 <= status < 500:
            return StreamFailureCode.REFUSED
        case SSLCertVerificationError():
            return StreamFailureCode.REFUSED
        case _:
            return StreamFailureCode.BROKEN


def _transcript_payload(message: bytes) -> bytes | None:
    """Return the payload of a transcript event, or None for an event of another type."""
    buffer: Any = EventStreamBuffer()
    frame: Any = None
    # Wrong checksums, lengths, texts and types raise different exceptions, which may contain what the service sent.
    with suppress(Exception):
        buffer.add_data(message)
        frame = next(buffer, None)
    if (code := _failure_code(frame)) is not None:
        raise TranscribeStreamFailed(code)
    return frame.payload if frame.headers.get(":event-type") == "TranscriptEvent" else None


def _failure_code(frame: Any) -> StreamFailureCode | None:
    """Return the failure that a frame reports, or None for an event. A frame of None could not be decoded."""
    headers: dict[str, object] = {} if frame is None else frame.headers
    match headers.get(":message-type"), headers.get(":exception-type"):
        case "event", _:
            return None
        case "exception", str(kind):
            return _CODES_BY_EXCEPTION.get(kind, StreamFailureCode.BROKEN)
        case _:
            return StreamFailureCode.BROKEN
