"""Encoding and decoding of AWS event-stream frames, the binary messages of an Amazon Transcribe stream.

Botocore can decode frames, but cannot encode them. The exception for a malformed frame contains nothing of the frame,
because it may be logged.
"""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

from botocore.eventstream import EventStreamBuffer

STRING = 7
"""Type code of a header whose value is a string."""
OVERHEAD = 16
"""Size of a frame without headers and payload: two lengths and two checksums."""


class MalformedFrame(Exception):
    """The bytes are not exactly one event-stream frame."""

    def __init__(self) -> None:
        super().__init__("malformed event-stream frame")


class EventStreamMessage(NamedTuple):
    headers: Mapping[str, object]
    payload: bytes


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack("!II", OVERHEAD + len(head) + len(payload), len(head))
    frame = lengths + struct.pack("!I", crc32(lengths)) + head + payload
    return frame + struct.pack("!I", crc32(frame))


def encode_audio_event(chunk: bytes) -> bytes:
    """Return a frame with a chunk of audio. An empty chunk ends the stream."""
    return encode_frame(
        {":content-type": "application/octet-stream", ":event-type": "AudioEvent", ":message-type": "event"}, chunk
    )


def decode_frame(frame: bytes) -> EventStreamMessage:
    """Return the message of one complete frame. Raises MalformedFrame."""
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    try:
        message: Any = next(buffer, None)
    except Exception:  # noqa: BLE001 - wrong checksums, lengths, texts and types raise different exceptions
        message = None
    if message is None or message.prelude.total_length != len(frame):
        # Raised outside the except block, because the parser's exception may contain the peer's bytes.
        raise MalformedFrame
    return EventStreamMessage(message.headers, message.payload)


def _header(name: bytes, value: bytes) -> bytes:
    """Return an encoded header: length of the name (one byte), name, type, length of the value (two bytes), value."""
    return bytes([len(name)]) + name + bytes([STRING]) + struct.pack("!H", len(value)) + value
