"""Client of one stream of Amazon Transcribe over a WebSocket.

The caller, `utterance_transcription`, decides when to send and to receive, sets the timeouts, and parses the transcript
events. This module finds out if a stream has ended or failed. Each failure is reported as one of a few codes, so that
no exception and no log line contains the presigned URL or anything that the service sent.

The "peer" is the other end of the WebSocket connection, usually Amazon Transcribe.
"""

import time
from enum import StrEnum
from ssl import SSLCertVerificationError
from types import TracebackType
from typing import NoReturn, Self

from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.http11 import Response

from handlers.transcription.audio_processor.transcribe_stream.event_stream_frames import (
    EventStreamMessage,
    MalformedFrame,
    decode_frame,
    encode_audio_event,
)
from handlers.transcription.audio_processor.transcribe_stream.websocket_client import PeerGone, WebSocket

MAX_CHUNK = 32 * 1024
"""Maximum size of one audio event, as Amazon Transcribe limits it."""
NORMAL_CLOSES = frozenset([1000, 1005])
"""Close codes of a normal end: 1000, and 1005 if the peer sent no code. Code 1001 is not normal, because it means that
the peer shuts down, and may not have sent all results."""


class StreamFailureCode(StrEnum):
    THROTTLED = "throttled"
    """Too many streams, or the service is unavailable. A later attempt may succeed."""
    ACCESS_DENIED = "refused"
    """The service denied access, or the peer's certificate is invalid. Every 4xx response to the opening of the stream
    counts as denied access, except 429."""
    BAD_REQUEST = "rejected"
    """The service opened the stream, but does not accept this request or its audio."""
    DROPPED = "dropped"
    """No connection was possible, or it closed before the stream ended."""
    MALFORMED = "malformed"
    """The peer violated the protocol."""
    SILENT = "silent"
    """No connection was established in time, or the service received no audio for too long."""
    INTERNAL = "internal"
    """The service failed, or reported an exception that this module does not know."""


class TranscribeStreamFailed(Exception):
    def __init__(self, code: StreamFailureCode) -> None:
        super().__init__(code.value)
        self.code = code


_CODES_BY_EXCEPTION = {
    "BadRequestException": StreamFailureCode.BAD_REQUEST,
    "ConflictException": StreamFailureCode.BAD_REQUEST,
    "ValidationException": StreamFailureCode.BAD_REQUEST,
    "LimitExceededException": StreamFailureCode.THROTTLED,
    "ServiceUnavailable": StreamFailureCode.THROTTLED,
    "ServiceUnavailableException": StreamFailureCode.THROTTLED,
    "ThrottlingException": StreamFailureCode.THROTTLED,
    "AccessDeniedException": StreamFailureCode.ACCESS_DENIED,
    "ExpiredTokenException": StreamFailureCode.ACCESS_DENIED,
    "InvalidSignatureException": StreamFailureCode.ACCESS_DENIED,
    "UnrecognizedClientException": StreamFailureCode.ACCESS_DENIED,
}
_NO_AUDIO = b"no new audio was received"
"""Part of the service's error message if it has received no audio for 15 seconds."""


class TranscribeStream:
    """A stream. `open` opens it, and leaving its `with` block closes it in any state."""

    def __init__(self, connection: WebSocket) -> None:
        self._connection = connection
        self._peer_gone = False
        """True if the peer accepts no more messages. Messages that it has already sent may still be received."""
        self._audio_ended = False
        """True if the end of the audio was sent."""
        self._ended = False
        self._failure: StreamFailureCode | None = None
        """Failure of the stream. All later calls raise it again."""

    @classmethod
    def open(cls, url: str, timeout_seconds: float) -> Self:
        """Open the stream of a presigned URL. Raise TranscribeStreamFailed if this fails."""
        try:
            return cls(WebSocket.open(url, timeout_seconds))
        except Exception as error:  # noqa: BLE001 - the peer can make the library raise any exception
            code = _code_of_open_error(error)
        raise TranscribeStreamFailed(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """True if the peer has closed the stream normally after `end`. Nothing more can be received."""
        return self._ended

    def send(self, chunk: bytes) -> None:
        """Send audio. For empty audio nothing is sent, because an empty message would end the stream.

        If the peer has closed the connection, the audio is discarded. `receive` reports this failure later, after the
        messages that the peer has sent before, because they often contain the reason.
        """
        for start in range(0, len(chunk), MAX_CHUNK):
            self._send(chunk[start : start + MAX_CHUNK])

    def end(self) -> None:
        """Tell the service that all audio was sent. The last results are still to come."""
        self._send(b"")
        self._audio_ended = not self._peer_gone

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return the payload of the next transcript event, or None if none comes in time or the stream has ended.

        Raise TranscribeStreamFailed if the stream has failed.
        """
        deadline = time.monotonic() + timeout_seconds
        remaining = timeout_seconds
        while (message := self._receive_message(remaining)) is not None:
            if (payload := self._transcript_payload(message)) is not None:
                return payload
            if (remaining := deadline - time.monotonic()) <= 0:
                break
        return None

    def close(self) -> None:
        self._connection.close()

    def _send(self, chunk: bytes) -> None:
        self._check_failure()
        try:
            self._connection.send(encode_audio_event(chunk))
        except PeerGone:
            self._peer_gone = True

    def _receive_message(self, timeout_seconds: float) -> str | bytes | None:
        """Return the next message, or None if none comes in time or the stream has ended normally."""
        self._check_failure()
        message = self._connection.receive(timeout_seconds)
        if message is None and self._connection.is_over:
            self._ended = self._audio_ended and self._connection.peer_close_code in NORMAL_CLOSES
            if not self._ended:
                self._fail(StreamFailureCode.MALFORMED if self._connection.is_broken else StreamFailureCode.DROPPED)
        return message

    def _transcript_payload(self, message: str | bytes) -> bytes | None:
        """Return the payload of a transcript event, or None for an event of another type."""
        try:
            event = decode_frame(message) if isinstance(message, bytes) else None
        except MalformedFrame:
            event = None
        if event is None:
            self._fail(StreamFailureCode.MALFORMED)
        if (failure := _failure_code(event)) is not None:
            self._fail(failure)
        return event.payload if event.headers.get(":event-type") == "TranscriptEvent" else None

    def _check_failure(self) -> None:
        if self._failure is not None:
            raise TranscribeStreamFailed(self._failure)

    def _fail(self, code: StreamFailureCode) -> NoReturn:
        self._failure = code
        raise TranscribeStreamFailed(code)


def _code_of_open_error(error: Exception) -> StreamFailureCode:
    match error:
        case TimeoutError():
            return StreamFailureCode.SILENT
        case SSLCertVerificationError():
            return StreamFailureCode.ACCESS_DENIED
        case InvalidStatus(response=Response(status_code=429 | 503)):
            return StreamFailureCode.THROTTLED
        case InvalidStatus(response=Response(status_code=status)) if status >= 400:
            return StreamFailureCode.ACCESS_DENIED if status < 500 else StreamFailureCode.INTERNAL
        case OSError() | InvalidMessage(__cause__=EOFError()):
            return StreamFailureCode.DROPPED
        case _:
            return StreamFailureCode.MALFORMED


def _failure_code(message: EventStreamMessage) -> StreamFailureCode | None:
    match message.headers.get(":message-type"), message.headers.get(":exception-type"):
        case "event", _:
            return None
        case "exception", "BadRequestException" if _NO_AUDIO in message.payload:
            return StreamFailureCode.SILENT
        case "exception", str(kind):
            return _CODES_BY_EXCEPTION.get(kind, StreamFailureCode.INTERNAL)
        case "error", _:
            return StreamFailureCode.INTERNAL
        case _:
            return StreamFailureCode.MALFORMED
