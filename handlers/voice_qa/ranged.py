"""A stored object as a file that is read in places: what is touched is fetched in whole blocks, and kept.

A recording's header decides where its reader looks, and may be written by somebody hostile. So everything is bounded:
requests, bytes fetched, calls, and bytes handed out again and again. Whoever goes beyond gets TooMuch, before anything
is fetched or copied for it; only `at` and `read` cost anything.

What went wrong in storage is remembered in `failure`: a reader between here and the caller may take it for a bad file.
Where the object is, and in which version, `fetch` knows.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 64 * 1024
"""A request takes about as long for one byte as for this many."""
TAIL = 4 * 1024 * 1024
"""How far from its end a file is searched: longer than any cluster or fragment that a recorder writes at once. What an
encoder writes may be longer."""

Fetch = Callable[[int, int], bytes]
"""Gives the bytes of an object from a place on, so many, all of them within the object."""


@dataclass(frozen=True)
class Bounds:
    """What one file may cost."""

    requests: int = 128
    fetched: int = 8 * 1024 * 1024
    calls: int = 50_000
    handed_out: int = 64 * 1024 * 1024


class TooMuch(Exception):
    """The file cannot be understood for what may be spent on it."""


class ShortAnswer(Exception):
    """Storage gave less than the object has."""


class RangedFile:
    """Read-only, seekable. Has of a file's methods those that parsers of headers use."""

    def __init__(self, fetch: Fetch, size: int, bounds: Bounds | None = None) -> None:
        self.size = size
        self.requests = 0
        self.fetched = 0
        self.failure: Exception | None = None
        self._fetch = fetch
        self._bounds = bounds or Bounds()
        self._blocks: dict[int, bytes] = {}
        self._place = 0
        self._calls = 0
        self._handed_out = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes: fewer at the end, all that are left where `size` is negative."""
        data = self.at(self._place, self.size if size < 0 else size)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place; beyond the end there is nothing to read, before the beginning there is no place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("there is nothing before the beginning")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """The place that is read next."""
        return self._place

    def at(self, offset: int, length: int) -> bytes:
        """The bytes at a place, fewer where the file ends; leaves the place that is read next alone."""
        end = min(offset + length, self.size)
        self._spend(max(0, end - offset))
        if offset >= end:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        self._load(first, last)
        joined = b"".join(self._blocks[index] for index in range(first, last + 1))
        return joined[offset - first * BLOCK : end - first * BLOCK]

    def backwards(self, marker: bytes) -> Iterator[int]:
        """Where a marker stands, from the end on, in steps that grow, not further than TAIL."""
        floor, end, step = max(0, self.size - TAIL), self.size, BLOCK
        while end > floor:
            start = max(floor, end - step)
            window = self.at(start, end - start + len(marker) - 1)
            found = window.rfind(marker)
            while found != -1:
                yield start + found
                found = window.rfind(marker, 0, found + len(marker) - 1)
            end, step = start, step * 2

    def _spend(self, length: int) -> None:
        self._calls += 1
        self._handed_out += length
        if self._calls > self._bounds.calls or self._handed_out > self._bounds.handed_out:
            raise TooMuch

    def _load(self, first: int, last: int) -> None:
        """Fetches the blocks that are not there yet, those side by side in one request."""
        begin = first
        while begin <= last:
            if begin in self._blocks:
                begin += 1
                continue
            end = begin
            while end < last and end + 1 not in self._blocks:
                end += 1
            self._keep(begin, end)
            begin = end + 1

    def _keep(self, first: int, last: int) -> None:
        start = first * BLOCK
        length = min((last + 1) * BLOCK, self.size) - start
        if self.requests + 1 > self._bounds.requests or self.fetched + length > self._bounds.fetched:
            raise TooMuch
        self.requests += 1
        self.fetched += length
        try:
            data = self._fetch(start, length)
            if len(data) != length:
                raise ShortAnswer  # noqa: TRY301 - remembered like any other failure
        except Exception as error:
            self.failure = error
            raise
        for index in range(first, last + 1):
            self._blocks[index] = data[(index - first) * BLOCK : (index - first + 1) * BLOCK]
