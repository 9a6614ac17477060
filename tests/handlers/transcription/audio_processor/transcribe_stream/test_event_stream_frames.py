"""Event-stream frames: botocore decodes encoded frames, and every malformed frame raises the same exception."""

import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.audio_processor.transcribe_stream.event_stream_frames import (
    EventStreamMessage,
    MalformedFrame,
    decode_frame,
    encode_audio_event,
    encode_frame,
)

FRAME = encode_frame({":message-type": "event", "other": "text"}, b'{"a": 1}')


def frame_with_checksums(head: bytes, payload: bytes = b"") -> bytes:
    """Return a frame with any bytes as headers, and with valid lengths and checksums."""
    lengths = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    frame = lengths + struct.pack("!I", crc32(lengths)) + head + payload
    return frame + struct.pack("!I", crc32(frame))


def decode_or_none(frame: bytes) -> EventStreamMessage | None:
    """Return the message, or None if the frame is refused."""
    try:
        return decode_frame(frame)
    except MalformedFrame:
        return None


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=60), max_size=6), st.binary(max_size=500))
def test_an_encoded_frame_is_decoded(headers: dict[str, str], payload: bytes) -> None:
    assert decode_frame(encode_frame(headers, payload)) == (headers, payload)


@pytest.mark.parametrize("chunk", [b"\x01\x02", b""])
def test_an_audio_event_has_the_documented_form(chunk: bytes) -> None:
    assert decode_frame(encode_audio_event(chunk)) == (
        {":content-type": "application/octet-stream", ":event-type": "AudioEvent", ":message-type": "event"},
        chunk,
    )


@pytest.mark.parametrize("at", range(len(FRAME)))
def test_every_changed_byte_is_noticed(at: int) -> None:
    for change in (1, 0x80, 0xFF):
        assert decode_or_none(FRAME[:at] + bytes([FRAME[at] ^ change]) + FRAME[at + 1 :]) is None


def test_only_one_complete_frame_is_decoded() -> None:
    for length in range(len(FRAME)):
        assert decode_or_none(FRAME[:length]) is None
    assert decode_or_none(FRAME + FRAME) is None
    assert decode_or_none(FRAME + b"\x00") is None


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_are_refused_or_decoded(data: bytes, head: bytes) -> None:
    decode_or_none(data)
    decode_or_none(frame_with_checksums(head, b"payload"))


@pytest.mark.parametrize(
    "head",
    [b"\x03one\x00" * 2, b"\x03one\x0a", b"\x03one\x07\x00\x07secret\xff", b"\x01\xff\x00"],
    ids=["twice", "unknown type", "value no text", "name no text"],
)
def test_a_refusal_contains_nothing_of_the_frame(head: bytes) -> None:
    with pytest.raises(MalformedFrame) as refused:
        decode_frame(frame_with_checksums(head))
    assert str(refused.value) == "malformed event-stream frame"
    assert refused.value.__context__ is None
