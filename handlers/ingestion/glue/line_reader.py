"""Bytes to lines, whatever the object is called: gzip is known by its content. Pure, and of bounded memory.

A line longer than the limit is given up and only its beginning kept; a gzip stream that is damaged or cut off gives the
lines before the damage and one last line that says so, because what could be read is worth more than nothing.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from handlers.ingestion.glue.json_records import DataProblem

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
CHUNK = 1024 * 1024
PACKED = 16 * 1024
"""How much zlib is given at a time: at the end of a member it copies the rest, and there may be a member a line."""
MAX_LINE_BYTES = 8 * 1024 * 1024
KEPT_BYTES = 64 * 1024
"""How much of a line that is too long is kept for a person to look at."""


class Line(NamedTuple):
    """One line of a file; with a reason where it cannot even be tried."""

    number: int
    raw: bytes
    reason: DataProblem | None = None


class DamagedGzip(Exception):
    """A compressed stream ended or went wrong in the middle."""


class ContentTooLarge(Exception):
    """More content than the caller takes, however small it is packed."""


def lines(
    chunks: Iterable[bytes],
    max_bytes: int = MAX_LINE_BYTES,
    *,
    most_bytes: float = math.inf,
    most_lines: float = math.inf,
) -> Iterator[Line]:
    """The lines of an object that hold anything, numbered from 1 as an editor would.

    The two limits are of the content as a whole, blank lines and given up ones included.
    """
    number = unpacked = 0
    tail = b""
    lost = b""  # the beginning of a line that is too long, until its end is found
    try:
        for chunk in decompressed(chunks):
            first, *rest = chunk.split(b"\n")
            unpacked += len(chunk)
            if unpacked > most_bytes or number + len(rest) > most_lines:
                raise ContentTooLarge
            if not rest:
                if lost:
                    continue
                tail += first
                if len(tail) > max_bytes:
                    tail, lost = b"", tail[:KEPT_BYTES]
                continue
            number += 1
            yield from _line(number, lost or tail + first, max_bytes, given_up=bool(lost))
            lost = b""
            tail = rest.pop()
            for raw in rest:
                number += 1
                yield from _line(number, raw, max_bytes)
    except DamagedGzip:
        # What stands after the last line break was cut: it may look whole and not be.
        yield Line(number + 1, (lost or tail)[:KEPT_BYTES], DataProblem.DAMAGED_GZIP)
        return
    yield from _line(number + 1, lost or tail, max_bytes, given_up=bool(lost))


def _line(number: int, raw: bytes, max_bytes: int, *, given_up: bool = False) -> Iterator[Line]:
    if given_up or len(raw) > max_bytes:
        yield Line(number, raw[:KEPT_BYTES], DataProblem.TOO_LONG)
        return
    if number == 1:
        raw = raw.removeprefix(BOM)
    if raw and not raw.isspace():
        yield Line(number, raw)


def decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of an object: unpacked where it begins as gzip does, in pieces of bounded size."""
    source = iter(chunks)
    start = b""
    while len(start) < len(GZIP) and (more := next(source, None)) is not None:
        start += more
    if not start.startswith(GZIP):
        if start:
            yield start
        yield from source
        return
    yield from _unpacked(start, source)


def _unpacked(start: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    """All members of a gzip stream: `cat a.gz b.gz` is one, and so are many log shippers' files."""
    member = None
    for chunk in chain((start,), source):
        for begin in range(0, len(chunk), PACKED):
            pending = chunk[begin : begin + PACKED]
            while pending:
                if member is None:
                    if not pending.strip(b"\0"):  # padding of tapes and block devices
                        break
                    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
                yield from _pieces(member, pending)
                pending = member.unused_data
                if member.eof:
                    member = None
    if member is not None:
        raise DamagedGzip


def _pieces(member: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """What one piece of input unpacks to: possibly a thousand times as much, so never all at once."""
    try:
        piece = member.decompress(packed, CHUNK)
        while piece:
            yield piece
            # A full piece may leave more inside, even where all input is consumed.
            piece = b"" if member.eof else member.decompress(member.unconsumed_tail, CHUNK)
    except zlib.error:
        raise DamagedGzip from None
