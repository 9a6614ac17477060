"""Reader that turns the bytes of a file into lines, with bounded memory.

Gzip is detected by the content, not by the name of the object. Of a line above the size limit, only the beginning is
kept. If a gzip stream is damaged or cut off, the reader yields the complete lines before the byte at which zlib finds
the damage. Then it yields one last line with the problem `DAMAGED_GZIP`.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

from handlers.ingestion.glue.json_line_parser import DataProblem

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CHUNK_BYTES = 1024 * 1024
"""Maximum output of one zlib call."""
PACKED_BYTES = 16 * 1024
"""Input of one zlib call. A gzip file may consist of many compressed members, for example one for each line. At the end
of each member, zlib copies the rest of the input, so a large input would be copied again for each line."""
MAX_LINE_BYTES = 8 * 1024 * 1024
"""Size above which a line is rejected."""
KEPT_BYTES = 64 * 1024
"""Bytes of a rejected line that are kept, so that an operator can look at its beginning."""


class SourceLine(NamedTuple):
    """One line of a file. If it has a problem, `raw` may be only its beginning and must not be parsed."""

    number: int
    """Line number in the file, from 1."""
    raw: bytes
    problem: DataProblem | None = None


class DamagedGzip(Exception):
    """The gzip stream is invalid or ends too early."""


class ContentTooLarge(Exception):
    """The content of the file exceeds the caller's limit."""


def read_lines(
    chunks: Iterable[bytes],
    max_line_bytes: int = MAX_LINE_BYTES,
    *,
    max_content_bytes: float = math.inf,
    max_lines: float = math.inf,
) -> Iterator[SourceLine]:
    """Yield the lines that are not blank. Their numbers start at 1 and count blank lines too.

    A line above `max_line_bytes` is yielded with the problem `TOO_LONG`. Raise ContentTooLarge if the whole file, when
    unpacked, exceeds `max_content_bytes` or `max_lines`.
    """
    number = unpacked = 0
    tail = b""  # beginning of a line whose end is not read yet
    long_start = b""  # beginning of a line that is too long, until its end is read
    try:
        for chunk in _decompress(chunks):
            line_part, *following = chunk.split(b"\n")
            unpacked += len(chunk)
            if unpacked > max_content_bytes or number + len(following) > max_lines:
                raise ContentTooLarge
            if not following:  # the chunk has no line break
                if long_start:
                    continue
                tail += line_part
                if len(tail) > max_line_bytes:
                    tail, long_start = b"", tail[:KEPT_BYTES]
                continue
            number += 1
            yield from _line(number, long_start or tail + line_part, max_line_bytes, truncated=bool(long_start))
            long_start = b""
            tail = following.pop()
            for raw in following:
                number += 1
                yield from _line(number, raw, max_line_bytes)
    except DamagedGzip:
        # The text after the last line break was cut off, even if it looks complete.
        yield SourceLine(number + 1, (long_start or tail)[:KEPT_BYTES], DataProblem.DAMAGED_GZIP)
        return
    yield from _line(number + 1, long_start or tail, max_line_bytes, truncated=bool(long_start))


def _line(number: int, raw: bytes, max_line_bytes: int, *, truncated: bool = False) -> Iterator[SourceLine]:
    if truncated or len(raw) > max_line_bytes:
        yield SourceLine(number, raw[:KEPT_BYTES], DataProblem.TOO_LONG)
        return
    if number == 1:
        raw = raw.removeprefix(BYTE_ORDER_MARK)
    if raw and not raw.isspace():
        yield SourceLine(number, raw)


def _decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of an object in chunks of bounded size, unpacked if it starts like a gzip stream."""
    source = iter(chunks)
    start = b""
    while len(start) < len(GZIP_MAGIC) and (chunk := next(source, None)) is not None:
        start += chunk
    if not start.startswith(GZIP_MAGIC):
        if start:
            yield start
        yield from source
        return
    yield from _unpack_members(start, source)


def _unpack_members(start: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack all members of a gzip stream. For example, `cat a.gz b.gz` writes a stream of two members."""
    member = None
    for chunk in chain((start,), source):
        for begin in range(0, len(chunk), PACKED_BYTES):
            pending = chunk[begin : begin + PACKED_BYTES]
            while pending:
                if member is None:
                    pending = pending.lstrip(b"\0")  # zero bytes that tapes and block devices append
                    if not pending:
                        break
                    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
                yield from _unpack(member, pending)
                pending = member.unused_data
                if member.eof:
                    member = None
    if member is not None:
        raise DamagedGzip


def _unpack(member: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """Unpack one piece of input in chunks, because the output may be a thousand times larger."""
    piece = None
    while piece != b"" and not member.eof:
        before = member.copy()
        try:
            piece = member.decompress(packed, CHUNK_BYTES)
        except zlib.error:
            yield _unpack_until_error(before, packed)
            raise DamagedGzip from None
        if piece:
            yield piece
        # After a full chunk zlib may hold more output, even if it has consumed all input.
        packed = member.unconsumed_tail


def _unpack_until_error(member: "zlib._Decompress", packed: bytes) -> bytes:
    """Unpack damaged input byte by byte, because a zlib call that fails also loses the output before the damage."""
    content = bytearray()
    with suppress(zlib.error):
        for byte in packed:
            content += member.decompress(bytes([byte]))
    return bytes(content)
