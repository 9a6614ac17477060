"""Ogg pages and FLAC frames for tests, built field by field as their specifications define them.

Some are invalid or so rare that no encoder writes them. Checksums are computed bit by bit, independently of the tables
in the tested code.
"""

import struct
from collections.abc import Sequence

BOS, CONTINUED, EOS = 2, 1, 4
"""Flags of an Ogg page (RFC 3533): beginning of stream, continued packet, end of stream."""
SERIAL = 0x5EED
"""Number that all pages of one Ogg stream contain."""
PACKET_20_MS = b"\x08" + bytes(30)
"""An Opus packet of one 20 ms frame, which is 960 samples of 48 kHz."""
PRE_SKIP = 312
"""Number of samples that a decoder drops at the start of an Opus file."""


def crc(message: bytes, polynomial: int, bits: int) -> int:
    """Return a cyclic redundancy check, highest bit first, starting at 0."""
    remainder = 0
    for byte in message:
        remainder ^= byte << bits - 8
        for _ in range(8):
            remainder = (remainder << 1 ^ (polynomial if remainder >> bits - 1 else 0)) & (1 << bits) - 1
    return remainder


def ogg_page(
    sequence: int,
    position: int,
    *packets: bytes,
    flags: int = 0,
    serial: int = SERIAL,
    version: int = 0,
    table: bytes | None = None,
) -> bytes:
    """Return an Ogg page with these packets. They are complete unless `table` replaces the page's segment table (the
    lengths of its segments). `position` is the position in the audio at the end of the page, in samples of 48 kHz.
    """
    segments = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    table = segments if table is None else table
    head = struct.pack("<4sBBqII", b"OggS", version, flags, position, serial, sequence)
    tail = bytes([len(table)]) + table + b"".join(packets)
    checksum = crc(head + bytes(4) + tail, 0x04C11DB7, 32)
    return head + struct.pack("<I", checksum) + tail


def opus_head(
    *, channels: int = 1, pre_skip: int = PRE_SKIP, rate: int = 48000, version: int = 1, family: int = 0
) -> bytes:
    return struct.pack("<8sBBHIhB", b"OpusHead", version, channels, pre_skip, rate, 0, family)


OPUS_TAGS = b"OpusTags" + struct.pack("<I4sI", 4, b"test", 0)


def opus_file(*audio: bytes, head: bytes | None = None, tags: bytes = OPUS_TAGS) -> bytes:
    """Return an Ogg Opus file: two header pages, then the given audio pages, which must be numbered from 2."""
    return ogg_page(0, 0, opus_head() if head is None else head, flags=BOS) + ogg_page(1, 0, tags) + b"".join(audio)


def metadata_block(kind: int, content: bytes, *, last: bool = False) -> bytes:
    return bytes([kind | (0x80 if last else 0)]) + len(content).to_bytes(3, "big") + content


def streaminfo(*, rate: int = 16000, channels: int = 1, bits: int = 16, samples: int = 0) -> bytes:
    """Return the content of FLAC's STREAMINFO block. A length of 0 samples means that the length is unknown."""
    packed = rate << 44 | channels - 1 << 41 | bits - 1 << 36 | samples
    return struct.pack(">HH", 16, 65535) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)


def flac_frame(
    number: int | bytes,
    block_size: int = 1600,
    *,
    size_code: int = 7,
    rate_code: int = 0,
    rate_field: bytes = b"",
    channels_and_bits: int = 0x00,
    varying_block_size: bool = False,
    content: bytes = b"\x00\x00\x00",
) -> bytes:
    """Return a FLAC frame with this number, or with any bytes in place of it. By default, the content is silence.

    `size_code` and `rate_code` state how the header encodes the block size (the number of samples) and the sample rate.
    """
    coded_number = number if isinstance(number, bytes) else chr(number).encode()
    start = bytes([0xFF, 0xF9 if varying_block_size else 0xF8, size_code << 4 | rate_code, channels_and_bits])
    size_field = (block_size - 1).to_bytes({6: 1, 7: 2}[size_code], "big") if size_code in {6, 7} else b""
    head = start + coded_number + size_field + rate_field
    return with_frame_checksum(head + bytes([crc(head, 0x07, 8)]) + content)


def with_frame_checksum(frame: bytes) -> bytes:
    """Append the checksum at the end of a FLAC frame."""
    return frame + crc(frame, 0x8005, 16).to_bytes(2, "big")


def flac_file(*frames: bytes, info: bytes | None = None, other_metadata: Sequence[bytes] = ()) -> bytes:
    """Return a FLAC file: STREAMINFO, other metadata blocks, and the frames."""
    first_block = metadata_block(0, streaminfo() if info is None else info, last=not other_metadata)
    return b"fLaC" + first_block + b"".join(other_metadata) + b"".join(frames)
