"""What a model is asked about a meeting. Pure but for reading the prompts, which are files.

The fixed part is all prompts, in the order of their names: so it is the same for each task and meeting, is kept once a
model, and is long enough to be kept. Then come the lines of what was said, then the line that names the task. Where one
model does both tasks, a second cache point stands between: the transcript is then read at full price once.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from handlers.common.bedrock import converse
from handlers.common.bedrock.converse import CACHE_POINT, Block, Manner, Request, lines
from handlers.common.bedrock.model_questions import Question, repair
from handlers.common.text.text_windows import Window
from handlers.meetings.bedrock_summarize.model_answers import (
    AnswerProblem,
    ModelActionItems,
    SummaryTask,
    parse_items,
    parse_summary,
)
from handlers.meetings.bedrock_summarize.transcript import TranscriptSegment

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
PART_ID_DIGITS = 12
T = TypeVar("T")


@dataclass(frozen=True)
class TaskQuestion(Generic[T]):
    """One task."""

    task: SummaryTask
    question: Question[T]

    @property
    def digest(self) -> str:
        """The same for the same question, whenever it is asked; without what the model is called."""
        whole = json.dumps(self.question.request(None), sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()


@dataclass(frozen=True)
class PartPosition:
    """Which part of which meeting."""

    index: int
    count: int
    language: str


@dataclass(frozen=True)
class QuestionStyle:
    """How all questions are asked."""

    manner: Manner
    transcript_cached: bool
    """Whether a transcript is asked about again by the same model."""


@cache
def read_instructions() -> str:
    """The fixed part of every question."""
    return "\n".join(prompt.read_text(encoding="utf-8") for prompt in sorted(PROMPTS_FOLDER.glob("*.txt")))


def summary_question(window: Window[TranscriptSegment], place: PartPosition, style: QuestionStyle) -> TaskQuestion[str]:
    """Asks for the summary of a part."""
    material = lines(_transcript_lines(window))
    read = partial(_read_summary, task=SummaryTask.SUMMARY, part=_part_id(material))
    return _question(SummaryTask.SUMMARY, material, place, style, read)


def action_items_question(
    window: Window[TranscriptSegment], place: PartPosition, style: QuestionStyle
) -> TaskQuestion[ModelActionItems]:
    """Asks for the action items of a part."""
    material = lines(_transcript_lines(window))
    return _question(SummaryTask.ACTION_ITEMS, material, place, style, partial(_read_items, part=_part_id(material)))


def combination_question(summaries: Sequence[str], language: str, style: QuestionStyle) -> TaskQuestion[str]:
    """Asks for one summary of several."""
    material = lines({"summaryOf": number, "text": text} for number, text in enumerate(summaries))
    read = partial(_read_summary, task=SummaryTask.COMBINE, part=_part_id(material))
    once = QuestionStyle(style.manner, transcript_cached=False)
    return _question(SummaryTask.COMBINE, material, PartPosition(0, 1, language), once, read)


def group_texts(texts: Sequence[str], characters: int) -> tuple[tuple[str, ...], ...]:
    """Texts in groups of so many characters at most, in their order; never one alone but at the end."""
    found: list[tuple[str, ...]] = []
    group: list[str] = []
    for text in texts:
        if len(group) > 1 and sum(map(len, group)) + len(text) > characters:
            found.append(tuple(group))
            group = []
        group.append(text)
    return (*found, tuple(group)) if group else tuple(found)


def _question(
    task: SummaryTask, material: Block, place: PartPosition, style: QuestionStyle, read: Callable[[str, bool], T]
) -> TaskQuestion[T]:
    head: Mapping[str, Any] = {
        "task": task.value,
        "part": _part_id(material),
        "index": place.index,
        "count": place.count,
        "language": place.language,
    }
    content = [material, *([CACHE_POINT] if style.transcript_cached else []), lines([head])]

    def request(problem: StrEnum | None) -> Request:
        return converse.request(
            read_instructions(), [*content, *([] if problem is None else [repair(problem)])], style.manner
        )

    return TaskQuestion(task, Question(request, read, AnswerProblem.CUT_OFF))


def _transcript_lines(window: Window[TranscriptSegment]) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(window.passages, window.first):
        yield {"said": number, "speaker": one.speaker, "text": one.text}


def _part_id(material: Block) -> str:
    """What the answer must name, so that it is no other material's."""
    return hashlib.sha256(material["text"].encode()).hexdigest()[:PART_ID_DIGITS]


def _read_summary(text: str, _last: bool, *, task: SummaryTask, part: str) -> str:
    return parse_summary(text, task, part)


def _read_items(text: str, last: bool, *, part: str) -> ModelActionItems:
    return parse_items(text, part, patient=last)
