"""Parser for the header of a FLAC frame (RFC 9639). No audio is decoded.

A FLAC file is a sequence of frames, each with one block of samples. The header of a frame states its position and its
number of samples, so the header of the last frame shows where a recording ends.
"""

from dataclasses import dataclass

FIXED, VARYING = b"\xff\xf8", b"\xff\xf9"
FRAME_STARTS = (FIXED, VARYING)
"""First bytes of a frame with a fixed block size, and of a frame whose block size varies."""
MIN_HEADER, MAX_HEADER = 6, 16
"""Shortest and longest header in bytes."""

# A header states block size, sample rate, channels and sample size as codes. These tables contain their meanings. The
# code 0 of the sample rate and of the sample size refers to STREAMINFO, the metadata block at the start of the file.
BLOCK_SIZES = {1: 192} | {code: 576 << code - 2 for code in range(2, 6)} | {code: 1 << code for code in range(8, 16)}
SIZE_BYTES = {6: 1, 7: 2}
"""Number of bytes after the frame's number that contain the block size minus one, for codes without a block size."""
RATES = dict(enumerate((88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000), 1))
RATE_BYTES = {12: (1, 1000), 13: (2, 1), 14: (2, 10)}
"""Number of bytes before the checksum that contain the sample rate, and the unit of the rate in Hz, for codes without a
rate."""
CHANNELS = {code: code + 1 for code in range(8)} | {8: 2, 9: 2, 10: 2}
SAMPLE_BITS = {2: 8, 4: 12, 8: 16, 10: 20, 12: 24, 14: 32}
"""Sample sizes by code. The codes are even, because they include the reserved bit that follows, which is always 0."""


@dataclass(frozen=True)
class FrameHeader:
    """Header of a frame with a correct checksum."""

    has_varying_block_size: bool
    number: int
    """Number of the frame, or of its first sample if the block size varies."""
    block_size: int
    """Number of samples in the frame, per channel."""
    matches_stream_info: bool
    """True if the block size is valid, and sample rate, channels and sample size are those that STREAMINFO states."""


def crc_table(polynomial: int, bits: int) -> tuple[int, ...]:
    """Return the lookup table of a checksum (CRC) with this generator polynomial and length."""
    table = []
    for byte in range(256):
        remainder = byte << bits - 8
        for _ in range(8):
            remainder = (remainder << 1 ^ (polynomial if remainder >> bits - 1 else 0)) & (1 << bits) - 1
        table.append(remainder)
    return tuple(table)


CRC8 = crc_table(0x07, 8)


def frame_header(head: bytes, sample_rate: int, channels: int, sample_bits: int) -> FrameHeader | None:
    """Return the frame header at the start of `head`, or None if these bytes are no frame header.

    `head` may be longer than the header, and MAX_HEADER bytes are always enough. The other arguments are the properties
    that STREAMINFO states for the file.
    """
    if len(head) < MIN_HEADER or not head.startswith(FRAME_STARTS):
        return None
    size_code, rate_code, channels_code, bits_code = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] & 15
    # After the number come the block size and the sample rate, if their codes require them, and then the checksum.
    number, size_at = _parse_number(head)
    rate_at = size_at + SIZE_BYTES.get(size_code, 0)
    rate_bytes, unit = RATE_BYTES.get(rate_code, (0, 0))
    checksum_at = rate_at + rate_bytes
    # The checksum over a header including its own checksum is 0.
    if number is None or len(head) <= checksum_at or _crc8(head[: checksum_at + 1]) != 0:
        return None
    rates = {0: sample_rate, **RATES}
    if rate_code in RATE_BYTES:
        rates[rate_code] = unit * _int(head[rate_at:checksum_at])
    matches_stream_info = (
        size_code != 0
        and rates.get(rate_code) == sample_rate
        and CHANNELS.get(channels_code) == channels
        and {0: sample_bits, **SAMPLE_BITS}.get(bits_code) == sample_bits
    )
    block_size = BLOCK_SIZES.get(size_code) or _int(head[size_at:rate_at]) + 1
    return FrameHeader(head.startswith(VARYING), number, block_size, matches_stream_info)


def _parse_number(head: bytes) -> tuple[int | None, int]:
    """Return the number of the frame or sample in a header, and the offset after it. An invalid number is None.

    The number is coded like a character in UTF-8, with up to seven bytes.
    """
    # The leading ones of the first byte state the number of bytes.
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    following = head[5 : 4 + max(1, ones)]
    if ones in {1, 8} or any(byte >> 6 != 0b10 for byte in following):
        return None, 5
    number = head[4] & 0x7F >> ones
    for byte in following:
        number = number << 6 | byte & 0x3F
    return number, 5 + len(following)


def _crc8(head: bytes) -> int:
    remainder = 0
    for byte in head:
        remainder = CRC8[remainder ^ byte]
    return remainder


def _int(data: bytes) -> int:
    return int.from_bytes(data, "big")
