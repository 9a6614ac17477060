"""How long a FLAC file plays (RFC 9639), found by walking its frames: what its header tells of that is only compared.

A frame does not say how many bytes it has. It ends where the file does or where the next one's header stands, and in
both cases only where its own checksum comes out right: so lost, damaged and cut off frames are noticed, and bytes that
look like a header inside a frame are not taken for one. Frames are numbered from 0 without a gap. Zeros behind the last
frame are not noticed: they change no checksum, and no decoder plays them.

Whether the rate, the channels and the bits that it tells are welcome is for `audio` to decide. Nothing is decoded.
"""

import re
from dataclasses import dataclass

STREAMINFO, INVALID = 0, 127
"""Kinds of metadata blocks."""
STREAMINFO_BYTES = 34
SYNC = re.compile(rb"\xff[\xf8\xf9]")
"""How a frame begins; its last bit says whether blocks vary in size."""
SHORTEST_HEADER, LONGEST_HEADER = 6, 16
"""Bytes."""

# What the codes in a frame's header mean; 0 for the rate and the bits is STREAMINFO's.
BLOCK_SIZES = {1: 192} | {code: 576 << code - 2 for code in range(2, 6)} | {code: 1 << code for code in range(8, 16)}
SIZE_BYTES = {6: 1, 7: 2}
"""Where the block's size, less one, stands at the end of the header."""
RATES = {
    1: 88200,
    2: 176400,
    3: 192000,
    4: 8000,
    5: 16000,
    6: 22050,
    7: 24000,
    8: 32000,
    9: 44100,
    10: 48000,
    11: 96000,
}
RATE_BYTES = {12: (1, 1000), 13: (2, 1), 14: (2, 10)}
"""Where the rate stands at the end of the header: in how many bytes, in which unit."""
CHANNELS = {code: code + 1 for code in range(8)} | {8: 2, 9: 2, 10: 2}
BITS = {2: 8, 4: 12, 8: 16, 10: 20, 12: 24, 14: 32}
"""With the reserved bit behind them, which is never set."""


class MalformedFlac(Exception):
    """Why this is no whole FLAC file; the message goes behind "this FLAC file"."""


@dataclass(frozen=True)
class FlacAudio:
    """What the file holds."""

    sample_rate: int
    channels: int
    bits: int
    samples: int
    """In STREAMINFO, 0 where the encoder could not know it; in what `read` gives, what the frames hold."""


@dataclass(frozen=True)
class FrameHeader:
    """A frame's header whose checksum is right."""

    varying: bool
    """Whether blocks vary in size."""
    number: int
    """Of the frame; of its first sample where blocks vary."""
    block_size: int
    fits: bool
    """Whether it is one of this file's: its rate, channels and bits are STREAMINFO's."""


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    """What each byte does to a checksum of so many bits."""
    rests = []
    for byte in range(256):
        rest = byte << bits - 8
        for _ in range(8):
            rest = (rest << 1 ^ (polynomial if rest >> bits - 1 else 0)) & (1 << bits) - 1
        rests.append(rest)
    return tuple(rests)


CRC8, CRC16 = _table(0x07, 8), _table(0x8005, 16)


def read(audio: bytes) -> FlacAudio:
    """What the file holds; raises MalformedFlac."""
    told, start = _metadata(audio)
    if start >= len(audio):
        raise MalformedFlac("holds no audio: it ends behind its metadata")
    samples = _samples(audio, start, told)
    if told.samples not in {0, samples}:
        raise MalformedFlac(f"tells {told.samples} samples in its header, and its frames hold {samples}")
    return FlacAudio(told.sample_rate, told.channels, told.bits, samples)


def _metadata(audio: bytes) -> tuple[FlacAudio, int]:
    """What STREAMINFO tells, and where the frames begin."""
    if not audio.startswith(b"fLaC"):
        raise MalformedFlac("does not begin with fLaC")
    kind, last, block, start = _block(audio, 4)
    if kind != STREAMINFO or len(block) != STREAMINFO_BYTES:
        raise MalformedFlac(f"does not begin with a STREAMINFO of {STREAMINFO_BYTES} bytes")
    packed = int.from_bytes(block[10:18], "big")
    told = FlacAudio(
        sample_rate=packed >> 44,
        channels=(packed >> 41 & 7) + 1,
        bits=(packed >> 36 & 31) + 1,
        samples=packed & (1 << 36) - 1,
    )
    while not last:
        kind, last, _, start = _block(audio, start)
        if kind in {STREAMINFO, INVALID}:
            raise MalformedFlac("has a metadata block that may not stand there")
    return told, start


def _block(audio: bytes, start: int) -> tuple[int, bool, bytes, int]:
    """A metadata block: its kind, whether it is the last, its content, and where it ends."""
    head = audio[start : start + 4]
    end = start + 4 + int.from_bytes(head[1:], "big")
    if end > len(audio):
        raise MalformedFlac("is cut off within its metadata")
    return head[0] & 0x7F, head[0] > 0x7F, audio[start + 4 : end], end


def _samples(audio: bytes, start: int, told: FlacAudio) -> int:
    """What the frames from there to the file's end hold."""
    samples = frames = 0
    varying: bool | None = None
    while start < len(audio):
        header = _header(audio, start, told)
        if header is None or not header.fits or varying not in {None, header.varying}:
            raise MalformedFlac(f"has no frame at byte {start} that fits the file")
        varying = header.varying
        if header.number != (samples if varying else frames):
            raise MalformedFlac(f"lacks a frame before byte {start}: number them from 0 in each utterance")
        samples += header.block_size
        frames += 1
        start = _frame_end(audio, start, told)
    return samples


def _frame_end(audio: bytes, start: int, told: FlacAudio) -> int:
    """Where the frame ends that begins there. Each byte is summed once, however many of them look like a header."""
    summed, rest = start, 0
    while summed < len(audio):
        found = SYNC.search(audio, summed + 1)
        end = found.start() if found else len(audio)
        for byte in audio[summed:end]:
            rest = rest << 8 & 0xFFFF ^ CRC16[rest >> 8 ^ byte]
        # A checksum that is summed with what it belongs to leaves nothing.
        if rest == 0 and (end == len(audio) or _header(audio, end, told)):
            return end
        summed = end
    raise MalformedFlac(f"is cut off or damaged: the frame at byte {start} does not end with its checksum")


def _header(audio: bytes, start: int, told: FlacAudio) -> FrameHeader | None:
    """The header that stands there, if one does."""
    head = audio[start : start + LONGEST_HEADER]
    if not SYNC.match(head) or len(head) < SHORTEST_HEADER:
        return None
    size_code, rate_code, channels_code, bits_code = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] & 15
    number, size_at = _number(head)
    rate_at = size_at + SIZE_BYTES.get(size_code, 0)
    rate_bytes, unit = RATE_BYTES.get(rate_code, (0, 0))
    sum_at = rate_at + rate_bytes
    if number is None or len(head) <= sum_at or _crc8(head[: sum_at + 1]) != 0:
        return None
    rates = {0: told.sample_rate, **RATES, **dict.fromkeys(RATE_BYTES, unit * _int(head[rate_at:sum_at]))}
    fits = (
        size_code != 0
        and rates.get(rate_code) == told.sample_rate
        and CHANNELS.get(channels_code) == told.channels
        and {0: told.bits, **BITS}.get(bits_code) == told.bits
    )
    block_size = BLOCK_SIZES.get(size_code) or _int(head[size_at:rate_at]) + 1
    return FrameHeader(head[1] == 0xF9, number, block_size, fits)


def _number(head: bytes) -> tuple[int | None, int]:
    """The number in a header, written as UTF-8 writes larger characters, and where it ends."""
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    following = head[5 : 4 + max(1, ones)]
    if ones in {1, 8} or any(byte >> 6 != 0b10 for byte in following):
        return None, 5
    number = head[4] & 0x7F >> ones
    for byte in following:
        number = number << 6 | byte & 0x3F
    return number, 5 + len(following)


def _crc8(head: bytes) -> int:
    rest = 0
    for byte in head:
        rest = CRC8[rest ^ byte]
    return rest


def _int(written: bytes) -> int:
    return int.from_bytes(written, "big")
