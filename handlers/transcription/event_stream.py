"""Messages of AWS's event-stream encoding, as Amazon Transcribe takes and sends them. Pure.

It decides what a well-formed frame is: lengths, both checksums, headers of all ten types. What a message means is left
to whoever holds the conversation. A frame that is not well-formed is refused as a whole, and nothing of it is repeated.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

MAX_HEADERS = 128 * 1024
MAX_MESSAGE = 16 * 1024 * 1024
MAX_NAME = 255
MAX_VALUE = 32767

HeaderValue = bool | int | bytes | str
"""A timestamp is its milliseconds, a UUID its sixteen bytes."""

_PRELUDE = struct.Struct("!III")
_LENGTHS = struct.Struct("!II")
_CHECKSUM = struct.Struct("!I")
_VALUE_LENGTH = struct.Struct("!H")
_OVERHEAD = _PRELUDE.size + _CHECKSUM.size


class MalformedFrame(Exception):
    """These bytes are no event-stream message."""

    def __init__(self) -> None:
        super().__init__("malformed event-stream frame")


@dataclass(frozen=True)
class Message:
    """One decoded frame."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


class _Type(IntEnum):
    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INTEGER = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    UUID = 9


_NUMBERS = {
    _Type.BYTE: struct.Struct("!b"),
    _Type.SHORT: struct.Struct("!h"),
    _Type.INTEGER: struct.Struct("!i"),
    _Type.LONG: struct.Struct("!q"),
    _Type.TIMESTAMP: struct.Struct("!q"),
}


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message as a frame."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    total = _OVERHEAD + len(head) + len(payload)
    if len(head) > MAX_HEADERS or total > MAX_MESSAGE:
        raise ValueError("the message is too long for a frame")
    lengths = _LENGTHS.pack(total, len(head))
    frame = lengths + _CHECKSUM.pack(crc32(lengths)) + head + payload
    return frame + _CHECKSUM.pack(crc32(frame))


def audio_event(chunk: bytes) -> bytes:
    """A piece of audio as Transcribe takes it; the empty piece ends a stream."""
    return encode(
        {":content-type": "application/octet-stream", ":event-type": "AudioEvent", ":message-type": "event"}, chunk
    )


def decode(frame: bytes) -> Message:
    """What a frame says; it has to be one whole frame."""
    try:
        return _decoded(frame)
    except (struct.error, UnicodeDecodeError, ValueError):
        pass
    raise MalformedFrame  # outside of the handler: a UnicodeDecodeError would carry the peer's bytes along


def _header(name: str, value: str) -> bytes:
    raw_name, raw_value = name.encode(), value.encode()
    if not 1 <= len(raw_name) <= MAX_NAME or len(raw_value) > MAX_VALUE:
        raise ValueError("a header's name or value is empty or too long")
    return bytes([len(raw_name)]) + raw_name + bytes([_Type.STRING]) + _VALUE_LENGTH.pack(len(raw_value)) + raw_value


def _decoded(frame: bytes) -> Message:
    total, headers_length, prelude_checksum = _PRELUDE.unpack_from(frame)
    if total != len(frame) or total > MAX_MESSAGE or headers_length > min(MAX_HEADERS, total - _OVERHEAD):
        raise ValueError("lengths")
    body_end = total - _CHECKSUM.size
    (checksum,) = _CHECKSUM.unpack_from(frame, body_end)
    if crc32(frame[: _LENGTHS.size]) != prelude_checksum or crc32(frame[:body_end]) != checksum:
        raise ValueError("checksum")
    headers_end = _PRELUDE.size + headers_length
    return Message(_Headers(frame[_PRELUDE.size : headers_end]).all(), frame[headers_end:body_end])


class _Headers:
    """Reads headers one after the other, and never past their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def all(self) -> dict[str, HeaderValue]:
        found: dict[str, HeaderValue] = {}
        while self._at < len(self._data):
            name = self._take(self._take(1)[0]).decode()
            if not name or name in found:
                raise ValueError("name")
            found[name] = self._value(_Type(self._take(1)[0]))
        return found

    def _value(self, kind: _Type) -> HeaderValue:
        if kind in {_Type.TRUE, _Type.FALSE}:
            return kind is _Type.TRUE
        if kind is _Type.UUID:
            return self._take(16)
        if kind in _NUMBERS:
            number: int = _NUMBERS[kind].unpack(self._take(_NUMBERS[kind].size))[0]
            return number
        raw = self._take(*_VALUE_LENGTH.unpack(self._take(_VALUE_LENGTH.size)))
        return raw.decode() if kind is _Type.STRING else raw

    def _take(self, length: int) -> bytes:
        taken = self._data[self._at : self._at + length]
        if len(taken) != length:
            raise ValueError("length")
        self._at += length
        return taken
