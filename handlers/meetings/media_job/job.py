"""One recording, from its chunks to what the workflow goes on with: what is looked at first, and what came of it.

What can be known before something is paid for is asked before: whether it is the recording that was meant, whether all
chunks are there, whether it fits, whether each is what it says and can be read. A recording that cannot be worked on is
an outcome, said in `result.json` like any other. What is raised here is a failure, of the meeting too; a job that is
begun for it again goes on.
"""

import time
import wave
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from handlers.common.aws.parallel_calls import Parallel
from handlers.common.aws.unreadable_objects import Sealed
from handlers.common.logging import EventLog, hashed
from handlers.common.websocket.messages import Message
from handlers.meetings.complete_file import MAX_COMPLETE_FILE_BYTES, ChunkProblem, CompleteFile, WrongChunk
from handlers.meetings.media_job.audio_maker import UndecodableChunks
from handlers.meetings.media_job.chunk_facts import ChunkFacts, RecordingFacts
from handlers.meetings.media_job.chunk_files import ChunkFolder, JobConcluded
from handlers.meetings.media_job.chunk_probe import probe_chunk
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.job_bucket import JobBucket, ObjectTooLong
from handlers.meetings.media_job.job_steps import JobSteps
from handlers.meetings.media_job.recording_plan import PlanLimits, RecordingPlan
from handlers.meetings.media_result import AudioPart, MediaOutcome, MediaResult
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, Recording

FINAL_OUTCOMES: Final = frozenset({MediaOutcome.READY, MediaOutcome.NO_AUDIO})
"""What is said once and for all. The others may be something else the next time: a chunk comes, a setting changes."""
MAX_NOTE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of what we keep of up to 5,000 chunks."""
_HALF_A_SECOND: Final = bytes(16_000)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class MediaJobSettings:
    """What there is to work with."""

    limits: PlanLimits
    scratch_bytes: int
    """Bytes on the disk."""
    threads: int


class MediaJob:
    """Works on one recording."""

    def __init__(
        self,
        recording: Recording,
        bucket: JobBucket,
        ffmpeg: Ffmpeg,
        settings: MediaJobSettings,
        *,
        fetchers: Parallel,
        log: EventLog,
    ) -> None:
        self._recording = recording
        self._bucket = bucket
        self._ffmpeg = ffmpeg
        self._settings = settings
        self._parallel = fetchers
        self._log = log
        self._key_hash = hashed(recording.media_result_key)

    def run(self) -> MediaResult:
        """Makes what is missing, and says what came of it."""
        begun = time.monotonic()
        result = self._read_result()
        if result is None:
            try:
                result = self._process()
            except JobConcluded as concluded:
                result = concluded.result
            self._bucket.write(self._recording.media_result_key, result.model_dump_json(by_alias=True).encode())
        self._log.info(
            "media_done",
            outcome=result.outcome,
            key_hash=self._key_hash,
            failed=len(result.wrong),
            milliseconds=round((time.monotonic() - begun) * 1000),
        )
        return result

    def _read_result(self) -> MediaResult | None:
        """What an earlier job has made, if all of it is still there."""
        result = self._read_note(MediaResult, self._recording.media_result_key)
        if result is None or result.outcome not in FINAL_OUTCOMES:
            return None
        keys = [part.key for part in result.audio] + ([result.video_key] if result.video_key else [])
        return result if all(self._bucket.find(key) for key in keys) else None

    def _process(self) -> MediaResult:
        complete = self._read_complete_file()
        if complete.size > self._settings.scratch_bytes:
            raise JobConcluded(MediaOutcome.TOO_LARGE)
        shelf = ChunkFolder(self._bucket, self._recording.meeting, complete, self._ffmpeg.folder, self._parallel)
        facts = self._find_facts(complete, shelf)
        try:
            try:
                return self._run_steps(complete, shelf, facts)
            except InputRefused:
                self._log.warning("media_not_copied", key_hash=self._key_hash)
                return self._run_steps(
                    complete, shelf, self._write_facts(facts.model_copy(update={"uncopiable": True}))
                )
        except UndecodableChunks as undecodable:
            raise self._conclude_unreadable(complete, undecodable.chunks) from None

    def _run_steps(self, complete: CompleteFile, shelf: ChunkFolder, facts: RecordingFacts) -> MediaResult:
        plan = RecordingPlan(facts, self._settings.limits)
        if plan.is_too_long or plan.required_bytes(complete.size) > self._settings.scratch_bytes:
            raise JobConcluded(MediaOutcome.TOO_LARGE)
        steps = JobSteps(self._recording, self._bucket, self._ffmpeg, plan, shelf, self._settings.threads, self._log)
        audio_ms = sum(steps.make_audio_part(part) for part in plan.parts)
        video_ms = steps.make_video() if plan.has_video else 0
        return MediaResult(
            outcome=MediaOutcome.READY if plan.has_audio else MediaOutcome.NO_AUDIO,
            video_key=self._recording.video_key if plan.has_video else None,
            audio=tuple(
                AudioPart(
                    key=self._recording.audio_key(part.number), offset_ms=part.offset_ms, duration_ms=part.duration_ms
                )
                for part in plan.parts
            ),
            duration_ms=round(plan.duration / 1000),
            copied=plan.copies_video,
            ffmpeg_ms=facts.ffmpeg_ms + audio_ms + video_ms,
        )

    def _read_complete_file(self) -> CompleteFile:
        """What the recording is, if it still is what was asked for."""
        problem = ChunkProblem.MISSING
        try:
            body = self._bucket.read(
                f"{self._recording.meeting.upload_prefix}{COMPLETE_FILE_NAME}", MAX_COMPLETE_FILE_BYTES
            )
            if body is not None:
                complete = CompleteFile.model_validate_json(body)
                if complete.content != self._recording.content:
                    raise JobConcluded(MediaOutcome.SUPERSEDED)
                return complete
        except ObjectTooLong:
            problem = ChunkProblem.SIZE
        except (ValidationError, Sealed):
            problem = ChunkProblem.UNREADABLE
        raise JobConcluded(MediaOutcome.INCOMPLETE, [WrongChunk(name=COMPLETE_FILE_NAME, problem=problem)])

    def _find_facts(self, complete: CompleteFile, shelf: ChunkFolder) -> RecordingFacts:
        """What the chunks are: as it was found out before, or by reading all of them."""
        known = self._read_note(RecordingFacts, self._facts_key)
        if known is not None:
            return known
        shelf.check_uploads()
        shelf.download()
        found = [self._probe(name) for name in shelf.names]
        bad = tuple(number for number, one in enumerate(found) if one is None)
        if bad:
            raise self._conclude_unreadable(complete, bad)
        self._log.info("media_probed", key_hash=self._key_hash, files=len(found))
        chunks = tuple(facts for facts in found if facts is not None)
        return self._write_facts(RecordingFacts(chunks=chunks, ffmpeg_ms=self._ffmpeg.milliseconds))

    def _probe(self, name: str) -> ChunkFacts | None:
        try:
            return probe_chunk(self._ffmpeg, name)
        except InputRefused:
            return None

    def _conclude_unreadable(self, complete: CompleteFile, numbers: tuple[int, ...]) -> JobConcluded:
        """The chunks are at fault, once ffmpeg has shown that it works: a broken one would blame every recording."""
        name = "working"
        with wave.open(str(self._ffmpeg.folder / name), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(_HALF_A_SECOND)
        if self._probe(name) is None:
            raise FfmpegFailed("it cannot read what it must")
        wrong = (WrongChunk(name=complete.chunks[number].name, problem=ChunkProblem.UNREADABLE) for number in numbers)
        return JobConcluded(MediaOutcome.UNREADABLE, wrong)

    def _read_note(self, kind: type[M], key: str) -> M | None:
        """A note of ours; none where there is none, or one that another edition of this has left."""
        body = self._bucket.read(key, MAX_NOTE_BYTES)
        try:
            return None if body is None else kind.model_validate_json(body)
        except ValidationError:
            return None

    def _write_facts(self, facts: RecordingFacts) -> RecordingFacts:
        self._bucket.write(self._facts_key, facts.model_dump_json(by_alias=True).encode())
        return facts

    @property
    def _facts_key(self) -> str:
        return f"{self._recording.media_work_prefix}facts.json"
