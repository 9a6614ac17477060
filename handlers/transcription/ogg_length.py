"""Length of an Ogg Opus file in samples, and validation of the file. Nothing is decoded.

RFC 3533 defines Ogg's pages, RFC 7845 Opus in these pages, and RFC 6716 the length of an Opus packet.

Each file is one complete utterance, so the rules are strict: one stream, pages numbered from 0 without a gap, right
checksums, nothing truncated, and nothing after the end. The first page contains only the packet `OpusHead`. The packet
`OpusTags` follows, on one or more pages of its own. Then audio packets follow.

A page states its granule position: the number of samples, at 48 kHz, up to the last packet that ends on the page. The
position must match the sum of the packet lengths. So a part of a longer recording, whose positions do not begin at 0,
is refused. A difference of up to one packet of the longest kind is allowed, because encoders trim the end, and some
muxers take positions from a clock. The position of a page on which no packet ends is ignored.

An end-of-stream flag is not required, because muxers for live streams omit it. So missing pages at the end are not
detected, and the file only counts as shorter.

`utterance_audio_validation` decides which channels and rates are allowed.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mutagen import MutagenError
from mutagen.ogg import OggPage

OPUS_RATE = 48000
"""Opus always decodes to this rate, and granule positions count samples at this rate."""
MAX_PACKET_SAMPLES = 5760
"""Number of samples in the longest packet, which lasts 120 ms."""
FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"""Number of samples in a frame, indexed by the packet's configuration number (RFC 6716, section 3.1). There are 12
configurations of the mode SILK, 4 of the mode hybrid, and 16 of the mode CELT."""
OPUS_HEAD = struct.Struct("<8sBBHIhB")
"""Fields of the packet `OpusHead`: magic bytes, version, channels, pre-skip, input rate, output gain, channel mapping
family."""


class MalformedOgg(Exception):
    """The bytes are not a complete Ogg Opus file. The message continues a sentence that begins with "this Ogg file"."""


@dataclass(frozen=True)
class OpusAudio:
    channels: int
    input_rate: int
    """Rate of the encoder's input, for information only. 0 if it is unknown."""
    samples: int
    """Number of samples at 48 kHz, without those that the decoder drops at the beginning and the end."""


def read_ogg(audio: bytes) -> OpusAudio:
    pages = list(_pages(audio))
    if not pages or pages[0].sequence != 0 or not _is_alone(pages[0], b"OpusHead"):
        raise MalformedOgg("does not begin with a page that holds only OpusHead")
    channels, pre_skip, input_rate = _parse_opus_head(pages[0].packets[0])
    if len(pages) == 1 or not _is_alone(pages[1], b"OpusTags"):
        raise MalformedOgg("has no OpusTags that ends a page after OpusHead")
    if len(pages) == 2:
        raise MalformedOgg("holds no audio packet")
    return OpusAudio(channels, input_rate, max(0, _end_position(pages[2:]) - pre_skip))


def _pages(audio: bytes) -> Iterator[OggPage]:
    """Yield the pages on which a packet ends, each with the whole packets that end on it."""
    file, partial_packet = io.BytesIO(audio), b""
    number = serial = 0
    ended = False
    while (start := file.tell()) < len(audio):
        if ended:
            raise MalformedOgg("continues after the end of its stream: send one stream, not several in a chain")
        try:
            page = OggPage(file)
        except (MutagenError, EOFError):
            raise MalformedOgg(f"is cut off or damaged: it has no whole page at byte {start}") from None
        if page.write() != audio[start : file.tell()]:
            raise MalformedOgg(f"is damaged: the checksum of the page at byte {start} is wrong")
        ended = page.last
        if number == 0:
            serial = page.serial
        if page.serial != serial:
            raise MalformedOgg("holds more than one stream")
        if page.sequence != number:
            raise MalformedOgg(f"lacks a page: number {page.sequence} follows where {number} is expected")
        if page.first != (number == 0) or page.continued != bool(partial_packet):
            raise MalformedOgg(f"has a page at byte {start} whose flags do not match its position")
        if page.packets:
            page.packets[0] = partial_packet + page.packets[0]
            partial_packet = b"" if page.complete else page.packets.pop()
        if page.packets:
            yield page
        number += 1
    if partial_packet:
        raise MalformedOgg("is cut off: its last packet does not end")


def _is_alone(page: OggPage, magic: bytes) -> bool:
    return page.complete and len(page.packets) == 1 and page.packets[0].startswith(magic)


def _parse_opus_head(packet: bytes) -> tuple[int, int, int]:
    """Return the channels, the samples that a decoder drops at the beginning, and the encoder's input rate."""
    if len(packet) < OPUS_HEAD.size:
        raise MalformedOgg("has an OpusHead that is too short")
    _, version, channels, pre_skip, input_rate, _, family = OPUS_HEAD.unpack_from(packet)
    # Versions up to 15 are compatible (RFC 7845, section 5.1). With one or two channels, only mapping family 0 is
    # accepted. More channels pass here, because `utterance_audio_validation` refuses them with a clearer message.
    if version > 15 or channels == 0 or (family and channels <= 2):
        raise MalformedOgg(f"has an OpusHead of version {version} with {channels} channels in mapping family {family}")
    return channels, pre_skip, input_rate


def _end_position(pages: list[OggPage]) -> int:
    """Return the number of samples in the audio pages, including those that the decoder drops at the beginning."""
    packet_samples = granule = 0
    for page in pages:
        packet_samples += sum(map(_packet_samples, page.packets))
        if page.position < granule or abs(page.position - packet_samples) > MAX_PACKET_SAMPLES:
            raise MalformedOgg(
                f"has the granule position {page.position} where its packets hold {packet_samples} samples:"
                " count from 0 in each utterance"
            )
        granule = page.position
    return min(granule, packet_samples)


def _packet_samples(packet: bytes) -> int:
    # RFC 6716, section 3.1: the first byte holds the configuration in its upper five bits. Its lower two bits mean one
    # frame (0), two frames (1 and 2), or the number of frames in the lower six bits of the second byte (3).
    first = packet[0] if packet else 0
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[first & 3] if packet else 0
    samples = frames * FRAME_SAMPLES[first >> 3]
    if not 0 < samples <= MAX_PACKET_SAMPLES:
        raise MalformedOgg("has a packet that is not Opus")
    return samples
