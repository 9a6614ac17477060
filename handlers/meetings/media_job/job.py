"""The media job for one recording: it checks the chunks, makes video and audio, and writes `result.json`.

The chunks are the files that the user uploaded. `complete.json` is the user's list of them, with sizes and hashes.
Before the job makes any output, it checks in this order:

1. `complete.json` still describes this recording. After a new upload, it describes another one.
2. The chunks fit on the disk.
3. All chunks exist and have the right sizes.
4. After the download, they have the right hashes.
5. They are media files (`chunk_probe.py`).
6. The recording is not too long, and its output fits on the disk too.

A failed check raises RecordingUnprocessable. The job then writes the reason as the outcome in `result.json`, and
succeeds. Any other exception fails the job, and the workflow marks the meeting as failed.

A later job for the same recording keeps the output that exists. If an earlier job passed the checks 3 to 5, the later
job skips them. It downloads only the chunks that it needs for the missing output, and checks the hash of each of them.
"""

import time
import wave
from dataclasses import KW_ONLY, dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from handlers.common.aws import ParallelCalls, UnreadableObject
from handlers.common.json_models import Message
from handlers.common.logging import EventLog, hash_for_log
from handlers.meetings.media_job.audio_maker import UndecodableChunks
from handlers.meetings.media_job.chunk_checks_and_downloads import ChunkFolder, RecordingUnprocessable
from handlers.meetings.media_job.chunk_facts import ChunkFacts, RecordingFacts
from handlers.meetings.media_job.chunk_probe import probe_chunk
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.job_bucket import JobBucket, ObjectTooLong
from handlers.meetings.media_job.media_output_plan import PlanLimits, RecordingPlan
from handlers.meetings.media_job.resumable_steps import ResumableSteps
from handlers.meetings.media_result import AudioPart, MediaOutcome, MediaResult
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, Recording
from handlers.meetings.upload_completion_file import MAX_COMPLETE_FILE_BYTES, ChunkProblem, CompleteFile, WrongChunk

FINAL_OUTCOMES: Final = frozenset({MediaOutcome.READY, MediaOutcome.NO_AUDIO})
"""Outcomes that stay as long as the output exists. Other outcomes may change after a new upload or a changed setting.
"""
MAX_JOB_FILE_BYTES: Final = 16 * 1024 * 1024
"""Maximum size of the JSON files that jobs write. They may describe 5,000 chunks."""
_HALF_A_SECOND: Final = bytes(16_000)
"""Half a second of silence: 8,000 samples of 16 bits, at 16 kHz."""
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class MediaJobSettings:
    """Limits and resources of the job."""

    limits: PlanLimits
    scratch_bytes: int
    """Disk space that the job may use."""
    threads: int
    """Number of threads with which ffmpeg encodes video."""


@dataclass(frozen=True)
class MediaJob:
    """Job for one recording."""

    recording: Recording
    bucket: JobBucket
    ffmpeg: Ffmpeg
    settings: MediaJobSettings
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog

    def run(self) -> MediaResult:
        """Return the final result of an earlier job, or process the recording and write the result."""
        started_at = time.monotonic()
        result = self._read_result()
        if result is None:
            try:
                result = self._process()
            except RecordingUnprocessable as unprocessable:
                result = unprocessable.result
            self.bucket.write(self.recording.media_result_key, result.model_dump_json(by_alias=True).encode())
        self.log.info(
            "media_done",
            outcome=result.outcome,
            key_hash=self._key_hash,
            failed=len(result.wrong),
            milliseconds=round((time.monotonic() - started_at) * 1000),
        )
        return result

    def _read_result(self) -> MediaResult | None:
        """Return the result of an earlier job if its outcome is final and all its output still exists, or None."""
        result = self._read_job_file(MediaResult, self.recording.media_result_key)
        if result is None or result.outcome not in FINAL_OUTCOMES:
            return None
        keys = [part.key for part in result.audio] + ([result.video_key] if result.video_key else [])
        return result if all(self.bucket.find(key) for key in keys) else None

    def _process(self) -> MediaResult:
        complete = self._read_complete_file()
        if complete.size > self.settings.scratch_bytes:
            raise RecordingUnprocessable(MediaOutcome.TOO_LARGE)
        chunk_folder = ChunkFolder(self.bucket, self.recording.meeting, complete, self.ffmpeg.folder, self.parallel)
        facts = self._find_facts(complete, chunk_folder)
        try:
            try:
                return self._run_steps(complete, chunk_folder, facts)
            except InputRefused:  # the chunks' videos cannot be joined by copying, so they are encoded
                self.log.warning("media_not_copied", key_hash=self._key_hash)
                uncopiable_facts = self._write_facts(facts.model_copy(update={"uncopiable": True}))
                return self._run_steps(complete, chunk_folder, uncopiable_facts)
        except UndecodableChunks as undecodable:
            raise self._build_unreadable(complete, undecodable.numbers) from None

    def _run_steps(self, complete: CompleteFile, chunk_folder: ChunkFolder, facts: RecordingFacts) -> MediaResult:
        plan = RecordingPlan(facts, self.settings.limits)
        if plan.is_too_long or plan.required_bytes(complete.size) > self.settings.scratch_bytes:
            raise RecordingUnprocessable(MediaOutcome.TOO_LARGE)
        steps = ResumableSteps(
            self.recording, self.bucket, self.ffmpeg, plan, chunk_folder, self.settings.threads, self.log
        )
        audio_ffmpeg_ms = sum(steps.make_audio_part(part) for part in plan.parts)
        video_ffmpeg_ms = steps.make_video() if plan.has_video else 0
        return MediaResult(
            outcome=MediaOutcome.READY if plan.has_audio else MediaOutcome.NO_AUDIO,
            video_key=self.recording.video_key if plan.has_video else None,
            audio=tuple(
                AudioPart(
                    key=self.recording.audio_key(part.number), offset_ms=part.offset_ms, duration_ms=part.duration_ms
                )
                for part in plan.parts
            ),
            duration_ms=round(plan.duration / 1000),  # the plan has microseconds
            copied=plan.copies_video,
            ffmpeg_ms=facts.ffmpeg_ms + audio_ffmpeg_ms + video_ffmpeg_ms,
        )

    def _read_complete_file(self) -> CompleteFile:
        """Return `complete.json`. Raises RecordingUnprocessable if it describes another recording or is unusable."""
        problem = ChunkProblem.MISSING
        try:
            body = self.bucket.read(self.recording.meeting.upload_key(COMPLETE_FILE_NAME), MAX_COMPLETE_FILE_BYTES)
            if body is not None:
                complete = CompleteFile.model_validate_json(body)
                if complete.content != self.recording.content:
                    raise RecordingUnprocessable(MediaOutcome.SUPERSEDED)
                return complete
        except ObjectTooLong:
            problem = ChunkProblem.SIZE
        except (ValidationError, UnreadableObject):
            problem = ChunkProblem.UNREADABLE
        raise RecordingUnprocessable(MediaOutcome.INCOMPLETE, [WrongChunk(name=COMPLETE_FILE_NAME, problem=problem)])

    def _find_facts(self, complete: CompleteFile, chunk_folder: ChunkFolder) -> RecordingFacts:
        """Return the chunks' properties that an earlier job stored, or check, download and probe all chunks."""
        stored_facts = self._read_job_file(RecordingFacts, self._facts_key)
        if stored_facts is not None:
            return stored_facts
        chunk_folder.check_uploads()
        chunk_folder.download()
        probes = [self._probe(name) for name in chunk_folder.names]
        unreadable = tuple(number for number, facts in enumerate(probes) if facts is None)
        if unreadable:
            raise self._build_unreadable(complete, unreadable)
        self.log.info("media_probed", key_hash=self._key_hash, files=len(probes))
        chunk_facts = tuple(facts for facts in probes if facts is not None)
        return self._write_facts(RecordingFacts(chunks=chunk_facts, ffmpeg_ms=self.ffmpeg.busy_milliseconds))

    def _probe(self, name: str) -> ChunkFacts | None:
        try:
            return probe_chunk(self.ffmpeg, name)
        except InputRefused:
            return None

    def _build_unreadable(self, complete: CompleteFile, numbers: tuple[int, ...]) -> RecordingUnprocessable:
        """Return the exception that reports these chunks as unreadable.

        Raises FfmpegFailed if ffmpeg cannot probe a valid file either, because then ffmpeg is broken.
        """
        name = "valid-audio"
        with wave.open(str(self.ffmpeg.folder / name), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(_HALF_A_SECOND)
        if self._probe(name) is None:
            raise FfmpegFailed("cannot read a valid file")
        wrong = (WrongChunk(name=complete.chunks[number].name, problem=ChunkProblem.UNREADABLE) for number in numbers)
        return RecordingUnprocessable(MediaOutcome.UNREADABLE, wrong)

    def _read_job_file(self, model: type[M], key: str) -> M | None:
        """Return a JSON file of a media job, or None if it does not exist or another version of the code wrote it."""
        body = self.bucket.read(key, MAX_JOB_FILE_BYTES)
        try:
            return None if body is None else model.model_validate_json(body)
        except ValidationError:
            return None

    def _write_facts(self, facts: RecordingFacts) -> RecordingFacts:
        self.bucket.write(self._facts_key, facts.model_dump_json(by_alias=True).encode())
        return facts

    @property
    def _key_hash(self) -> str:
        return hash_for_log(self.recording.media_result_key)

    @property
    def _facts_key(self) -> str:
        return f"{self.recording.media_work_prefix}facts.json"
