"""Read-only file object that fetches ranges of a stored object, with limits for the cost of reading one file.

The headers of an uploaded recording decide where a parser reads next, and an attacker may have written them. So the
number of requests, the fetched bytes and the bytes handed to the parser are limited. A read beyond a limit raises
ReadLimitExceeded before it fetches or copies anything.

A request for one byte takes about as long as a request for a block of 64 KB. So the file is fetched in whole blocks,
and fetched blocks stay in memory.
"""

import io
from collections.abc import Callable, Iterator

BLOCK = 64 * 1024
"""Size of the blocks in which a file is fetched."""
MAX_TAIL = 4 * 1024 * 1024
"""Bytes at the end of a file that are searched for a marker. The last cluster (WebM), fragment (MP4) or page (Ogg)
of a recording usually begins there, because recorders write shorter clusters, fragments and pages."""
MAX_REQUESTS = 128
MAX_FETCHED = 8 * 1024 * 1024
"""Bytes fetched from storage."""
MAX_READ = 64 * 1024 * 1024
"""Bytes handed to the parser, repeated reads included."""
READ_COST = 1024
"""Minimum number of bytes for which a read counts, so that a parser cannot make millions of tiny reads."""

Fetch = Callable[[int, int], bytes]
"""Return the bytes of an object for an offset and a length. The range always lies within the object."""


class ReadLimitExceeded(Exception):
    """A read would exceed one of the limits for requests, fetched bytes and read bytes."""


class RangedFile:
    """Seekable file over a `Fetch` function, with the methods that header parsers use."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self.size = size
        self.requests = 0
        """Number of requests so far."""
        self.fetched = 0
        """Number of fetched bytes so far."""
        self.failure: Exception | None = None
        """The storage error, if there was one. It is kept because a parser may turn it into an error about the file."""
        self._fetch = fetch
        self._blocks: dict[int, bytes] = {}
        self._position = 0
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, fewer at the end. A negative size reads to the end."""
        data = self.at(self._position, self.size if size < 0 else size)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position. A position beyond the end is allowed."""
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if position < 0:
            raise ValueError("negative position")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def at(self, offset: int, length: int) -> bytes:
        """Return the bytes at an offset, fewer at the end, without moving the position."""
        end = min(offset + length, self.size)
        self._read += max(READ_COST, end - offset)
        if self._read > MAX_READ:
            raise ReadLimitExceeded
        if offset >= end:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        self._load(first, last)
        joined = b"".join(self._blocks[index] for index in range(first, last + 1))
        return joined[offset - first * BLOCK : end - first * BLOCK]

    def find_backwards(self, marker: bytes) -> Iterator[int]:
        """Yield the offsets of a marker within the last MAX_TAIL bytes, beginning with the last offset."""
        floor, end, step = max(0, self.size - MAX_TAIL), self.size, BLOCK
        while end > floor:
            start = max(floor, end - step)
            # The window overlaps the previous one, so that a marker across their border is found.
            window = self.at(start, end - start + len(marker) - 1)
            index = window.rfind(marker)
            while index != -1:
                yield start + index
                index = window.rfind(marker, 0, index + len(marker) - 1)
            end, step = start, step * 2

    def _load(self, first: int, last: int) -> None:
        """Fetch the missing blocks. Adjacent blocks take one request."""
        begin = first
        while begin <= last:
            if begin in self._blocks:
                begin += 1
                continue
            end = begin
            while end < last and end + 1 not in self._blocks:
                end += 1
            self._fetch_blocks(begin, end)
            begin = end + 1

    def _fetch_blocks(self, first: int, last: int) -> None:
        start = first * BLOCK
        length = min((last + 1) * BLOCK, self.size) - start
        if self.requests + 1 > MAX_REQUESTS or self.fetched + length > MAX_FETCHED:
            raise ReadLimitExceeded
        self.requests += 1
        self.fetched += length
        try:
            data = self._fetch(start, length)
        except Exception as error:
            self.failure = error
            raise
        for index in range(first, last + 1):
            self._blocks[index] = data[(index - first) * BLOCK : (index - first + 1) * BLOCK]
