"""The media job for one recording: it checks the chunks, makes video and audio, and writes `result.json`.

The chunks are the files that the user uploaded. `complete.json` is the user's list of them, with sizes and hashes.
Before the job makes any output, it checks in this order:

1. `complete.json` still describes this recording. After a new upload, it may describe another recording.
2. The chunks fit on the disk.
3. All chunks exist, and have the right sizes and hashes.
4. They are media files (`probe.py`).
5. The recording is not too long, and its output fits on the disk too, even if the video must be encoded.

A failed check raises RecordingUnprocessable. The job then writes the reason to `result.json`, and succeeds. Any other
exception fails the job, and the workflow marks the meeting as failed.

A job that was interrupted starts again. A repeated job writes the same output to the same keys.

A chunk that is missing, or that S3 refuses to return, does not fail the job, because the client uploads the
chunks, and may archive them or encrypt them with a key of its own.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from handlers.common.aws import ParallelCalls
from handlers.common.logging import EventLog, LogText, hash_for_log
from handlers.meetings.environment import AUDIO_PART_SECONDS, MediaEnvironment
from handlers.meetings.media_job.ffmpeg import Ffmpeg, InputRefused
from handlers.meetings.media_job.outputs import OutputMaker, RecordingPlan
from handlers.meetings.media_job.probe import SECOND, probe_chunk
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.recording_files import (
    AudioPart,
    Chunk,
    ChunkProblem,
    CompleteFile,
    MediaResult,
    MeetingReason,
    WrongChunk,
)
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME

MAX_DOWNLOADS: Final = 8
"""Number of chunks that are downloaded concurrently."""
BLOCK_BYTES: Final = 256 * 1024
"""Number of bytes that are read from a chunk's download at once."""
OUTPUT_NAME: Final = "output"
"""Name of the local file that is uploaded next."""
T = TypeVar("T")
R = TypeVar("R")


class RecordingUnprocessable(Exception):
    """A check found that the recording cannot be processed. `MediaJob.run` catches the exception and writes its `result`."""

    def __init__(self, reason: MeetingReason, wrong: Iterable[WrongChunk] = ()) -> None:
        self.result = MediaResult(reason=reason, wrong=tuple(wrong))


@dataclass(frozen=True)
class MediaJob:
    """Job for one recording."""

    environment: MediaEnvironment
    bucket: MeetingBucket
    ffmpeg: Ffmpeg
    log: EventLog

    def run(self) -> MediaResult:
        """Process the recording. Write the result, and return it."""
        started_at = time.monotonic()
        try:
            result = self._process(self._read_complete_file())
        except RecordingUnprocessable as unprocessable:
            result = unprocessable.result
        self.bucket.write(self.environment.recording.media_result_key, result.model_dump_json(by_alias=True))
        self.log.info(
            "media_done",
            code=result.reason,
            key_hash=self._key_hash,
            failed=len(result.wrong),
            milliseconds=round((time.monotonic() - started_at) * 1000),
        )
        return result

    def _read_complete_file(self) -> CompleteFile:
        """Return `complete.json`. Raises RecordingUnprocessable if it describes another recording or is unusable."""
        content, _ = self.bucket.read_complete_file(self.environment.recording.meeting)
        if isinstance(content, WrongChunk):
            raise RecordingUnprocessable(MeetingReason.INCOMPLETE, [content])
        if content.content != self.environment.recording.content:
            wrong = WrongChunk(name=COMPLETE_FILE_NAME, problem=ChunkProblem.HASH)
            raise RecordingUnprocessable(MeetingReason.INCOMPLETE, [wrong])
        return content

    def _process(self, complete: CompleteFile) -> MediaResult:
        disk_bytes = self.environment.scratch_mb * 1_000_000
        if complete.size > disk_bytes:
            raise RecordingUnprocessable(MeetingReason.TOO_LARGE)
        # The client named the chunks, and a name could have a special meaning for the file system or ffmpeg.
        names = [f"chunk-{number:04d}" for number in range(len(complete.chunks))]
        self._download(complete.chunks, names)
        chunks = self._for_each_chunk(complete, names, partial(probe_chunk, self.ffmpeg))
        self.log.info("media_probed", key_hash=self._key_hash, files=len(chunks))
        plan = RecordingPlan(tuple(chunks))
        is_too_long = plan.duration > self.environment.max_hours * 3600 * SECOND
        if is_too_long or plan.required_bytes(complete.size) > disk_bytes:
            raise RecordingUnprocessable(MeetingReason.TOO_LARGE)
        maker = OutputMaker(self.ffmpeg, plan)
        audio = self._make_audio(complete, plan, maker) if plan.channels else ()
        if plan.has_video:
            self._make_video(complete, plan, maker)
        return MediaResult(
            reason=None if audio else MeetingReason.NO_AUDIO,
            has_video=plan.has_video,
            audio=audio,
            duration_ms=round(plan.duration / 1000),  # the plan has microseconds
            ffmpeg_ms=round(self.ffmpeg.busy_seconds * 1000),
        )

    def _download(self, chunks: tuple[Chunk, ...], names: list[str]) -> None:
        """Download all chunks. Raises RecordingUnprocessable, which lists all that are missing or wrong."""

        def download(number: int) -> ChunkProblem | None:
            return self._download_chunk(chunks[number], self.ffmpeg.folder / names[number])

        problems = ParallelCalls(MAX_DOWNLOADS).call_all(download, range(len(chunks)))
        wrong = [
            WrongChunk(name=chunk.name, problem=problem)
            for chunk, problem in zip(chunks, problems, strict=True)
            if problem is not None
        ]
        if wrong:
            raise RecordingUnprocessable(MeetingReason.INCOMPLETE, wrong)

    def _download_chunk(self, chunk: Chunk, path: Path) -> ChunkProblem | None:
        """Download a chunk to a file; return the problem if the object is not what `complete.json` states."""
        answer = self.bucket.open_upload(self.environment.recording.meeting.upload_key(chunk.name))
        if isinstance(answer, ChunkProblem):
            return answer
        digest = hashlib.sha256()
        with closing(answer["Body"]) as body, path.open("wb") as file:
            if answer["ContentLength"] != chunk.bytes:
                return ChunkProblem.SIZE
            while block := body.read(BLOCK_BYTES):
                digest.update(block)
                file.write(block)
        return None if digest.hexdigest() == chunk.sha256 else ChunkProblem.HASH

    def _make_audio(self, complete: CompleteFile, plan: RecordingPlan, maker: OutputMaker) -> tuple[AudioPart, ...]:
        """Upload the parts of the audio, and make the soundtrack of the video."""
        self._for_each_chunk(complete, plan.chunks, maker.decode_audio)
        parts = []
        for number, (start_ms, duration_ms) in enumerate(plan.divide_speech(AUDIO_PART_SECONDS)):
            maker.make_part(start_ms, duration_ms, OUTPUT_NAME)
            self._upload(self.environment.recording.audio_key(number), "audio/flac")
            parts.append(AudioPart(offset_ms=start_ms, duration_ms=duration_ms))
        if plan.has_video:
            maker.make_soundtrack()
        maker.delete_decoded_audio()
        return tuple(parts)

    def _make_video(self, complete: CompleteFile, plan: RecordingPlan, maker: OutputMaker) -> None:
        """Upload the video. The chunks' videos are copied if possible, and encoded otherwise."""
        is_copied = plan.is_copiable
        if is_copied:
            try:
                maker.join_video(OUTPUT_NAME, copies_video=True)
            except InputRefused:
                self.log.warning("media_not_copied", key_hash=self._key_hash)
                is_copied = False
        if not is_copied:
            self._for_each_chunk(complete, plan.chunks, maker.encode_video)
            maker.join_video(OUTPUT_NAME, copies_video=False)
        self._upload(self.environment.recording.video_key, "video/mp4")

    def _for_each_chunk(self, complete: CompleteFile, items: Sequence[T], work: Callable[[T], R]) -> list[R]:
        """Call a function with the item of each chunk, for example its file name; return the results.

        Raises RecordingUnprocessable, which lists all chunks that ffmpeg refused.
        """
        results, wrong = [], []
        for chunk, item in zip(complete.chunks, items, strict=True):
            try:
                results.append(work(item))
            except InputRefused:
                wrong.append(WrongChunk(name=chunk.name, problem=ChunkProblem.UNREADABLE))
        if wrong:
            raise RecordingUnprocessable(MeetingReason.UNREADABLE, wrong)
        return results

    def _upload(self, key: str, content_type: str) -> None:
        path = self.ffmpeg.folder / OUTPUT_NAME
        self.bucket.upload_file(path, key, content_type)
        path.unlink()

    @property
    def _key_hash(self) -> LogText:
        return hash_for_log(self.environment.recording.media_result_key)
