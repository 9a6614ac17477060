"""Creation of a meeting's transcript, summary and action items.

Amazon Transcribe has transcribed each part of the audio separately. This module joins these transcripts, and divides
the result into windows, each small enough for a request to a model. For each window, a model writes a summary, and a
model lists the action items. Finally, a model combines the summaries into one.

The workflow may repeat the invocation for a recording. A transcript, summary or model's answer that is stored already
is not made again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from handlers.common.aws import ParallelCalls
from handlers.common.json_models import Message
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.text import Window, WindowSizes, split_into_windows
from handlers.meetings.bedrock_summarize import model_requests
from handlers.meetings.bedrock_summarize.action_item_verification import VerifiedItems, merge_items, verify_items
from handlers.meetings.bedrock_summarize.model_requests import QuestionStyle, WindowPosition
from handlers.meetings.bedrock_summarize.stored_answers import ModelAccess, StoredAnswers, sum_tokens
from handlers.meetings.bedrock_summarize.stored_summary_models import Summary, SummaryTokens
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript, TranscriptSegment
from handlers.meetings.bedrock_summarize.transcript_assembly import (
    MAX_OUTPUT_BYTES,
    InvalidPartOutput,
    TranscribedPart,
    join_parts,
    parse_part,
)
from handlers.meetings.bedrock_summarize.workflow_event import SummaryOutcome, SummaryRequest, SummaryResult
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import INPUT_TOKENS, OUTPUT_TOKENS, MeetingMetric, MeetingMetrics
from handlers.meetings.summary_errors import StorageFailed, SummaryFailed, TranscriptMissing, TranscriptUnreadable

FINISH_SECONDS = 10.0
"""Time that is reserved at the end of the invocation for writing the summary."""
MAX_TRANSCRIPT_BYTES = 32 * 1024**2
MAX_SUMMARY_BYTES = 4 * 1024**2
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class SummarySettings:
    """Settings of the summary."""

    summary_model: str
    """Id of the model that summarises."""
    action_model: str
    """Id of the model that finds action items."""
    max_tokens: int
    window_characters: int
    """Maximum length of a window without its overlap."""
    overlap_characters: int
    """Length of the overlap: text of the next window that the model also gets with a window."""

    @property
    def style(self) -> QuestionStyle:
        """Style of the questions. If one model does both tasks, the transcript is cached for the second task."""
        return QuestionStyle(self.max_tokens, transcript_cached=self.summary_model == self.action_model)


@dataclass(frozen=True)
class _WindowResult:
    """Summary and action items of one window."""

    summary: str
    verified: VerifiedItems
    malformed: int
    """Number of action items that were skipped, because their form was wrong."""
    tokens: SummaryTokens


@dataclass(frozen=True)
class Summarizer:
    """Summariser of meetings. It reads and writes S3, asks the models, and sends metrics."""

    bucket: MeetingBucket
    metrics: MeetingMetrics
    models: ModelAccess
    settings: SummarySettings
    parallel: ParallelCalls
    log: EventLog

    def summarize(self, request: SummaryRequest, remaining_ms: int) -> SummaryResult:
        """Summarise a recording. `remaining_ms` is the remaining time of the invocation. Raises SummaryFailed."""
        key_hash = hash_for_log(request.recording.summary_key)
        started_at = self.models.timing.now()
        try:
            result = self._find_or_summarize(request, started_at + remaining_ms / 1000 - FINISH_SECONDS)
        except SummaryFailed as failed:
            self.log.warning("summary_failed", key_hash=key_hash, error_type=type(failed).__name__, cause=str(failed))
            raise
        self.log.info(
            "summary_ready",
            key_hash=key_hash,
            outcome=result.outcome.value,
            action_items=result.action_items,
            dropped=result.dropped,
            milliseconds=round((self.models.timing.now() - started_at) * 1000),
        )
        return result

    def _find_or_summarize(self, request: SummaryRequest, deadline: float) -> SummaryResult:
        existing = self._read_summary(request)
        if existing is not None:
            return _summary_result(request, existing, made=False)
        transcript = self._read_or_join_transcript(request)
        if not transcript.said:
            return SummaryResult(outcome=SummaryOutcome.NOTHING_SAID, transcript_key=request.recording.transcript_key)
        answers = StoredAnswers(self.models, self.bucket, request.recording, deadline)
        summary = self._summarize_transcript(transcript, answers)
        if not self.bucket.write_new(request.recording.summary_key, summary.model_dump_json(by_alias=True)):
            # A concurrent invocation wrote its summary first, and sends the metrics.
            return _summary_result(request, self._read_summary(request) or summary, made=False)
        self._put_metrics(summary.tokens)
        return _summary_result(request, summary, made=True)

    def _read_summary(self, request: SummaryRequest) -> Summary | None:
        data = self.bucket.read(request.recording.summary_key, MAX_SUMMARY_BYTES)
        return None if data is None else _parse_stored(Summary, data)

    def _read_or_join_transcript(self, request: SummaryRequest) -> Transcript:
        """Return the stored transcript, or join the transcripts of the parts and store the result."""
        recording = request.recording
        data = self.bucket.read(recording.transcript_key, MAX_TRANSCRIPT_BYTES)
        if data is not None:
            return _parse_stored(Transcript, data)
        parts = (self._read_part(request, number) for number in range(len(request.audio)))
        try:
            transcript = join_parts(parts, request.language, request.duration_ms)
        except InvalidPartOutput as error:
            cause = str(error)
        else:
            self.bucket.write(recording.transcript_key, transcript.model_dump_json(by_alias=True))
            return transcript
        # Raised outside the except block, so that the exception has no reference to the output of Amazon Transcribe.
        raise TranscriptUnreadable(cause)

    def _read_part(self, request: SummaryRequest, number: int) -> tuple[TranscriptSegment, ...]:
        output = self.bucket.read(request.recording.part_transcript_key(number, request.language), MAX_OUTPUT_BYTES)
        if output is None:
            raise TranscriptMissing("part_missing")
        part = TranscribedPart(request.audio[number].offset_ms, request.audio[number].duration_ms, output)
        # Amazon Transcribe numbers the speakers of each part from 0, for example `spk_0`. So with several parts, the
        # label contains the part's number, for example `2-spk_0`.
        return parse_part(part, request.language, part_number=number + 1 if len(request.audio) > 1 else None)

    def _summarize_transcript(self, transcript: Transcript, answers: StoredAnswers) -> Summary:
        settings = self.settings
        # The maximum duration of a window is longer than the transcript, so only the number of characters is limited.
        sizes = WindowSizes(settings.window_characters, transcript.said[-1].end_ms + 1, settings.overlap_characters)
        windows = split_into_windows(transcript.said, sizes)
        position = partial(WindowPosition, count=len(windows), language=transcript.language)
        results = self.parallel.call_all(
            lambda window: self._summarize_window(window, position(window.index), answers), windows
        )
        summary, tokens = self._combine_summaries([result.summary for result in results], transcript.language, answers)
        items = tuple(item.item for item in merge_items([result.verified.items for result in results]))
        dropped_items = sum(result.verified.dropped for result in results)
        self.log.info(
            "meeting_read",
            parts=len(results),  # windows, which the log calls parts
            action_items=len(items),
            malformed=sum(result.malformed for result in results),
            dropped=dropped_items,  # their quotes do not occur in the transcript
        )
        return Summary(
            summary=summary,
            action_items=items,
            dropped=dropped_items,
            summary_model=settings.summary_model,
            action_model=settings.action_model,
            tokens=sum_tokens([*(result.tokens for result in results), tokens]),
        )

    def _summarize_window(
        self, window: Window[TranscriptSegment], position: WindowPosition, answers: StoredAnswers
    ) -> _WindowResult:
        """Request the summary and then the action items of a window.

        The requests are not concurrent, so that the second request can read the transcript from the model's cache.
        """
        settings = self.settings
        summary, summary_tokens = answers.answer(
            settings.summary_model, model_requests.summary_question(window, position, settings.style)
        )
        question = model_requests.action_items_question(window, position, settings.style)
        answer, item_tokens = answers.answer(settings.action_model, question)
        return _WindowResult(
            summary, verify_items(answer.items, window), answer.malformed, sum_tokens([summary_tokens, item_tokens])
        )

    def _combine_summaries(
        self, summaries: Sequence[str], language: str, answers: StoredAnswers
    ) -> tuple[str, SummaryTokens]:
        """Combine the summaries in groups, repeatedly, until one summary is left. Return it with the requests' tokens."""
        settings = self.settings
        tokens_of_answers: list[SummaryTokens] = []
        while len(summaries) > 1:
            shorter: list[str] = []
            for group in model_requests.group_texts(summaries, settings.window_characters):
                if len(group) == 1:
                    shorter += group
                    continue
                question = model_requests.combination_question(group, language, settings.style)
                text, tokens = answers.answer(settings.summary_model, question)
                shorter.append(text)
                tokens_of_answers.append(tokens)
            summaries = shorter
        return summaries[0], sum_tokens(tokens_of_answers)

    def _put_metrics(self, tokens: SummaryTokens) -> None:
        """Send the numbers of tokens that the summary cost as metrics. A failure is only logged."""
        input_tokens = tokens.input_tokens + tokens.cache_read_tokens + tokens.cache_write_tokens
        metrics = [
            MeetingMetric(INPUT_TOKENS, input_tokens, "Count"),
            MeetingMetric(OUTPUT_TOKENS, tokens.output_tokens, "Count"),
        ]
        self.metrics.put_or_log(metrics, self.log)


def _parse_stored(model: type[M], data: bytes) -> M:
    """Parse a stored summary or transcript. Raises StorageFailed if the object has another form."""
    try:
        return model.model_validate_json(data)
    except ValidationError:
        pass
    raise StorageFailed("unreadable")


def _summary_result(request: SummaryRequest, summary: Summary, *, made: bool) -> SummaryResult:
    return SummaryResult(
        outcome=SummaryOutcome.SUMMARIZED,
        transcript_key=request.recording.transcript_key,
        summary_key=request.recording.summary_key,
        action_items=len(summary.action_items),
        dropped=summary.dropped,
        **summary.tokens.model_dump(),
        made=made,
    )
