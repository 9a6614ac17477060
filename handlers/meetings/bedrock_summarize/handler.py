"""Lambda function that summarises a meeting. The workflow of the recording invokes it after the transcription.

It joins the outputs of Amazon Transcribe, one for each part of the audio, to a transcript of segments. A segment ends when
another speaker begins, after a pause, or at the end of a sentence once the segment is long. So its time is exact within
seconds, and no segment is too long for a model request.

The transcript is divided into windows, each small enough for a request to a model. For each window, a model writes a
summary, and a model lists the action items. With several windows, a model combines the summaries into one.

The workflow may repeat the invocation for a recording. A summary that exists is not made again.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, TypeVar

import boto3

from handlers.common.aws import CONFIG, error_name, is_transient_failure
from handlers.common.bedrock import BedrockModel, NoAnswer, TokenUsage, build_client_config
from handlers.common.logging import EventLog, hash_for_log, name_for_log
from handlers.common.text import Window, WindowSizes, clean_text, split_into_windows
from handlers.common.transcribe_output import read_speeches
from handlers.meetings.bedrock_summarize import questions
from handlers.meetings.bedrock_summarize.models import (
    Summary,
    SummaryBusy,
    SummaryFailed,
    SummaryRequest,
    Transcript,
    TranscriptSegment,
)
from handlers.meetings.environment import SummaryEnvironment
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import INPUT_TOKENS, OUTPUT_TOKENS, MeetingMetrics
from handlers.meetings.recording_files import AudioPart

SENTENCE_END_CHARACTERS = 300
"""A new sentence is added to a segment only if the segment with the sentence's first word is not longer than this."""
MAX_SEGMENT_CHARACTERS = 1_000
"""A further word of a sentence is added to a segment only if the segment is then not longer than this."""
MAX_OVERRUN_MS = 5_000
"""A word may end this long after the end of its part, because encoders pad the audio and times are rounded. An output
with a later word is rejected, because it does not fit the part."""
UNKNOWN_SPEAKER = "unknown"
"""Label for words without a speaker."""
_UNSPACED = frozenset(["ja", "th", "zh"])
"""Languages that are written without spaces between words."""
T = TypeVar("T")


@dataclass(frozen=True)
class Summarizer:
    """Summariser of meetings. It reads and writes S3, asks the models, and sends metrics."""

    environment: SummaryEnvironment
    bucket: MeetingBucket
    metrics: MeetingMetrics
    models: Mapping[str, BedrockModel]
    """Models by id."""
    log: EventLog

    def summarize(self, request: SummaryRequest) -> bool:
        """Write the transcript and the summary of a recording, unless they exist. Return False if nothing was said, so
        there is no summary.
        """
        recording = request.recording
        if self.bucket.exists(recording.summary_key):
            return True
        transcript = self._join_transcript(request)
        self.bucket.write(recording.transcript_key, transcript.model_dump_json(by_alias=True))
        if not transcript.said:
            return False
        summary = self._summarize_transcript(transcript)
        self.bucket.write(recording.summary_key, summary.model_dump_json(by_alias=True))
        self.metrics.put_or_log(INPUT_TOKENS, summary.tokens.all_input_tokens, self.log)
        self.metrics.put_or_log(OUTPUT_TOKENS, summary.tokens.output_tokens, self.log)
        return True

    def _join_transcript(self, request: SummaryRequest) -> Transcript:
        """Return the transcript of the recording, which consists of the transcripts of the parts."""
        said: list[TranscriptSegment] = []
        for number, part in enumerate(request.audio):
            output = self.bucket.read(request.recording.part_transcript_key(number, request.language))
            if output is None:
                raise SummaryFailed("part_missing")
            # Amazon Transcribe numbers the speakers of each part from 0, so `spk_0` may be another person in each part.
            prefix = f"{number + 1}-" if len(request.audio) > 1 else ""
            said += parse_part(part, output, request.language, speaker_prefix=prefix)
        return Transcript(language=request.language, duration_ms=request.duration_ms, said=tuple(said))

    def _summarize_transcript(self, transcript: Transcript) -> Summary:
        # Only the characters of a window are limited, because its time limit is longer than the transcript. For operators,
        # a window is a part of the transcript, as in the setting `models.partCharacters`.
        duration_ms = transcript.said[-1].end_ms + 1
        sizes = WindowSizes(characters=self.environment.part_characters, milliseconds=duration_ms, overlap_characters=0)
        windows = split_into_windows(transcript.said, sizes)
        usages: list[TokenUsage] = []
        ask = partial(self._ask_about_window, language=transcript.language, count=len(windows), usages=usages)
        with ThreadPoolExecutor(self.environment.at_once) as pool:
            answers = list(pool.map(ask, windows))
        summaries = [summary for summary, _ in answers]
        if len(summaries) > 1:
            question = questions.Question(
                questions.SummaryTask.COMBINE, questions.to_summary_lines(summaries), transcript.language
            )
            summaries = [self._ask(self.environment.summary_model_id, question, questions.parse_summary, usages)]
        items = [
            located.item
            for window, (_, model_items) in zip(windows, answers, strict=True)
            for located in questions.locate_items(model_items, window)
        ]
        dropped = sum(len(model_items) for _, model_items in answers) - len(items)
        # An action item is dropped if the window does not contain its quote.
        self.log.info("summary_ready", parts=len(windows), action_items=len(items), dropped=dropped)
        return Summary(
            summary=summaries[0],
            action_items=tuple(items),
            dropped=dropped,
            summary_model=self.environment.summary_model_id,
            action_model=self.environment.action_model_id,
            tokens=sum(usages, start=TokenUsage()),
        )

    def _ask_about_window(
        self, window: Window[TranscriptSegment], *, language: str, count: int, usages: list[TokenUsage]
    ) -> tuple[str, tuple[questions.ModelActionItem, ...]]:
        """Request the summary and then the action items of a window.

        The requests are not concurrent, so that the second request can read the transcript from the model's cache.
        """
        summary_model, action_model = self.environment.summary_model_id, self.environment.action_model_id
        summary_question = questions.Question(
            questions.SummaryTask.SUMMARY,
            questions.to_transcript_lines(window),
            language=language,
            index=window.index,
            count=count,
            material_cached=summary_model == action_model,
        )
        summary = self._ask(summary_model, summary_question, questions.parse_summary, usages)
        action_question = replace(summary_question, task=questions.SummaryTask.ACTION_ITEMS)
        return summary, self._ask(action_model, action_question, questions.parse_action_items, usages)

    def _ask(
        self, model_id: str, question: questions.Question, parse: Callable[[str], T], usages: list[TokenUsage]
    ) -> T:
        """Return the model's answer in the form that `parse` gives it. Add the billed tokens to `usages`."""

        def report(usage: TokenUsage) -> None:
            usages.append(usage)
            self.log.info("model_answered", task=question.task, **usage.model_dump())

        return self.models[model_id].ask(question.to_request(self.environment.max_output_tokens), parse, report)


@cache
def _summarizer() -> Summarizer:
    environment = SummaryEnvironment.read()
    # Any, because the project does not install this service's type stubs for a single call.
    bedrock: Any = boto3.client("bedrock-runtime", config=build_client_config(environment.answer_seconds))
    return Summarizer(
        environment,
        MeetingBucket(boto3.client("s3", config=CONFIG), environment.bucket_name),
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        {
            model_id: BedrockModel(bedrock, model_id)
            for model_id in (environment.summary_model_id, environment.action_model_id)
        },
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, bool]:
    """Summarise the recording that the event names. Raises SummaryBusy or SummaryFailed."""
    summarizer = _summarizer()
    try:
        return {"hasSummary": summarizer.summarize(SummaryRequest.model_validate(event))}
    except Exception as error:  # noqa: BLE001 - the original error may quote the event, a transcript or an answer
        failure = to_workflow_error(error).with_traceback(error.__traceback__)
    key_hash = hash_for_log(f"{event.get('user')}/{event.get('meetingId')}")
    summarizer.log.failure(
        "summary_failed", failure, level="WARNING", key_hash=key_hash, cause=name_for_log(str(failure))
    )
    # Raised outside the except block, so that the exception has no reference to the original error.
    raise failure


def to_workflow_error(error: Exception) -> SummaryBusy | SummaryFailed:
    """Return the exception by which the workflow decides whether to retry.

    A service that refuses a request would refuse it again.
    """
    if isinstance(error, (SummaryFailed, NoAnswer)):
        return SummaryFailed(str(error))
    return (SummaryBusy if is_transient_failure(error) else SummaryFailed)(error_name(error))


def parse_part(
    part: AudioPart, output: bytes, language: str, speaker_prefix: str = ""
) -> tuple[TranscriptSegment, ...]:
    """Return the segments of a part from its output of Amazon Transcribe, in which times count from the start of the part.

    Raises InvalidTranscribeOutput or UnicodeDecodeError.
    """
    max_ms = part.duration_ms + MAX_OVERRUN_MS
    has_spaces = language.partition("-")[0] not in _UNSPACED
    return tuple(
        TranscriptSegment(
            speaker=speaker_prefix + (clean_text(speech.speaker or "") or UNKNOWN_SPEAKER),
            start_ms=part.offset_ms + min(speech.start_ms, part.duration_ms),
            end_ms=part.offset_ms + min(speech.end_ms, part.duration_ms),
            text=" ".join(speech.words) if has_spaces else _join_unspaced(speech.words),
        )
        for speech in read_speeches(output.decode(), max_ms, MAX_SEGMENT_CHARACTERS, SENTENCE_END_CHARACTERS)
    )


def _join_unspaced(words: Sequence[str]) -> str:
    """Join the words of a language without spaces. Neighbouring words in Latin letters or digits keep a space."""
    text = ""
    for word in words:
        needs_space = text[-1:].isascii() and text[-1:].isalnum() and word[0].isascii() and word[0].isalnum()
        text += f" {word}" if needs_space else word
    return text
