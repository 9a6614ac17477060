"""Frames: as botocore reads them, and nothing but a message or one kind of refusal, whatever the bytes."""

import struct
import uuid
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription import event_stream
from handlers.transcription.event_stream import HeaderValue, MalformedFrame, Message, audio_event, decode, encode

NAMES = st.text(min_size=1, max_size=20)
HEADERS = st.dictionaries(NAMES, st.text(max_size=60), max_size=6)
RAW_VALUES = st.one_of(
    st.sampled_from([b"\x00", b"\x01"]),
    st.binary(min_size=1, max_size=1).map(lambda raw: b"\x02" + raw),
    st.binary(min_size=2, max_size=2).map(lambda raw: b"\x03" + raw),
    st.binary(min_size=4, max_size=4).map(lambda raw: b"\x04" + raw),
    st.tuples(st.sampled_from([b"\x05", b"\x08"]), st.binary(min_size=8, max_size=8)).map(b"".join),
    st.binary(max_size=40).map(lambda raw: b"\x06" + struct.pack("!H", len(raw)) + raw),
    st.text(max_size=40).map(lambda text: b"\x07" + struct.pack("!H", len(text.encode())) + text.encode()),
    st.binary(min_size=16, max_size=16).map(lambda raw: b"\x09" + raw),
)


def sealed(head: bytes, payload: bytes = b"") -> bytes:
    """A frame around any bytes that claim to be headers, with the right lengths and checksums."""
    lengths = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    frame = lengths + struct.pack("!I", crc32(lengths)) + head + payload
    return frame + struct.pack("!I", crc32(frame))


def header(name: str, value: bytes) -> bytes:
    return bytes([len(name.encode())]) + name.encode() + value


def botocores(frame: bytes) -> Message:
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    [message] = list(buffer)
    return Message(message.to_response_dict()["headers"], message.payload)


def or_refused(frame: bytes) -> Message | None:
    try:
        return decode(frame)
    except MalformedFrame:
        return None


@given(HEADERS, st.binary(max_size=500))
def test_what_is_encoded_is_decoded_here_and_by_botocore(headers: dict[str, str], payload: bytes) -> None:
    frame = encode(headers, payload)
    assert decode(frame) == botocores(frame) == Message(headers, payload)


@given(st.dictionaries(NAMES, RAW_VALUES, max_size=8), st.binary(max_size=50))
def test_headers_of_every_type_are_read_as_botocore_reads_them(values: dict[str, bytes], payload: bytes) -> None:
    frame = sealed(b"".join(header(name, value) for name, value in values.items()), payload)
    assert decode(frame) == botocores(frame)


one_uuid = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"\x00", True),
        (b"\x01", False),
        (b"\x02\xff", -1),
        (b"\x03\xff\xfe", -2),
        (b"\x04\x00\x00\x00\x05", 5),
        (b"\x05" + struct.pack("!q", -(2**63)), -(2**63)),
        (b"\x06\x00\x02ab", b"ab"),
        (b"\x07\x00\x03\xe2\x82\xac", "€"),
        (b"\x08" + struct.pack("!q", 1469918176385), 1469918176385),
        (b"\x09" + one_uuid.bytes, one_uuid.bytes),
    ],
)
def test_every_type_has_its_value(raw: bytes, value: HeaderValue) -> None:
    found = decode(sealed(header("one", raw))).headers["one"]
    assert found == value
    assert type(found) is type(value)


def test_an_audio_event_is_the_documented_one() -> None:
    assert botocores(audio_event(b"\x01\x02")) == Message(
        {":content-type": "application/octet-stream", ":event-type": "AudioEvent", ":message-type": "event"},
        b"\x01\x02",
    )


def test_the_end_of_a_stream_is_an_audio_event_without_audio() -> None:
    assert botocores(audio_event(b"")).payload == b""


FRAME = encode({":message-type": "event", "other": "text"}, b'{"a": 1}')


@pytest.mark.parametrize("at", range(len(FRAME)))
def test_no_changed_byte_goes_unnoticed(at: int) -> None:
    for change in (1, 0x80, 0xFF):
        assert or_refused(FRAME[:at] + bytes([FRAME[at] ^ change]) + FRAME[at + 1 :]) is None


def test_no_part_of_a_frame_is_one_and_neither_are_two() -> None:
    for length in range(len(FRAME)):
        assert or_refused(FRAME[:length]) is None
    assert or_refused(FRAME + FRAME) is None
    assert or_refused(FRAME + b"\x00") is None


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_message(data: bytes) -> None:
    found = or_refused(data)
    assert found is None or botocores(data) == found


@given(st.binary(max_size=60), st.binary(max_size=10))
def test_any_headers_under_right_checksums_are_refused_or_read_as_botocore_reads_them(
    head: bytes, payload: bytes
) -> None:
    found = or_refused(sealed(head, payload))
    assert found is None or botocores(sealed(head, payload)) == found


@given(st.dictionaries(NAMES, RAW_VALUES, min_size=1, max_size=4), st.data())
def test_headers_that_end_too_early_are_refused(values: dict[str, bytes], data: st.DataObject) -> None:
    raw = [header(name, value) for name, value in values.items()]
    cut = data.draw(st.integers(1, len(raw[-1]) - 1))
    assert or_refused(sealed(b"".join(raw)[:-cut], b"payload")) is None


@pytest.mark.parametrize(
    "head",
    [
        header("one", b"\x00") * 2,
        header("", b"\x00"),
        header("one", b"\x0a"),
        header("one", b"\x07\x00\x01\xff"),
        b"\x01\xff\x00",
    ],
    ids=["twice", "nameless", "unknown type", "value no text", "name no text"],
)
def test_headers_that_cannot_be_are_refused(head: bytes) -> None:
    assert or_refused(sealed(head)) is None


def test_headers_do_not_reach_into_the_payload() -> None:
    lengths = struct.pack("!II", 20, 8)
    frame = lengths + struct.pack("!I", crc32(lengths)) + b"\x01a\x00\x00"
    assert or_refused(frame + struct.pack("!I", crc32(frame))) is None


def test_the_lengths_have_a_checksum_of_their_own() -> None:
    wrong = FRAME[:8] + bytes([FRAME[8] ^ 1]) + FRAME[9:-4]
    assert or_refused(wrong + struct.pack("!I", crc32(wrong))) is None


def test_lengths_beyond_the_limits_are_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    head = header("one", b"\x06\x00\x20" + bytes(32))
    assert or_refused(sealed(head, bytes(40))) is not None
    monkeypatch.setattr(event_stream, "MAX_HEADERS", 20)
    assert or_refused(sealed(head)) is None
    with pytest.raises(ValueError, match="too long"):
        encode({"name": "x" * 20}, b"")
    monkeypatch.setattr(event_stream, "MAX_MESSAGE", 60)
    assert or_refused(sealed(b"", bytes(45))) is None
    with pytest.raises(ValueError, match="too long"):
        encode({}, bytes(45))


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("n" * 256, "x"), ("n", "x" * 32768), ("€" * 86, "x")])
def test_a_header_that_fits_no_frame_is_not_encoded(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="header"):
        encode({name: value}, b"")


def test_a_refusal_holds_nothing_of_the_frame() -> None:
    with pytest.raises(MalformedFrame) as refused:
        decode(sealed(header("one", b"\x07\x00\x07secret\xff")))
    assert str(refused.value) == "malformed event-stream frame"
    assert refused.value.__context__ is None
