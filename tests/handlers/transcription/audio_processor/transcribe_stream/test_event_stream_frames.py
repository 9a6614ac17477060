"""Tests of event-stream frames, the binary messages of an Amazon Transcribe stream: headers and a payload.

`decode_frame` uses botocore's decoder. It refuses an invalid frame with an error that contains nothing of the frame.
"""

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


def frame_with_checksums(headers: bytes, payload: bytes = b"") -> bytes:
    """Return a frame with any bytes as headers, and with valid lengths and checksums."""
    lengths = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    frame = lengths + struct.pack("!I", crc32(lengths)) + headers + payload
    return frame + struct.pack("!I", crc32(frame))


def decode_or_none(frame: bytes) -> EventStreamMessage | None:
    """Return the message, or None if the frame is refused."""
    try:
        return decode_frame(frame)
    except MalformedFrame:
        return None


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=60), max_size=6), st.binary(max_size=500))
def test_a_frame_is_decoded_to_the_headers_and_payload_from_which_it_was_encoded(
    headers: dict[str, str], payload: bytes
) -> None:
    assert decode_frame(encode_frame(headers, payload)) == (headers, payload)


@pytest.mark.parametrize("chunk", [b"\x01\x02", b""])
def test_an_audio_event_has_the_documented_form(chunk: bytes) -> None:
    assert decode_frame(encode_audio_event(chunk)) == (
        {":content-type": "application/octet-stream", ":event-type": "AudioEvent", ":message-type": "event"},
        chunk,
    )


@pytest.mark.parametrize("position", range(len(FRAME)))
def test_every_changed_byte_is_noticed(position: int) -> None:
    for changed_bits in (1, 0x80, 0xFF):
        changed_byte = bytes([FRAME[position] ^ changed_bits])
        assert decode_or_none(FRAME[:position] + changed_byte + FRAME[position + 1 :]) is None


def test_only_one_complete_frame_is_decoded() -> None:
    for length in range(len(FRAME)):
        assert decode_or_none(FRAME[:length]) is None
    assert decode_or_none(FRAME + FRAME) is None
    assert decode_or_none(FRAME + b"\x00") is None


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_for_any_bytes_no_other_exception_is_raised(data: bytes, headers: bytes) -> None:
    decode_or_none(data)
    decode_or_none(frame_with_checksums(headers, b"payload"))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"\x03one\x00" * 2, id="a header occurs twice"),
        pytest.param(b"\x03one\x0a", id="a value has an unknown type"),
        pytest.param(b"\x03one\x07\x00\x07secret\xff", id="a value is not UTF-8"),
        pytest.param(b"\x01\xff\x00", id="a name is not UTF-8"),
    ],
)
def test_the_exception_for_an_invalid_frame_contains_nothing_of_the_frame(headers: bytes) -> None:
    with pytest.raises(MalformedFrame) as error:
        decode_frame(frame_with_checksums(headers))
    assert str(error.value) == "malformed event-stream frame"
    assert error.value.__context__ is None
