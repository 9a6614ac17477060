"""How long an Ogg Opus file plays: RFC 3533 for the pages, RFC 7845 for Opus in them, RFC 6716 for a packet's length.

Strict, because each file is one whole utterance: one stream, pages numbered from 0 without a gap, every checksum right,
nothing cut off and nothing behind the end. `OpusHead` alone on the first page, then `OpusTags`, then audio.

The granule positions (samples at 48 kHz) have to fit what the packets themselves say they hold, within one packet of
the longest kind: that leaves room for the end's trimming and for muxers that take positions from a clock. So positions
that begin anywhere but at 0, as a recording cut out of a longer one has them, are refused. Where no packet ends on a
page, its position says nothing and is not read; -1 anywhere else is refused. A missing end-of-stream flag is not: the
RFC tells decoders to live with it, and muxers written for live streams forget it. Whole pages missing from the end are
therefore not noticed; they only make the file shorter.

Whether the channels and rates that it tells are welcome is for `audio` to decide. Nothing is decoded.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

OPUS_RATE = 48000
"""What Opus always decodes to, and what its positions count."""
LONGEST_PACKET = 5760
"""Samples; a packet holds 120 ms at most."""
FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"""Of one frame, by the packet's configuration: SILK, hybrid, CELT."""

PAGE = struct.Struct("<4sBBqIIIB")
HEAD = struct.Struct("<8sBBHIhB")
CONTINUED, FIRST, LAST = 1, 2, 4
UNENDED = 255
"""A segment of this length goes on in the next one."""
CHECKSUM = slice(22, 26)

REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class MalformedOgg(Exception):
    """Why this is no whole Ogg Opus file; the message goes behind "this Ogg file"."""


@dataclass(frozen=True)
class OpusAudio:
    """What the file says of itself."""

    channels: int
    input_rate: int
    """Of what was encoded, for information only; 0 where the encoder did not tell."""
    samples: int
    """At 48 kHz, without those that the decoder drops at the beginning and the end."""


@dataclass(frozen=True)
class Page:
    """A page, with the packets that end on it."""

    number: int
    granule: int
    packets: tuple[bytes, ...]
    unended: bool
    """Whether another packet begins or goes on, and does not end."""


def read(audio: bytes) -> OpusAudio:
    """What the file says of itself; raises MalformedOgg."""
    pages = [page for page in _pages(audio) if page.packets]
    if not pages or pages[0].number != 0 or not _alone(pages[0], b"OpusHead"):
        raise MalformedOgg("does not begin with a page that holds OpusHead alone")
    channels, pre_skip, input_rate = _head(pages[0].packets[0])
    if len(pages) == 1 or not _alone(pages[1], b"OpusTags"):
        raise MalformedOgg("has no OpusTags, ending a page, behind OpusHead")
    if len(pages) == 2:
        raise MalformedOgg("holds no audio packet")
    return OpusAudio(channels, input_rate, max(0, _end(pages[2:]) - pre_skip))


def _pages(audio: bytes) -> Iterator[Page]:
    start = number = serial = flags = 0
    begun: list[bytes] = []
    while start < len(audio):
        if audio[start : start + 4] != b"OggS"[: len(audio) - start]:
            raise MalformedOgg(f"has no page at byte {start}, where one should begin")
        if flags & LAST:
            raise MalformedOgg("goes on behind the end of its stream: send one stream, not several in a chain")
        table, body = _parts(audio, start)
        _, version, flags, granule, own, sequence, checksum, _ = PAGE.unpack_from(audio, start)
        serial = serial if number else own
        end = start + PAGE.size + len(table) + len(body)
        if version != 0 or flags > CONTINUED | FIRST | LAST:
            raise MalformedOgg(f"has a page of an unknown kind at byte {start}")
        if _checksum(audio[start:end]) != checksum:
            raise MalformedOgg(f"is damaged: the checksum of the page at byte {start} is wrong")
        if own != serial:
            raise MalformedOgg("holds more than one stream")
        if sequence != number:
            raise MalformedOgg(f"lacks a page: number {sequence} stands where {number} should")
        if bool(flags & FIRST) != (number == 0) or bool(flags & CONTINUED) != bool(begun):
            raise MalformedOgg(f"has a page at byte {start} whose flags do not fit its place")
        packets = []
        for piece, ended in _pieces(table, body):
            begun.append(piece)
            if ended:
                packets.append(b"".join(begun))
                begun = []
        yield Page(number, granule, tuple(packets), bool(begun))
        start, number = end, number + 1
    if begun:
        raise MalformedOgg("is cut off: its last packet does not end")


def _parts(audio: bytes, start: int) -> tuple[bytes, bytes]:
    """The page's segment table and its body, both whole."""
    behind = start + PAGE.size
    segments = audio[behind - 1] if behind <= len(audio) else 0
    table = audio[behind : behind + segments]
    body = audio[behind + segments : behind + segments + sum(table)]
    if behind > len(audio) or len(table) < segments or len(body) < sum(table):
        raise MalformedOgg("is cut off: its last page does not end")
    return table, body


def _pieces(table: bytes, body: bytes) -> Iterator[tuple[bytes, bool]]:
    """The packets' parts on a page, and whether they end there."""
    begin = end = 0
    for length in table:
        end += length
        if length < UNENDED:
            yield body[begin:end], True
            begin = end
    if begin < end:
        yield body[begin:end], False


def _checksum(page: bytes) -> int:
    """Ogg's CRC-32: zlib's polynomial with the bits the other way round, and without its inversions.

    A loop over the bytes here would take most of an utterance's checking.
    """
    cleared = page[: CHECKSUM.start] + bytes(4) + page[CHECKSUM.stop :]
    mirrored = zlib.crc32(cleared.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(REVERSED), "big")


def _alone(page: Page, magic: bytes) -> bool:
    return len(page.packets) == 1 and not page.unended and page.packets[0].startswith(magic)


def _head(packet: bytes) -> tuple[int, int, int]:
    """Channels, samples to drop at the beginning, input rate."""
    if len(packet) < HEAD.size:
        raise MalformedOgg("has an OpusHead that is too short")
    _, version, channels, pre_skip, input_rate, _, family = HEAD.unpack_from(packet)
    if version > 15 or channels == 0 or (family and channels <= 2):
        raise MalformedOgg(f"has an OpusHead of version {version} with {channels} channels in mapping family {family}")
    return channels, pre_skip, input_rate


def _end(pages: list[Page]) -> int:
    """The position behind the last sample that is heard."""
    held = granule = 0
    for page in pages:
        held += sum(map(_samples, page.packets))
        if page.granule < granule or abs(page.granule - held) > LONGEST_PACKET:
            raise MalformedOgg(
                f"has the granule position {page.granule} where its packets hold {held} samples:"
                " count from 0 in each utterance"
            )
        granule = page.granule
    return min(granule, held)


def _samples(packet: bytes) -> int:
    """What the packet decodes to, from its first two bytes."""
    kind = packet[0] if packet else 0
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[kind & 3] if packet else 0
    samples = frames * FRAME_SAMPLES[kind >> 3]
    if not 0 < samples <= LONGEST_PACKET:
        raise MalformedOgg("has a packet that is no Opus")
    return samples
