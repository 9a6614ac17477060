"""What the workflow has noted in a meeting's item: what came of its sound and pictures, that it is heard, that it is done.

Each step may be made twice. The second changes nothing, tells no metric, and is told the same; one of an attempt that
its meeting is no longer about is told so (`superseded`), and its execution need not go on.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from handlers.common.logging import EventLog
from handlers.common.name_patterns import Ulid, User
from handlers.common.websocket.messages import Message
from handlers.meetings.media_result import AudioPart, MediaOutcome, MediaResult, Milliseconds
from handlers.meetings.meeting_progress import (
    STAGE_FAILURES,
    ExecutionReport,
    MeetingExecution,
    apply_report,
    is_current,
)
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_table import MeetingChange, MeetingTable
from handlers.meetings.metrics import FFMPEG_RATIO, PROCESSING_DURATION, MeetingMetric, MeetingMetrics
from handlers.meetings.s3_keys import Content, MeetingId, Recording
from handlers.meetings.workflow_start import RecordingStarter, meeting_hash
from handlers.meetings.workflow_steps.workflow_results import WorkflowResults

UNNAMED_ERROR: Final = "unnamed"
_ERROR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
"""An error's, as the workflow knows it."""
FailureReason = Literal[
    MeetingReason.MEDIA_FAILED,
    MeetingReason.TRANSCRIPTION_FAILED,
    MeetingReason.SUMMARY_FAILED,
    MeetingReason.TIMED_OUT,
]


class StepEvent(Message):
    """What the workflow sends: its own input, the step, and what the step needs beside."""

    step: Literal["media", "transcribed", "finish", "fail"]
    user: User
    meeting_id: Ulid
    content: Content
    attempt: Annotated[int, Field(ge=1)]
    attempts: Annotated[int, Field(ge=1)] = 1
    """With `media`: how often the job was begun, of which all but the last lost their machine."""
    outcome: Literal["summarized", "nothing_said"] = "summarized"
    """With `finish`: what came of the summary, in its own words."""
    reason: FailureReason | None = None
    """With `fail`; without, it is the failure of the stage that the meeting is at."""
    error: str = UNNAMED_ERROR
    """With `fail`: the error's name, for the log."""

    @property
    def execution(self) -> MeetingExecution:
        """Which one says it."""
        return MeetingExecution(Recording(MeetingId(self.user, self.meeting_id), self.content), self.attempt)


class StepOutcome(StrEnum):
    """What a step came to, beside what the media job says."""

    GOES_ON = "goes_on"
    READY = "ready"
    """With `fail` too, where the meeting was done before that was said."""
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """The meeting is about something else by now."""


class StepResult(Message):
    """What a step answers."""

    outcome: StepOutcome | MediaOutcome


class StepAudioPart(AudioPart):
    """A part of the sound, as the workflow has it transcribed."""

    transcribed: bool
    """Whether its transcript is there: left by an earlier attempt, or by this one before the step was made again."""


class MediaStepResult(StepResult):
    """What the workflow goes on with."""

    audio: tuple[StepAudioPart, ...] = ()
    language: str = ""
    duration_ms: Milliseconds = 0


@dataclass(frozen=True)
class WorkflowSteps:
    """Makes steps."""

    table: MeetingTable
    results: WorkflowResults
    starter: RecordingStarter
    metrics: MeetingMetrics
    _: KW_ONLY
    clock: Callable[[], datetime]
    log: EventLog

    def run(self, step: StepEvent) -> StepResult:
        """Makes one step."""
        match step.step:
            case "media":
                return self.record_media_result(step.execution, step.attempts)
            case "transcribed":
                return self.mark_transcribed(step.execution)
            case "finish":
                return self.finish(step.execution, said=step.outcome == "summarized")
            case "fail":
                return self.fail(step.execution, step.reason, step.error)

    def record_media_result(self, execution: MeetingExecution, attempts: int = 1) -> MediaStepResult:
        """The media job has ended; raises ResultMissing or ResultMalformed where it does not say with what."""
        result = self.results.read_media_result(execution.recording)
        word = _report_media_result(execution, result)
        change = (
            None if word is None else self._update(execution, lambda record: apply_report(record, word, self.clock()))
        )
        if change is None:
            return MediaStepResult(outcome=MediaOutcome.SUPERSEDED)
        if change.has_changed:
            self.log.info("media_read", interruptions=attempts - 1, key_hash=_hash(execution))
            self._put_metrics(change.after, result)
        if change.after.status is MeetingStatus.INCOMPLETE:
            # A chunk may have come after the job looked and before the item said that it is lacking.
            self.starter.process_upload(execution.recording.meeting)
        if result.outcome is not MediaOutcome.READY:
            return MediaStepResult(outcome=result.outcome)
        if not is_current(change.after, execution):
            return MediaStepResult(outcome=MediaOutcome.SUPERSEDED)
        language = change.after.language
        heard_already = self.results.find_part_transcripts(execution.recording, language, result.audio)
        return MediaStepResult(
            outcome=result.outcome,
            audio=tuple(
                StepAudioPart(**one.model_dump(), transcribed=transcribed)
                for one, transcribed in zip(result.audio, heard_already, strict=True)
            ),
            language=language,
            duration_ms=result.duration_ms,
        )

    def mark_transcribed(self, execution: MeetingExecution) -> StepResult:
        """Every part of the sound has a transcript; the summary is next."""
        word = ExecutionReport(execution, MeetingStatus.PROCESSING, Stage.SUMMARY)
        change = self._update(execution, lambda record: apply_report(record, word, self.clock()))
        return _step_result(change, execution, StepOutcome.GOES_ON)

    def finish(self, execution: MeetingExecution, *, said: bool) -> StepResult:
        """There is a summary, or nothing was said that could have one."""
        recording = execution.recording
        result = self.results.read_media_result(recording)
        made = {"transcript_key": recording.transcript_key, "summary_key": recording.summary_key if said else None}
        reason = None if said else MeetingReason.NOTHING_SAID
        word = ExecutionReport(execution, MeetingStatus.READY, reason=reason, fields={**_video_fields(result), **made})
        change = self._update(execution, lambda record: apply_report(record, word, self.clock()))
        if change is not None and change.has_changed:
            self._put_metrics(change.after)
        return _step_result(change, execution, StepOutcome.READY)

    def fail(self, execution: MeetingExecution, reason: MeetingReason | None, error: str) -> StepResult:
        """Something cannot be done; what was made until then is there."""
        recording = execution.recording
        transcript = {"transcript_key": recording.transcript_key} if self.results.has_transcript(recording) else {}

        def move(record: MeetingRecord) -> MeetingRecord:
            why = reason or STAGE_FAILURES[record.stage or Stage.MEDIA]
            return apply_report(
                record, ExecutionReport(execution, MeetingStatus.FAILED, reason=why, fields=transcript), self.clock()
            )

        change = self._update(execution, move)
        if change is not None and change.has_changed:
            cause = error if _ERROR_NAME.fullmatch(error) else UNNAMED_ERROR
            self.log.error("meeting_failed", code=str(change.after.reason), cause=cause, key_hash=_hash(execution))
        done = change is not None and change.after.status is MeetingStatus.READY
        return _step_result(change, execution, StepOutcome.READY if done else StepOutcome.FAILED)

    def _update(
        self, execution: MeetingExecution, move: Callable[[MeetingRecord], MeetingRecord]
    ) -> MeetingChange | None:
        change = self.table.update(execution.recording.meeting, move)
        if change is not None and change.has_changed:
            self.log.info("meeting_moved", outcome=change.after.status, key_hash=_hash(execution))
        return change

    def _put_metrics(self, record: MeetingRecord, result: MediaResult | None = None) -> None:
        """Tells what there is to tell of a meeting that has just moved. A number that is lost is no reason to fail."""
        self.metrics.put_or_log([*_ffmpeg_ratio(result), *self._processing_duration(record)], self.log)

    def _processing_duration(self, record: MeetingRecord) -> Sequence[MeetingMetric]:
        if record.status is not MeetingStatus.READY or record.whole_at is None:
            return []
        took = self.clock() - datetime.fromisoformat(record.whole_at)
        return [MeetingMetric(PROCESSING_DURATION, max(0.0, took.total_seconds()), "Seconds")]


def _report_media_result(execution: MeetingExecution, result: MediaResult) -> ExecutionReport | None:
    """What the media job says of its meeting; none where that is not what it was about."""
    facts = _video_fields(result)
    match result.outcome:
        case MediaOutcome.READY:
            return ExecutionReport(execution, MeetingStatus.PROCESSING, Stage.TRANSCRIPTION, fields=facts)
        case MediaOutcome.NO_AUDIO:
            return ExecutionReport(execution, MeetingStatus.READY, reason=MeetingReason.NO_AUDIO, fields=facts)
        case MediaOutcome.INCOMPLETE:
            return ExecutionReport(execution, MeetingStatus.INCOMPLETE, wrong=result.wrong)
        case MediaOutcome.UNREADABLE:
            return ExecutionReport(execution, MeetingStatus.FAILED, reason=MeetingReason.UNREADABLE, wrong=result.wrong)
        case MediaOutcome.TOO_LARGE:
            return ExecutionReport(execution, MeetingStatus.FAILED, reason=MeetingReason.TOO_LARGE)
        case MediaOutcome.SUPERSEDED:
            return None


def _video_fields(result: MediaResult) -> dict[str, object]:
    return {"video_key": result.video_key, "duration_ms": result.duration_ms}


def _ffmpeg_ratio(result: MediaResult | None) -> Sequence[MeetingMetric]:
    if result is None or not result.duration_ms:
        return []
    return [MeetingMetric(FFMPEG_RATIO, result.ffmpeg_ms / result.duration_ms, "None")]


def _step_result(change: MeetingChange | None, execution: MeetingExecution, outcome: StepOutcome) -> StepResult:
    superseded = change is None or not is_current(change.after, execution)
    return StepResult(outcome=StepOutcome.SUPERSEDED if superseded else outcome)


def _hash(execution: MeetingExecution) -> str:
    return meeting_hash(execution.recording.meeting)
