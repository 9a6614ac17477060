"""Answers of the models to questions about one recording. The answers are stored in S3.

When the workflow retries the summary function, the stored answers are used, so that no answer is paid for twice. The
key of an answer is a hash of the request and the model's id. So after a change of the prompts, the transcript, a
setting or the model, the question is asked again.

This module also decides how long to wait for a busy model, and which exception the workflow receives for a failed call.
Several threads may use one instance of `StoredAnswers`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from handlers.common.aws import TRANSIENT_FAULTS, Retrier, RetryTiming, ServiceFailed
from handlers.common.bedrock import (
    MAX_ATTEMPTS,
    LanguageModel,
    ModelQuestion,
    NoAnswer,
    TokenUsage,
    UnusableAnswer,
    ask_model,
)
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.meetings.bedrock_summarize.model_requests import TaskQuestion
from handlers.meetings.bedrock_summarize.stored_summary_models import SummaryTokens
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.s3_keys import Recording
from handlers.meetings.summary_errors import ModelBusy, ModelRefused, SummaryUnusable

BUSY_MODEL_SECONDS = 60.0
"""Time for repeating requests to a busy model, in addition to the time for the answers. After that, the function fails,
and the workflow waits before it invokes the function again. This waiting costs nothing.
"""
MAX_STORED_BYTES = 2 * 1024**2
T = TypeVar("T")


class StoredAnswer(Message):
    """A usable answer of a model, as S3 stores it."""

    schema_version: Literal[1] = 1
    text: str = Field(repr=False)
    tokens: SummaryTokens
    """Billed tokens of this answer, and of an unusable answer before it."""


@dataclass(frozen=True)
class ModelAccess:
    """The models, and the timeout, log and timing with which they are asked."""

    models: Mapping[str, LanguageModel]
    """Models by id."""
    answer_seconds: float
    """Timeout for one answer."""
    log: EventLog
    timing: RetryTiming


class StoredAnswers:
    """Answers to the questions about one recording."""

    def __init__(self, models: ModelAccess, bucket: MeetingBucket, recording: Recording, deadline: float) -> None:
        """No request is sent that may end after `deadline`, a time of the clock `models.timing.now`."""
        self._models = models
        self._bucket = bucket
        self._recording = recording
        self._deadline = deadline

    def answer(self, model_id: str, task_question: TaskQuestion[T]) -> tuple[T, SummaryTokens]:
        """Return the stored answer, or ask the model and store its answer. Raises SummaryFailed.

        The second value is the number of tokens that were billed when the model was asked.
        """
        key = self._recording.answer_key(hashlib.sha256(f"{model_id}\n{task_question.digest}".encode()).hexdigest())
        data = self._bucket.read(key, MAX_STORED_BYTES)
        if data is not None:
            try:
                stored = StoredAnswer.model_validate_json(data)
                # True, because this may be a second answer, whose malformed action items are skipped.
                return task_question.question.read(stored.text, True), stored.tokens
            except (ValidationError, UnusableAnswer):
                pass  # the rules for usable answers have changed since this answer was stored
        answer, new_answer = self._ask_model(model_id, task_question)
        self._bucket.write(key, new_answer.model_dump_json(by_alias=True))
        return answer, new_answer.tokens

    def _ask_model(self, model_id: str, task_question: TaskQuestion[T]) -> tuple[T, StoredAnswer]:
        usages: list[TokenUsage] = []

        def read(text: str, last: bool) -> tuple[T, str]:
            return task_question.question.read(text, last), text

        def record_usage(usage: TokenUsage) -> None:
            usages.append(usage)
            self._models.log.info("model_answered", task=task_question.task.value, **asdict(usage))

        question = ModelQuestion(task_question.question.request, read, task_question.question.cut_off_problem)
        answer_seconds, now = self._models.answer_seconds, self._models.timing.now()
        retrier = Retrier(
            self._models.timing, min(self._deadline, now + MAX_ATTEMPTS * answer_seconds + BUSY_MODEL_SECONDS)
        )
        try:
            result = ask_model(self._models.models[model_id], question, retrier, answer_seconds, record_usage)
        except ServiceFailed as error:
            fault = error.fault
        else:
            if isinstance(result, NoAnswer):
                raise SummaryUnusable(result) if result is NoAnswer.UNUSABLE else ModelRefused(result)
            answer, text = result
            return answer, StoredAnswer(text=text, tokens=sum_tokens(usages))
        raise ModelBusy(fault) if fault in TRANSIENT_FAULTS else ModelRefused(fault)


def sum_tokens(usages: "list[TokenUsage] | list[SummaryTokens]") -> SummaryTokens:
    """Return the sum of the tokens of several answers."""
    return SummaryTokens(
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cache_read_tokens=sum(usage.cache_read_tokens for usage in usages),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in usages),
    )
