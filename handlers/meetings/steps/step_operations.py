"""Steps by which the Step Functions workflow of a recording writes its progress to the meeting's record.

- `media`: the media job, which checks the recording's files (chunks) and makes video and audio, has ended. The step
  returns the parts of the audio to transcribe.
- `transcribed`: all parts have been transcribed.
- `finish`: the summary function has ended, so the meeting is ready.
- `fail`: another state of the workflow has failed.

Each processing attempt of a meeting has its own execution. A step of an outdated attempt does not apply its report to
the record, and returns the outcome `superseded`, which ends the execution. There is one exception: if the media job's
outcome is not `ready`, the step `media` returns the job's outcome even for an outdated attempt. Any outcome other than
`ready` ends the execution too. If the meeting no longer has a record, every step returns `superseded`.

The media job reports `superseded` if `complete.json` lists other chunks than its own. Usually, the event of that
`complete.json` begins a new attempt. But the client may have uploaded the first `complete.json` again before the event
was processed, so the job's attempt is still the current one. Then the step `media` itself begins a new attempt.

The workflow repeats a step whose response was lost. The repetition neither changes the record nor sends a metric. But
`media` checks again which parts have a transcript, and whether missing chunks have arrived.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from handlers.common.ids import Ulid, UserId
from handlers.common.json_models import Message
from handlers.common.logging import EventLog, LogText, error_name_for_log
from handlers.meetings.execution_name_and_input import MeetingExecution
from handlers.meetings.media_result import AudioPart, MediaOutcome, MediaResult, Milliseconds
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_state_transitions import ExecutionReport, apply_report, is_current
from handlers.meetings.meeting_table import MeetingChange, MeetingTable
from handlers.meetings.metrics import FFMPEG_RATIO, PROCESSING_DURATION, MeetingMetric, MeetingMetrics
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording
from handlers.meetings.steps.job_results import JobResults
from handlers.meetings.upload_processing import UploadProcessor, meeting_hash

UNNAMED_ERROR: Final = "unnamed"
"""Form of an error name. Any other text may quote customer data, so it is not logged."""
FailureReason = Literal[MeetingReason.MEDIA_FAILED, MeetingReason.TRANSCRIPTION_FAILED, MeetingReason.SUMMARY_FAILED]


class StepEvent(Message):
    """Event with which the workflow calls the function: the execution's input, the step, and the step's parameters."""

    step: Literal["media", "transcribed", "finish", "fail"]
    user: UserId
    meeting_id: Ulid
    content: ContentHash
    """Identity of the recording that the execution processes: a hash over the hashes of its chunks."""
    attempt: Annotated[int, Field(ge=1)]
    """Number of the meeting's processing attempt, to which the execution belongs."""
    job_starts: Annotated[int, Field(ge=1, alias="attempts")] = 1
    """Parameter of the step `media`: how often AWS Batch started the media job. All runs but the last were interrupted.
    Batch calls a run an attempt, which is not a processing attempt.
    """
    outcome: Literal["summarized", "nothing_said"] = "summarized"
    """Parameter of the step `finish`: the outcome of the summary function."""
    reason: FailureReason | None = None
    """Parameter of the step `fail`. If it is None, the reason follows from the meeting's current stage."""
    error: str = UNNAMED_ERROR
    """Parameter of the step `fail`: the name of the error, for the log."""

    @property
    def execution(self) -> MeetingExecution:
        """The execution that sent the event."""
        return MeetingExecution(Recording(MeetingId(self.user, self.meeting_id), self.content), self.attempt)


class StepOutcome(StrEnum):
    """Outcome of the steps `transcribed`, `finish` and `fail`."""

    GOES_ON = "goes_on"
    """The workflow continues with the summary."""
    READY = "ready"
    """The meeting is ready. The step `fail` returns it too, if the meeting was ready before."""
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """The meeting has another recording or a newer attempt by now, or no record."""


class StepResult(Message):
    """Response of a step."""

    outcome: StepOutcome | MediaOutcome
    """A `MediaOutcome` for the step `media`, and a `StepOutcome` for the other steps."""


class StepAudioPart(AudioPart):
    """A part of the audio, for the transcription by the workflow."""

    transcribed: bool
    """True if the part has a transcript already, for example from an earlier attempt. The workflow then skips it."""


class MediaStepResult(StepResult):
    """Response of the step `media`. The other fields have values only if the outcome is `ready`."""

    audio: tuple[StepAudioPart, ...] = ()
    """Parts of the audio, in their order."""
    language: str = ""
    """Spoken language, as a language code of Amazon Transcribe."""
    duration_ms: Milliseconds = 0


@dataclass(frozen=True)
class WorkflowSteps:
    """Runs the workflow's steps."""

    table: MeetingTable
    results: JobResults
    upload_processor: UploadProcessor
    metrics: MeetingMetrics
    _: KW_ONLY
    clock: Callable[[], datetime]
    log: EventLog

    def run(self, step: StepEvent) -> StepResult:
        """Run the step that the event names. Raises ResultMissing or ResultMalformed."""
        match step.step:
            case "media":
                return self.record_media_result(step.execution, step.job_starts)
            case "transcribed":
                return self.mark_transcribed(step.execution)
            case "finish":
                return self.finish(step.execution, has_summary=step.outcome == "summarized")
            case "fail":
                return self.fail(step.execution, step.reason, step.error)

    def record_media_result(self, execution: MeetingExecution, job_starts: int = 1) -> MediaStepResult:
        """Write the media job's result to the record, and return the parts of the audio."""
        result = self.results.read_media_result(execution.recording)
        change = self._apply(_to_report(execution, result))
        if change is None:
            return MediaStepResult(outcome=MediaOutcome.SUPERSEDED)
        if change.has_changed:
            self.log.info("media_read", interruptions=job_starts - 1, key_hash=_hash(execution))
            self._put_metrics(change.after, result)
        if change.after.status is MeetingStatus.INCOMPLETE:
            # A chunk may have arrived before the record listed it as missing or wrong. Its S3 event was then ignored.
            # And after a superseded job, no event of an upload may follow.
            self.upload_processor.process_uploads(execution.recording.meeting)
        if result.outcome is not MediaOutcome.READY:
            return MediaStepResult(outcome=result.outcome)
        if not is_current(change.after, execution):
            return MediaStepResult(outcome=MediaOutcome.SUPERSEDED)
        language = change.after.language
        transcribed_parts = self.results.are_parts_transcribed(execution.recording, language, result.audio)
        return MediaStepResult(
            outcome=result.outcome,
            audio=tuple(
                StepAudioPart(**part.model_dump(), transcribed=transcribed)
                for part, transcribed in zip(result.audio, transcribed_parts, strict=True)
            ),
            language=language,
            duration_ms=result.duration_ms,
        )

    def mark_transcribed(self, execution: MeetingExecution) -> StepResult:
        """Set the meeting's stage to `summary`, because every part has a transcript."""
        change = self._apply(ExecutionReport(execution, MeetingStatus.PROCESSING, Stage.SUMMARY))
        return _step_result(change, execution, StepOutcome.GOES_ON)

    def finish(self, execution: MeetingExecution, *, has_summary: bool) -> StepResult:
        """Mark the meeting as ready, with a summary or with the reason `NOTHING_SAID`."""
        recording = execution.recording
        result = self.results.read_media_result(recording)
        output_keys = {
            "transcript_key": recording.transcript_key,
            "summary_key": recording.summary_key if has_summary else None,
        }
        reason = None if has_summary else MeetingReason.NOTHING_SAID
        report = ExecutionReport(
            execution, MeetingStatus.READY, reason=reason, fields={**_video_fields(result), **output_keys}
        )
        change = self._apply(report)
        if change is not None and change.has_changed:
            self._put_metrics(change.after)
        return _step_result(change, execution, StepOutcome.READY)

    def fail(self, execution: MeetingExecution, reason: MeetingReason | None, error: str) -> StepResult:
        """Mark the meeting as failed, unless it is ready. A transcript that exists stays available."""
        recording = execution.recording
        transcript = {"transcript_key": recording.transcript_key} if self.results.has_transcript(recording) else {}
        change = self._apply(ExecutionReport(execution, MeetingStatus.FAILED, reason=reason, fields=transcript))
        if change is not None and change.has_changed:
            cause = error_name_for_log(error)
            self.log.error("meeting_failed", code=change.after.reason, cause=cause, key_hash=_hash(execution))
        is_ready = change is not None and change.after.status is MeetingStatus.READY
        return _step_result(change, execution, StepOutcome.READY if is_ready else StepOutcome.FAILED)

    def _apply(self, report: ExecutionReport) -> MeetingChange | None:
        change = self.table.update(
            report.execution.recording.meeting, lambda record: apply_report(record, report, self.clock())
        )
        if change is not None and change.has_changed:
            self.log.info("meeting_moved", outcome=change.after.status, key_hash=_hash(report.execution))
        return change

    def _put_metrics(self, record: MeetingRecord, result: MediaResult | None = None) -> None:
        """Send the metrics of a meeting that has just changed. A failure is only logged."""
        metrics = []
        if result is not None and result.duration_ms:
            metrics.append(MeetingMetric(FFMPEG_RATIO, result.ffmpeg_ms / result.duration_ms, "None"))
        if record.status is MeetingStatus.READY and record.whole_at is not None:
            duration = self.clock() - datetime.fromisoformat(record.whole_at)
            metrics.append(MeetingMetric(PROCESSING_DURATION, max(0.0, duration.total_seconds()), "Seconds"))
        self.metrics.put_or_log(metrics, self.log)


def _to_report(execution: MeetingExecution, result: MediaResult) -> ExecutionReport:
    """Return the report of the media job's result."""
    fields = _video_fields(result)
    match result.outcome:
        case MediaOutcome.READY:
            return ExecutionReport(execution, MeetingStatus.PROCESSING, Stage.TRANSCRIPTION, fields=fields)
        case MediaOutcome.NO_AUDIO:
            return ExecutionReport(execution, MeetingStatus.READY, reason=MeetingReason.NO_AUDIO, fields=fields)
        case MediaOutcome.INCOMPLETE:
            return ExecutionReport(execution, MeetingStatus.INCOMPLETE, wrong=result.wrong)
        case MediaOutcome.UNREADABLE:
            return ExecutionReport(execution, MeetingStatus.FAILED, reason=MeetingReason.UNREADABLE, wrong=result.wrong)
        case MediaOutcome.TOO_LARGE:
            return ExecutionReport(execution, MeetingStatus.FAILED, reason=MeetingReason.TOO_LARGE)
        case MediaOutcome.SUPERSEDED:
            # Without `last_tried_uploads`, the next attempt may be started with unchanged uploads.
            return ExecutionReport(execution, MeetingStatus.INCOMPLETE, fields={"last_tried_uploads": ""})


def _video_fields(result: MediaResult) -> dict[str, object]:
    return {"video_key": result.video_key, "duration_ms": result.duration_ms}


def _step_result(change: MeetingChange | None, execution: MeetingExecution, outcome: StepOutcome) -> StepResult:
    superseded = change is None or not is_current(change.after, execution)
    return StepResult(outcome=StepOutcome.SUPERSEDED if superseded else outcome)


def _hash(execution: MeetingExecution) -> LogText:
    return meeting_hash(execution.recording.meeting)
