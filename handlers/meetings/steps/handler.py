"""Lambda function `steps`, with which the workflow of a recording writes its progress to the meeting's record.

- `media`: the media job, which checks the recording's files (chunks) and makes video and audio, has ended. The step
  returns the parts of the audio to transcribe.
- `transcribed`: all parts have been transcribed.
- `finish`: the summary function has ended, so the meeting is ready.
- `fail`: another state of the workflow has failed.

Each processing attempt of a meeting has its own execution. A step of an outdated attempt, or of a deleted meeting, does
not apply its report to the record. Its response ends the execution.

The workflow repeats a step whose response was lost. The repetition neither changes the record nor sends a metric.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

import boto3
from pydantic import Field

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.ids import Ulid, UserId
from handlers.common.json_models import Message
from handlers.common.logging import EventLog, name_for_log
from handlers.common.records import Records
from handlers.meetings.environment import StepsEnvironment
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import FFMPEG_RATIO, PROCESSING_DURATION, MeetingMetrics
from handlers.meetings.record import (
    MeetingRecord,
    MeetingStatus,
    Stage,
    apply_report,
    meeting_hash,
    record_attributes,
    record_key,
)
from handlers.meetings.recording_files import AudioPart, MediaResult, MeetingReason, Milliseconds
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording

FailureReason = Literal[MeetingReason.MEDIA_FAILED, MeetingReason.TRANSCRIPTION_FAILED, MeetingReason.SUMMARY_FAILED]


class StepFailed(Exception):
    """A step failed, and the workflow may retry it. The message is only the class name of the original exception, whose
    own message may quote keys.
    """


class StepEvent(Message):
    """Event with which the workflow calls the function: the execution's input, the step, and the step's parameters."""

    step: Literal["media", "transcribed", "finish", "fail"]
    user: UserId
    meeting_id: Ulid
    content: ContentHash
    """Identity of the recording that the execution processes: a hash over the hashes of its chunks."""
    attempt: Annotated[int, Field(ge=1)]
    """Number of the meeting's processing attempt, to which the execution belongs."""
    job_starts: int = 1
    """Parameter of the step `media`: how often AWS Batch started the media job. All runs but the last were interrupted.
    """
    has_summary: bool = True
    """Parameter of the step `finish`: False if nothing was said, so the summary function has written no summary."""
    reason: FailureReason | None = None
    """Parameter of the step `fail`."""
    error: str = ""
    """Parameter of the step `fail`: the name of the error, for the log. Any other text may quote customer data, so it is
    not logged.
    """

    @property
    def recording(self) -> Recording:
        return Recording(MeetingId(self.user, self.meeting_id), self.content)


class StepResult(Message):
    """Response of a step. Only that of the step `media` has parts of the audio and a duration."""

    is_current: bool
    """False if the meeting has another recording or a newer attempt by now, or was deleted."""
    audio: tuple[AudioPart, ...] = ()
    """Parts of the audio, in their order."""
    language: str = ""
    """Spoken language, as a language code of Amazon Transcribe."""
    duration_ms: Milliseconds = 0


@dataclass(frozen=True)
class Steps:
    """Runs the workflow's steps."""

    records: Records[MeetingRecord]
    bucket: MeetingBucket
    metrics: MeetingMetrics
    clock: Callable[[], datetime]
    log: EventLog

    def run(self, step: StepEvent) -> StepResult:
        """Apply the report of a step, and return the response. Raises an exception if `media` finds no valid result."""
        recording, result = step.recording, MediaResult()  # only the step `media` replaces the empty result
        match step.step:
            case "media":
                result = MediaResult.model_validate_json(self.bucket.read(recording.media_result_key) or "")
                changes = _to_changes(recording, result)
            case "transcribed":
                changes = {"status": MeetingStatus.PROCESSING, "stage": Stage.SUMMARY}
            case "finish":
                changes = {
                    "status": MeetingStatus.READY,
                    "reason": None if step.has_summary else MeetingReason.NOTHING_SAID,
                    "transcript_key": recording.transcript_key,
                    "summary_key": recording.summary_key if step.has_summary else None,
                }
            case "fail":
                changes = {"status": MeetingStatus.FAILED, "reason": step.reason}
                if self.bucket.exists(recording.transcript_key):  # it stays available
                    changes["transcript_key"] = recording.transcript_key
        record = self._apply(step, changes, result)
        if record is None or not record.is_attempt(step.content, step.attempt):
            return StepResult(is_current=False)
        return StepResult(is_current=True, audio=result.audio, language=record.language, duration_ms=result.duration_ms)

    def _apply(self, step: StepEvent, changes: Mapping[str, Any], result: MediaResult) -> MeetingRecord | None:
        """Apply the report of a step, and return the record afterwards. Log a change, and send its metrics. A repeated
        report changes nothing. `result` is that of the media job in the step `media`, and empty in other steps.
        """
        has_changed = False

        def transition(record: MeetingRecord | None) -> MeetingRecord | None:
            nonlocal has_changed
            after = apply_report(record, step.content, step.attempt, changes, self.clock())
            has_changed = after is not record
            return after

        meeting = step.recording.meeting
        record = self.records.change(record_key(meeting), transition)
        if record is None or not has_changed:
            return record
        key_hash = meeting_hash(meeting)
        self.log.info("meeting_moved", outcome=record.status, key_hash=key_hash)
        if step.step == "media":
            self.log.info("media_read", interruptions=step.job_starts - 1, key_hash=key_hash)
            if result.duration_ms:
                self.metrics.put_or_log(FFMPEG_RATIO, result.ffmpeg_ms / result.duration_ms, self.log)
        if step.step == "fail":
            cause = name_for_log(step.error)
            self.log.error("meeting_failed", code=record.reason, cause=cause, key_hash=key_hash)
        if record.status is MeetingStatus.READY and record.uploaded_at is not None:
            duration = self.clock() - datetime.fromisoformat(record.uploaded_at)
            self.metrics.put_or_log(PROCESSING_DURATION, duration.total_seconds(), self.log)
        return record


def _to_changes(recording: Recording, result: MediaResult) -> dict[str, Any]:
    """Return the changes of a meeting's record after the media job."""
    match result.reason:
        case None:
            outcome: dict[str, Any] = {"status": MeetingStatus.PROCESSING, "stage": Stage.TRANSCRIPTION}
        case MeetingReason.NO_AUDIO:
            outcome = {"status": MeetingStatus.READY, "reason": result.reason}
        case _:
            return {"status": MeetingStatus.FAILED, "reason": result.reason, "wrong": result.wrong}
    video_key = recording.video_key if result.has_video else None
    return {**outcome, "video_key": video_key, "duration_ms": result.duration_ms}


@cache
def _steps() -> Steps:
    environment = StepsEnvironment.read()
    return Steps(
        Records(boto3.client("dynamodb", config=CONFIG), environment.table_name, MeetingRecord, record_attributes),
        MeetingBucket(boto3.client("s3", config=CONFIG), environment.bucket_name),
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        ids.now,
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Run the step that the event names. Raises StepFailed."""
    steps = _steps()
    try:
        return steps.run(StepEvent.model_validate(event)).model_dump(mode="json", by_alias=True)
    except Exception as error:  # noqa: BLE001 - the message may quote customer data
        steps.log.failure("step_failed", error)
        error_type = type(error).__name__
    raise StepFailed(error_type)
