"""A recording's chunks on the job's disk: looked at before any is fetched, and each what its hash says or not there at all.

Names on the disk are ours: what a client calls a chunk means nothing to a file system or to ffmpeg.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from handlers.common.parallel import Parallel
from handlers.common.sealed import Sealed
from handlers.meetings.media import ChunkProblem, MediaOutcome, MediaResult, WrongChunk
from handlers.meetings.media_job.bucket import Bucket, Found, Gone
from handlers.meetings.places import MeetingId
from handlers.meetings.recordings import Chunk, Complete

ATTEMPTS: Final = 3
"""How often a chunk is fetched anew that is replaced meanwhile."""


class Concluded(Exception):
    """There is nothing to be made of the recording: how, and because of which chunks."""

    def __init__(self, outcome: MediaOutcome, wrong: Iterable[WrongChunk] = ()) -> None:
        super().__init__(outcome)
        self.result = MediaResult(outcome=outcome, wrong=tuple(wrong))


class Shelf:
    """Fetches chunks that are not there yet, several at once."""

    def __init__(
        self, bucket: Bucket, meeting: MeetingId, complete: Complete, folder: Path, fetchers: Parallel
    ) -> None:
        self.names = tuple(f"chunk-{number:04d}" for number in range(len(complete.chunks)))
        """What the chunks are called in the folder."""
        self._bucket = bucket
        self._meeting = meeting
        self._chunks = complete.chunks
        self._folder = folder
        self._fetchers = fetchers
        self._found: dict[int, Found] = {}
        self._here: set[int] = set()

    def look(self) -> None:
        """Asks for every chunk whether it is there and as long as promised; raises Concluded with all that are not."""
        _raise(self._fetchers.all(self._looked, range(len(self._chunks))))

    def fetch(self, numbers: Iterable[int] | None = None) -> None:
        """Fetches chunks, or all of them; raises Concluded with all that are not what their hash says."""
        wanted = sorted(set(range(len(self._chunks)) if numbers is None else numbers) - self._here)
        _raise(self._fetchers.all(self._fetched, wanted))
        self._here.update(wanted)

    def clear(self) -> None:
        """Gives the room back."""
        for number in self._here:
            (self._folder / self.names[number]).unlink()
        self._here.clear()

    def _looked(self, number: int) -> WrongChunk | None:
        chunk = self._chunks[number]
        try:
            found = self._bucket.find(self._meeting.chunk(chunk.name))
        except Sealed:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.UNREADABLE)
        if found is None:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.MISSING)
        if found.size != chunk.bytes:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.SIZE)
        self._found[number] = found
        return None

    def _fetched(self, number: int) -> WrongChunk | None:
        chunk = self._chunks[number]
        for _ in range(ATTEMPTS):
            if number not in self._found and (wrong := self._looked(number)):
                return wrong
            try:
                same = self._written(chunk, self._found.pop(number), self._folder / self.names[number])
            except Gone:
                continue
            except Sealed:
                return WrongChunk(name=chunk.name, problem=ChunkProblem.UNREADABLE)
            return None if same else WrongChunk(name=chunk.name, problem=ChunkProblem.HASH)
        raise Gone

    def _written(self, chunk: Chunk, found: Found, path: Path) -> bool:
        """Whether it is what its hash says; it is no longer there if not."""
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for piece in self._bucket.pieces(self._meeting.chunk(chunk.name), found):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() == chunk.sha256:
            return True
        path.unlink()
        return False


def _raise(found: Iterable[WrongChunk | None]) -> None:
    if wrong := [one for one in found if one is not None]:
        raise Concluded(MediaOutcome.INCOMPLETE, wrong)
