"""A recording's chunks on the job's disk: looked at before any is fetched, and each what its hash says or not there at all.

Names on the disk are ours: what a client calls a chunk means nothing to a file system or to ffmpeg.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from handlers.common.aws.parallel_calls import Parallel
from handlers.common.aws.unreadable_objects import Sealed
from handlers.meetings.complete_file import ChunkProblem, CompleteFile, WrongChunk
from handlers.meetings.media_job.job_bucket import JobBucket, ObjectGone
from handlers.meetings.media_result import MediaOutcome, MediaResult
from handlers.meetings.s3_keys import MeetingId


class JobConcluded(Exception):
    """There is nothing to be made of the recording: how, and because of which chunks."""

    def __init__(self, outcome: MediaOutcome, wrong: Iterable[WrongChunk] = ()) -> None:
        super().__init__(outcome)
        self.result = MediaResult(outcome=outcome, wrong=tuple(wrong))


class ChunkFolder:
    """Fetches chunks that are not there yet, several at once."""

    def __init__(
        self, bucket: JobBucket, meeting: MeetingId, complete: CompleteFile, folder: Path, fetchers: Parallel
    ) -> None:
        self.names = tuple(f"chunk-{number:04d}" for number in range(len(complete.chunks)))
        """What the chunks are called in the folder."""
        self._bucket = bucket
        self._meeting = meeting
        self._chunks = complete.chunks
        self._folder = folder
        self._parallel = fetchers
        self._downloaded: set[int] = set()

    def check_uploads(self) -> None:
        """Asks for every chunk whether it is there and as long as promised; raises Concluded with all that are not."""
        _raise_incomplete(self._parallel.all(self._check_upload, range(len(self._chunks))))

    def download(self, numbers: Iterable[int] | None = None) -> None:
        """Fetches chunks, or all of them; raises Concluded with all that are not what their hash says."""
        wanted = sorted(set(range(len(self._chunks)) if numbers is None else numbers) - self._downloaded)
        _raise_incomplete(self._parallel.all(self._download_chunk, wanted))
        self._downloaded.update(wanted)

    def clear(self) -> None:
        """Gives the room back."""
        for number in self._downloaded:
            (self._folder / self.names[number]).unlink()
        self._downloaded.clear()

    def _check_upload(self, number: int) -> WrongChunk | None:
        chunk = self._chunks[number]
        try:
            found = self._bucket.find(self._meeting.upload_key(chunk.name))
        except Sealed:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.UNREADABLE)
        if found is None:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.MISSING)
        if found.size != chunk.bytes:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.SIZE)
        return None

    def _download_chunk(self, number: int) -> WrongChunk | None:
        chunk, path = self._chunks[number], self._folder / self.names[number]
        problem = ChunkProblem.HASH
        try:
            self._bucket.download(self._meeting.upload_key(chunk.name), path)
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == chunk.sha256:
                    return None
            path.unlink()
        except ObjectGone:
            problem = ChunkProblem.MISSING
        except Sealed:
            problem = ChunkProblem.UNREADABLE
        return WrongChunk(name=chunk.name, problem=problem)


def _raise_incomplete(found: Iterable[WrongChunk | None]) -> None:
    if wrong := [wrong_chunk for wrong_chunk in found if wrong_chunk is not None]:
        raise JobConcluded(MediaOutcome.INCOMPLETE, wrong)
