"""Checks and downloads of a recording's chunks, the files that `complete.json` lists.

The client named the chunks, and a name could have a special meaning for the file system or ffmpeg. So the downloaded
files have names that the media job chooses.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from handlers.common.aws import ParallelCalls, UnreadableObject
from handlers.meetings.media_job.job_bucket import JobBucket, JobObjectGone
from handlers.meetings.media_result import MediaOutcome, MediaResult
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_completion_file import ChunkProblem, CompleteFile, WrongChunk


class RecordingUnprocessable(Exception):
    """A check found that the recording cannot be processed. `MediaJob.run` catches the exception and writes its `result`."""

    def __init__(self, outcome: MediaOutcome, wrong: Iterable[WrongChunk] = ()) -> None:
        super().__init__(outcome)
        self.result = MediaResult(outcome=outcome, wrong=tuple(wrong))


class ChunkFolder:
    """The job's folder with downloaded chunks. Several chunks are checked or downloaded concurrently."""

    def __init__(
        self, bucket: JobBucket, meeting: MeetingId, complete: CompleteFile, folder: Path, parallel: ParallelCalls
    ) -> None:
        self.names = tuple(f"chunk-{number:04d}" for number in range(len(complete.chunks)))
        """File names of all chunks, in their order. A file exists only after its download."""
        self._bucket = bucket
        self._meeting = meeting
        self._chunks = complete.chunks
        self._folder = folder
        self._parallel = parallel
        self._downloaded: set[int] = set()

    def check_uploads(self) -> None:
        """Check by HEAD requests that every chunk exists and has the size that `complete.json` states.

        Raises RecordingUnprocessable, which lists all missing and wrong chunks.
        """
        _raise_if_wrong(self._parallel.call_all(self._check_upload, range(len(self._chunks))))

    def download(self, numbers: Iterable[int] | None = None) -> None:
        """Download the chunks with these numbers, by default all, unless they are in the folder already.

        Raises RecordingUnprocessable, which lists all chunks that are missing, cannot be read from S3, or do not have
        the hash that `complete.json` states.
        """
        missing = sorted(set(range(len(self._chunks)) if numbers is None else numbers) - self._downloaded)
        _raise_if_wrong(self._parallel.call_all(self._download_chunk, missing))
        self._downloaded.update(missing)

    def clear(self) -> None:
        """Delete the downloaded chunks to free disk space."""
        for number in self._downloaded:
            (self._folder / self.names[number]).unlink()
        self._downloaded.clear()

    def _check_upload(self, number: int) -> WrongChunk | None:
        chunk = self._chunks[number]
        try:
            stored = self._bucket.find(self._meeting.upload_key(chunk.name))
        except UnreadableObject:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.UNREADABLE)
        if stored is None:
            return WrongChunk(name=chunk.name, problem=ChunkProblem.MISSING)
        if stored.size != chunk.bytes:
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
        except JobObjectGone:
            problem = ChunkProblem.MISSING
        except UnreadableObject:
            problem = ChunkProblem.UNREADABLE
        return WrongChunk(name=chunk.name, problem=problem)


def _raise_if_wrong(checks: Iterable[WrongChunk | None]) -> None:
    """Raise RecordingUnprocessable with the wrong chunks, unless all checks returned None."""
    if wrong := [wrong_chunk for wrong_chunk in checks if wrong_chunk is not None]:
        raise RecordingUnprocessable(MediaOutcome.INCOMPLETE, wrong)
