"""Requests to the model about a meeting.

A request has three sections:

1. The prompts for all tasks: the files in `prompts/`, sorted by name.
2. The material: a window of the transcript, or summaries of windows to combine. A long transcript is divided into
   windows, which the prompts call parts.
3. A line that names the task. Its field `part` contains an id of the material, which the answer must repeat.

The prompts come first and are the same for all tasks and meetings, so that Bedrock can cache them. Claude Sonnet 5.5
and Haiku 5.5 cache texts of 512 tokens or more, and the prompts have about 1,600. If the same model writes the summary
and lists the action items of a window, the material is cached too. With Sonnet 5.5, writing a token to the cache costs
1.25 times the price of an input token without caching, and reading a token from the cache costs 0.05 times this price.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from handlers.common.bedrock import (
    CACHE_POINT,
    ContentBlock,
    ConverseRequest,
    ModelQuestion,
    build_correction,
    build_request,
    to_json_lines,
)
from handlers.common.text import Window
from handlers.meetings.bedrock_summarize.model_answers import (
    AnswerProblem,
    ModelActionItems,
    SummaryTask,
    parse_items,
    parse_summary,
)
from handlers.meetings.bedrock_summarize.stored_transcript_models import TranscriptSegment

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
MATERIAL_ID_DIGITS = 12
T = TypeVar("T")


@dataclass(frozen=True)
class TaskQuestion(Generic[T]):
    """A question to a model, and the task that it sets, such as to find action items."""

    task: SummaryTask
    question: ModelQuestion[T]

    @property
    def digest(self) -> str:
        """Hash of the first request, before any correction. It identifies the question but not the model."""
        request = json.dumps(self.question.request(None), sort_keys=True)
        return hashlib.sha256(request.encode()).hexdigest()


@dataclass(frozen=True)
class WindowPosition:
    """Position of a window in its transcript, and the transcript's language."""

    index: int
    """Number of the window, from 0."""
    count: int
    """Number of all windows."""
    language: str


@dataclass(frozen=True)
class QuestionStyle:
    """Settings of the questions of a meeting."""

    max_tokens: int
    """Maximum length of an answer, without the tokens that the model uses for thinking."""
    transcript_cached: bool
    """True if the transcript is cached, because the same model is asked about each window twice. False also for a
    question that combines summaries, because it contains no transcript.
    """


@cache
def read_prompts() -> str:
    return "\n".join(prompt.read_text(encoding="utf-8") for prompt in sorted(PROMPTS_FOLDER.glob("*.txt")))


def summary_question(
    window: Window[TranscriptSegment], position: WindowPosition, style: QuestionStyle
) -> TaskQuestion[str]:
    """Return the question for the summary of a window."""
    material = to_json_lines(_transcript_lines(window))
    return _build_summary_question(SummaryTask.SUMMARY, material, position, style)


def action_items_question(
    window: Window[TranscriptSegment], position: WindowPosition, style: QuestionStyle
) -> TaskQuestion[ModelActionItems]:
    """Return the question for the action items of a window."""
    material = to_json_lines(_transcript_lines(window))
    material_id = _material_id(material)
    return _build_question(
        SummaryTask.ACTION_ITEMS,
        material,
        position,
        style,
        lambda text, is_last: parse_items(text, material_id, skip_malformed=is_last),
    )


def combination_question(summaries: Sequence[str], language: str, style: QuestionStyle) -> TaskQuestion[str]:
    """Return the question that combines several summaries into one."""
    material = to_json_lines({"summaryOf": number, "text": text} for number, text in enumerate(summaries))
    uncached = QuestionStyle(style.max_tokens, transcript_cached=False)
    return _build_summary_question(SummaryTask.COMBINE, material, WindowPosition(0, 1, language), uncached)


def group_texts(texts: Sequence[str], characters: int) -> tuple[tuple[str, ...], ...]:
    """Group consecutive texts, so that a group has at most this number of characters.

    A group has at least two texts, even if these two are longer. Only the last group may have a single text.
    """
    groups: list[tuple[str, ...]] = []
    group: list[str] = []
    for text in texts:
        if len(group) > 1 and sum(map(len, group)) + len(text) > characters:
            groups.append(tuple(group))
            group = []
        group.append(text)
    return (*groups, tuple(group)) if group else tuple(groups)


def _build_summary_question(
    task: SummaryTask, material: ContentBlock, position: WindowPosition, style: QuestionStyle
) -> TaskQuestion[str]:
    """Build a question of the task `summary` or `combine`. Both answers are summaries."""
    material_id = _material_id(material)
    return _build_question(
        task, material, position, style, lambda text, _is_last: parse_summary(text, task, material_id)
    )


def _build_question(
    task: SummaryTask,
    material: ContentBlock,
    position: WindowPosition,
    style: QuestionStyle,
    read: Callable[[str, bool], T],
) -> TaskQuestion[T]:
    """Build a question about the material.

    `read` parses an answer. Its second argument is True if the question is not asked again after this answer.
    """
    task_line: Mapping[str, Any] = {
        "task": task.value,
        "part": _material_id(material),
        "index": position.index,
        "count": position.count,
        "language": position.language,
    }
    content = [material, *([CACHE_POINT] if style.transcript_cached else []), to_json_lines([task_line])]

    def request(problem: StrEnum | None) -> ConverseRequest:
        return build_request(
            read_prompts(),
            [*content, *([] if problem is None else [build_correction(problem)])],
            style.max_tokens,
        )

    return TaskQuestion(task, ModelQuestion(request, read, AnswerProblem.CUT_OFF))


def _transcript_lines(window: Window[TranscriptSegment]) -> Iterator[dict[str, Any]]:
    for number, segment in enumerate(window.passages, window.first):
        # The prompts call the number of a segment `said`.
        yield {"said": number, "speaker": segment.speaker, "text": segment.text}


def _material_id(material: ContentBlock) -> str:
    """Return the id that the answer must repeat. An answer with another id is about other material."""
    return hashlib.sha256(material["text"].encode()).hexdigest()[:MATERIAL_ID_DIGITS]
