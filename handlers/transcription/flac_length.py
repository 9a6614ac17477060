"""Length of a FLAC file (RFC 9639) in samples, and validation of the file. Nothing is decoded.

The length is the sum of the samples that the headers of all frames state. If the file's header states a number of
samples other than 0, the sum must be equal to it.

A frame does not state its size in bytes. It ends where the next frame's header begins or where the file ends, and its
checksum must be right at that position. So damaged and truncated frames are refused, and bytes inside a frame that look
like a header are ignored. Frames must be numbered from 0 without a gap. So a missing frame is refused too, unless
frames are missing only at the end of a file whose header states 0 samples. Zeros after the last frame are accepted,
because they do not change the frame's checksum, and no decoder plays them.

`utterance_audio_validation` decides which sample rates, channels and sample sizes are allowed.
"""

import re
from dataclasses import dataclass

from handlers.transcription.flac_frame_headers import FRAME_STARTS, MAX_HEADER, FrameHeader, crc_table, frame_header

STREAMINFO = 0
"""Kind of the first metadata block, which is the header of the file. No other block may have this kind."""
INVALID = 127
"""Kind of metadata block that is never allowed."""
STREAMINFO_BYTES = 34
SYNC = re.compile(b"|".join(FRAME_STARTS))
"""Bytes with which each frame begins. The content of a frame may contain them too."""
CRC16 = crc_table(0x8005, 16)
"""Table for the checksum at the end of a frame."""


class MalformedFlac(Exception):
    """The bytes are not a complete FLAC file. The message continues a sentence that begins with "this FLAC file"."""


@dataclass(frozen=True)
class FlacAudio:
    sample_rate: int
    channels: int
    bits: int
    """Bits per sample."""
    samples: int
    """Number of samples. STREAMINFO states 0 if the encoder did not know it. `read_flac` returns the sum of all
    frames."""


def read_flac(audio: bytes) -> FlacAudio:
    stated, start = _parse_metadata(audio)
    if start >= len(audio):
        raise MalformedFlac("holds no audio: it ends after its metadata")
    samples = _count_samples(audio, start, stated)
    if stated.samples not in {0, samples}:
        raise MalformedFlac(f"states {stated.samples} samples in its header, but its frames hold {samples}")
    return FlacAudio(stated.sample_rate, stated.channels, stated.bits, samples)


def _parse_metadata(audio: bytes) -> tuple[FlacAudio, int]:
    """Return the content of STREAMINFO and the offset of the first frame."""
    if not audio.startswith(b"fLaC"):
        raise MalformedFlac("does not begin with fLaC")
    kind, last, block, start = _parse_block(audio, 4)
    if kind != STREAMINFO or len(block) != STREAMINFO_BYTES:
        raise MalformedFlac(f"does not begin with a STREAMINFO of {STREAMINFO_BYTES} bytes")
    # Eight bytes hold the sample rate (20 bits), channels - 1 (3 bits), bits per sample - 1 (5 bits) and samples (36
    # bits).
    packed = int.from_bytes(block[10:18], "big")
    stated = FlacAudio(
        sample_rate=packed >> 44,
        channels=(packed >> 41 & 7) + 1,
        bits=(packed >> 36 & 31) + 1,
        samples=packed & (1 << 36) - 1,
    )
    while not last:
        kind, last, _, start = _parse_block(audio, start)
        if kind in {STREAMINFO, INVALID}:
            raise MalformedFlac("has a metadata block that is not allowed at its position")
    return stated, start


def _parse_block(audio: bytes, start: int) -> tuple[int, bool, bytes, int]:
    """Return a metadata block: its kind, True if it is the last block, its content, and its end."""
    head = audio[start : start + 4]
    end = start + 4 + int.from_bytes(head[1:], "big")
    if end > len(audio):
        raise MalformedFlac("is cut off within its metadata")
    return head[0] & 0x7F, head[0] > 0x7F, audio[start + 4 : end], end


def _count_samples(audio: bytes, start: int, stated: FlacAudio) -> int:
    """Return the number of samples in the frames from an offset to the end of the file."""
    samples = frames = 0
    varying: bool | None = None  # True if the block size varies. All frames of a file must agree on this.
    while start < len(audio):
        header = _header(audio, start, stated)
        if header is None or not header.matches_stream_info or varying not in {None, header.has_varying_block_size}:
            raise MalformedFlac(f"has no frame at byte {start} that matches the file's header")
        varying = header.has_varying_block_size
        if header.number != (samples if varying else frames):
            raise MalformedFlac(f"lacks a frame before byte {start}: number the frames from 0 in each utterance")
        samples += header.block_size
        frames += 1
        start = _find_frame_end(audio, start, stated)
    return samples


def _find_frame_end(audio: bytes, start: int, stated: FlacAudio) -> int:
    """Return the end of the frame at an offset.

    At each possible end, the checksum of the bytes so far is continued, not computed again. So the time stays short
    even if many bytes look like a header.
    """
    offset, crc = start, 0
    while offset < len(audio):
        match = SYNC.search(audio, offset + 1)
        end = match.start() if match else len(audio)
        for byte in audio[offset:end]:
            crc = crc << 8 & 0xFFFF ^ CRC16[crc >> 8 ^ byte]
        # A frame ends with its own checksum, and the checksum of all its bytes including that one is 0.
        if crc == 0 and (end == len(audio) or _header(audio, end, stated)):
            return end
        offset = end
    raise MalformedFlac(f"is cut off or damaged: the frame at byte {start} does not end with its checksum")


def _header(audio: bytes, start: int, stated: FlacAudio) -> FrameHeader | None:
    return frame_header(audio[start : start + MAX_HEADER], stated.sample_rate, stated.channels, stated.bits)
