"""Makes a meeting's transcript, its summary and its action items.

It decides in which order things are done, and that nothing is done twice: a summary that is there is the summary, a
transcript that is there is the transcript, and an answer that was kept is not asked for again. A long transcript is
read in parts, each for its summary and then for its action items, several parts at once; the summaries become one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from handlers.common.aws.parallel_calls import Parallel
from handlers.common.bedrock.converse import Manner
from handlers.common.logging import EventLog, hashed
from handlers.common.text.text_windows import Sizes, Window, windows
from handlers.common.websocket.messages import Message
from handlers.meetings.bedrock_summarize import model_requests
from handlers.meetings.bedrock_summarize.action_items import VerifiedItems, merge_items, verify_items
from handlers.meetings.bedrock_summarize.model_requests import PartPosition, QuestionStyle
from handlers.meetings.bedrock_summarize.stored_answers import ModelAccess, StoredAnswers, sum_tokens
from handlers.meetings.bedrock_summarize.summary import Summary, SummaryTokens
from handlers.meetings.bedrock_summarize.transcript import Transcript, TranscriptSegment
from handlers.meetings.bedrock_summarize.transcript_assembly import (
    MAX_OUTPUT_BYTES,
    BadTranscript,
    TranscribedPart,
    join_parts,
    parse_part,
)
from handlers.meetings.bedrock_summarize.workflow_event import SummaryOutcome, SummaryRequest, SummaryResult
from handlers.meetings.meeting_store import MeetingStore
from handlers.meetings.metrics import INPUT_TOKENS, OUTPUT_TOKENS, MeetingMetric, MeetingMetrics
from handlers.meetings.summary_errors import StorageFailed, SummaryFailed, TranscriptMissing, TranscriptUnreadable

FINISH_SECONDS = 10.0
"""Kept for writing what was found."""
MAX_TRANSCRIPT_BYTES = 32 * 1024**2
MAX_SUMMARY_BYTES = 4 * 1024**2
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class SummarySettings:
    """How a transcript is read, and by whom."""

    summary_model: str
    action_model: str
    manner: Manner
    part_characters: int
    overlap_characters: int

    @property
    def style(self) -> QuestionStyle:
        """How a part is asked about: one model reads it twice, and two models once each."""
        return QuestionStyle(self.manner, transcript_cached=self.summary_model == self.action_model)


@dataclass(frozen=True)
class _PartResult:
    """What came of a part."""

    summary: str
    verified: VerifiedItems
    malformed: int
    tokens: SummaryTokens


@dataclass(frozen=True)
class Summarizer:
    """Summarises meetings."""

    store: MeetingStore
    metrics: MeetingMetrics
    models: ModelAccess
    settings: SummarySettings
    parallel: Parallel
    log: EventLog

    def summarize(self, asked: SummaryRequest, remaining_ms: int) -> SummaryResult:
        """What came of a recording; raises SummaryFailed."""
        key_hash = hashed(asked.recording.summary_key)
        begun = self.models.timing.now()
        try:
            result = self._find_or_summarize(asked, begun + remaining_ms / 1000 - FINISH_SECONDS)
        except SummaryFailed as failed:
            self.log.warning("summary_failed", key_hash=key_hash, error_type=type(failed).__name__, cause=str(failed))
            raise
        self.log.info(
            "summary_ready",
            key_hash=key_hash,
            outcome=result.outcome.value,
            action_items=result.action_items,
            dropped=result.dropped,
            milliseconds=round((self.models.timing.now() - begun) * 1000),
        )
        return result

    def _find_or_summarize(self, asked: SummaryRequest, deadline: float) -> SummaryResult:
        found = self._read_summary(asked)
        if found is not None:
            return _summary_result(asked, found, made=False)
        transcript = self._read_or_join_transcript(asked)
        if not transcript.said:
            return SummaryResult(outcome=SummaryOutcome.NOTHING_SAID, transcript_key=asked.recording.transcript_key)
        interview = StoredAnswers(self.models, self.store, asked.recording, deadline)
        summary = self._summarize_transcript(transcript, interview)
        if not self.store.write_new(asked.recording.summary_key, summary.model_dump_json(by_alias=True)):
            # Another one was quicker: that is the summary, and its tokens are the ones that are counted.
            return _summary_result(asked, self._read_summary(asked) or summary, made=False)
        self._put_metrics(summary.tokens)
        return _summary_result(asked, summary, made=True)

    def _read_summary(self, asked: SummaryRequest) -> Summary | None:
        data = self.store.read(asked.recording.summary_key, MAX_SUMMARY_BYTES)
        return None if data is None else _parse_stored(Summary, data)

    def _read_or_join_transcript(self, asked: SummaryRequest) -> Transcript:
        """What is there, or else what the parts make."""
        recording = asked.recording
        data = self.store.read(recording.transcript_key, MAX_TRANSCRIPT_BYTES)
        if data is not None:
            return _parse_stored(Transcript, data)
        parts = (self._read_part(asked, at) for at in range(len(asked.audio)))
        transcript = _join_readable(lambda: join_parts(parts, asked.language, asked.duration_ms))
        self.store.write(recording.transcript_key, transcript.model_dump_json(by_alias=True))
        return transcript

    def _read_part(self, asked: SummaryRequest, at: int) -> tuple[TranscriptSegment, ...]:
        output = self.store.read(asked.recording.part_transcript_key(at, asked.language), MAX_OUTPUT_BYTES)
        if output is None:
            raise TranscriptMissing("part_missing")
        part = TranscribedPart(asked.audio[at].offset_ms, asked.audio[at].duration_ms, output)
        return parse_part(part, asked.language, at + 1 if len(asked.audio) > 1 else None)

    def _summarize_transcript(self, transcript: Transcript, interview: StoredAnswers) -> Summary:
        reading = self.settings
        # Only the characters count: what is said in a part may take as long as it likes.
        sizes = Sizes(reading.part_characters, transcript.said[-1].end_ms + 1, reading.overlap_characters)
        cut = windows(transcript.said, sizes)
        place = partial(PartPosition, count=len(cut), language=transcript.language)
        parts = self.parallel.all(lambda window: self._summarize_part(window, place(window.index), interview), cut)
        summary, tokens = self._combine_summaries([part.summary for part in parts], transcript.language, interview)
        items = tuple(item.item for item in merge_items([part.verified.items for part in parts]))
        self.log.info(
            "meeting_read",
            parts=len(parts),
            action_items=len(items),
            malformed=sum(part.malformed for part in parts),
            dropped=sum(part.verified.dropped for part in parts),
        )
        return Summary(
            summary=summary,
            action_items=items,
            dropped=sum(part.verified.dropped for part in parts),
            summary_model=reading.summary_model,
            action_model=reading.action_model,
            tokens=sum_tokens([*(part.tokens for part in parts), tokens]),
        )

    def _summarize_part(
        self, window: Window[TranscriptSegment], place: PartPosition, interview: StoredAnswers
    ) -> _PartResult:
        """The summary first: where one model does both, the transcript is kept when it reads it again."""
        reading = self.settings
        summary, read = interview.answer(
            reading.summary_model, model_requests.summary_question(window, place, reading.style)
        )
        asked = model_requests.action_items_question(window, place, reading.style)
        answer, read_again = interview.answer(reading.action_model, asked)
        return _PartResult(
            summary, verify_items(answer.items, window), answer.malformed, sum_tokens([read, read_again])
        )

    def _combine_summaries(
        self, summaries: Sequence[str], language: str, interview: StoredAnswers
    ) -> tuple[str, SummaryTokens]:
        """One summary of all; of very many, groups become one each until one is left."""
        reading = self.settings
        spent: list[SummaryTokens] = []
        while len(summaries) > 1:
            shorter: list[str] = []
            for group in model_requests.group_texts(summaries, reading.part_characters):
                if len(group) == 1:
                    shorter += group
                    continue
                asked = model_requests.combination_question(group, language, reading.style)
                text, tokens = interview.answer(reading.summary_model, asked)
                shorter.append(text)
                spent.append(tokens)
            summaries = shorter
        return summaries[0], sum_tokens(spent)

    def _put_metrics(self, tokens: SummaryTokens) -> None:
        """Tells what it cost."""
        read = tokens.input_tokens + tokens.cache_read_tokens + tokens.cache_write_tokens
        measures = [
            MeetingMetric(INPUT_TOKENS, read, "Count"),
            MeetingMetric(OUTPUT_TOKENS, tokens.output_tokens, "Count"),
        ]
        self.metrics.put_or_log(measures, self.log)


def _parse_stored(model: type[M], data: bytes) -> M:
    """What was kept by this module; anything else in its place is for a person to look at."""
    try:
        return model.model_validate_json(data)
    except ValidationError:
        pass
    raise StorageFailed("unreadable")


def _join_readable(join: Callable[[], Transcript]) -> Transcript:
    try:
        return join()
    except BadTranscript as bad:
        cause = str(bad)
    raise TranscriptUnreadable(cause)


def _summary_result(asked: SummaryRequest, summary: Summary, *, made: bool) -> SummaryResult:
    return SummaryResult(
        outcome=SummaryOutcome.SUMMARIZED,
        transcript_key=asked.recording.transcript_key,
        summary_key=asked.recording.summary_key,
        action_items=len(summary.action_items),
        dropped=summary.dropped,
        **summary.tokens.model_dump(),
        made=made,
    )
