"""One conversation with Amazon Transcribe over a WebSocket.

It decides how a conversation may end, and in what time. When to send and when to listen is the caller's business, and
so is the meaning of a transcript. Whatever goes wrong is one of a few codes: nothing that the peer sent, and no signed
address, is in an exception or a log line.
"""

import time
from enum import StrEnum
from ssl import SSLCertVerificationError
from types import TracebackType
from typing import NoReturn, Self

from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.http11 import Response

from handlers.transcription.audio_processor.transcribe_stream.event_stream import (
    EventStreamMessage,
    MalformedFrame,
    decode_frame,
    encode_audio_event,
)
from handlers.transcription.audio_processor.transcribe_stream.websocket_client import PeerGone, WebSocket

MAX_CHUNK = 32 * 1024
"""Transcribe's limit for one audio event."""
NORMAL_CLOSES = frozenset([1000, 1005])
"""Finished, with or without saying so; 1001, a peer that goes away, may have kept results to itself."""


class StreamFailureCode(StrEnum):
    """How a conversation fails."""

    THROTTLED = "throttled"
    """Too many streams, or the service is not available: it may work later."""
    REFUSED = "refused"
    """The peer may not be talked to, or we may not talk to it."""
    REJECTED = "rejected"
    """The service cannot do anything with this request or its audio."""
    DROPPED = "dropped"
    """There was no connection, or it was over before the conversation was."""
    MALFORMED = "malformed"
    """The peer does not speak the protocol."""
    SILENT = "silent"
    """One side said nothing for too long: the peer at the beginning, or we in between."""
    INTERNAL = "internal"
    """The service failed."""


class TranscribeStreamFailed(Exception):
    """The conversation is over before its end."""

    def __init__(self, code: StreamFailureCode) -> None:
        super().__init__(code.value)
        self.code = code


_EXCEPTIONS = {
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
_NO_AUDIO = b"no new audio was received"


class TranscribeStream:
    """A conversation; `open` begins one, and leaving its block ends it, whatever state it is in."""

    def __init__(self, connection: WebSocket) -> None:
        self._connection = connection
        self._gone = False
        self._finished = False
        self._ended = False
        self._failure: StreamFailureCode | None = None

    @classmethod
    def open(cls, url: str, timeout_seconds: float) -> Self:
        """Opens the stream that a signed address stands for."""
        try:
            return cls(WebSocket.open(url, timeout_seconds))
        except Exception as error:  # noqa: BLE001 - whatever a peer makes the library raise
            code = _code_of_refusal(error)
        raise TranscribeStreamFailed(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether the peer has closed normally after our end: there is no more to receive."""
        return self._ended

    def send(self, chunk: bytes) -> None:
        """Sends audio; no audio is no message, because an empty one would end the stream.

        A peer that has gone takes none, and `receive` says so: what it said before, often why it went, comes first.
        """
        for start in range(0, len(chunk), MAX_CHUNK):
            self._send(chunk[start : start + MAX_CHUNK])

    def end(self) -> None:
        """Says that there is no more audio; the last results are still to come."""
        self._send(b"")
        self._finished = not self._gone

    def receive(self, timeout_seconds: float) -> bytes | None:
        """The next transcript event's payload; none if none comes in time, or ever, because the stream has ended."""
        deadline = time.monotonic() + timeout_seconds
        remaining = timeout_seconds
        while (message := self._message(remaining)) is not None:
            if (payload := self._payload(message)) is not None:
                return payload
            if (remaining := deadline - time.monotonic()) <= 0:
                break
        return None

    def close(self) -> None:
        """Ends the conversation where it stands, if it still does."""
        self._connection.close()

    def _send(self, chunk: bytes) -> None:
        self._check()
        try:
            self._connection.send(encode_audio_event(chunk))
        except PeerGone:
            self._gone = True

    def _message(self, timeout_seconds: float) -> str | bytes | None:
        self._check()
        message = self._connection.receive(timeout_seconds)
        if message is None and self._connection.is_over:
            self._ended = self._finished and self._connection.peer_close_code in NORMAL_CLOSES
            if not self._ended:
                self._fail(StreamFailureCode.MALFORMED if self._connection.is_broken else StreamFailureCode.DROPPED)
        return message

    def _payload(self, message: str | bytes) -> bytes | None:
        """A transcript event's payload; events of kinds that came after this was written are passed over."""
        try:
            event = decode_frame(message) if isinstance(message, bytes) else None
        except MalformedFrame:
            event = None
        if event is None:
            self._fail(StreamFailureCode.MALFORMED)
        if (failure := _failure_of(event)) is not None:
            self._fail(failure)
        return event.payload if event.headers.get(":event-type") == "TranscriptEvent" else None

    def _check(self) -> None:
        if self._failure is not None:
            raise TranscribeStreamFailed(self._failure)

    def _fail(self, code: StreamFailureCode) -> NoReturn:
        self._failure = code
        raise TranscribeStreamFailed(code)


def _code_of_refusal(error: Exception) -> StreamFailureCode:
    match error:
        case TimeoutError():
            return StreamFailureCode.SILENT
        case SSLCertVerificationError():
            return StreamFailureCode.REFUSED
        case InvalidStatus(response=Response(status_code=429 | 503)):
            return StreamFailureCode.THROTTLED
        case InvalidStatus(response=Response(status_code=status)) if status >= 400:
            return StreamFailureCode.REFUSED if status < 500 else StreamFailureCode.INTERNAL
        case OSError():
            return StreamFailureCode.DROPPED
        case InvalidMessage(__cause__=EOFError()):
            return StreamFailureCode.DROPPED
        case _:
            return StreamFailureCode.MALFORMED


def _failure_of(message: EventStreamMessage) -> StreamFailureCode | None:
    match message.headers.get(":message-type"), message.headers.get(":exception-type"):
        case "event", _:
            return None
        case "exception", "BadRequestException" if _NO_AUDIO in message.payload:
            return StreamFailureCode.SILENT
        case "exception", str(kind):
            return _EXCEPTIONS.get(kind, StreamFailureCode.INTERNAL)
        case "error", _:
            return StreamFailureCode.INTERNAL
        case _:
            return StreamFailureCode.MALFORMED
