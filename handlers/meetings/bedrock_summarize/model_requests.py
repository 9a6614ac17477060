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
from handlers.common.bedrock.converse import CACHE_POINT, ContentBlock, ConverseRequest, InferenceOptions, to_json_lines
from handlers.common.bedrock.model_questions import ModelQuestion, build_correction
from handlers.common.text.text_windows import Window
from handlers.meetings.bedrock_summarize.model_answers import Items, Problem, Task, items_of, summary_of
from handlers.meetings.bedrock_summarize.transcript import Said

PROMPTS = Path(__file__).parent / "prompts"
PART_DIGITS = 12
T = TypeVar("T")


@dataclass(frozen=True)
class Asked(Generic[T]):
    """One task."""

    task: Task
    question: ModelQuestion[T]

    @property
    def name(self) -> str:
        """The same for the same question, whenever it is asked; without what the model is called."""
        whole = json.dumps(self.question.request(None), sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()


@dataclass(frozen=True)
class Place:
    """Which part of which meeting."""

    index: int
    count: int
    language: str


@dataclass(frozen=True)
class Style:
    """How all questions are asked."""

    manner: InferenceOptions
    transcript_kept: bool
    """Whether a transcript is asked about again by the same model."""


@cache
def instructions() -> str:
    """The fixed part of every question."""
    return "\n".join(one.read_text(encoding="utf-8") for one in sorted(PROMPTS.glob("*.txt")))


def summary(window: Window[Said], place: Place, style: Style) -> Asked[str]:
    """Asks for the summary of a part."""
    material = to_json_lines(_said(window))
    read = partial(_summary, task=Task.SUMMARY, part=_name(material))
    return _asked(Task.SUMMARY, material, place, style, read)


def action_items(window: Window[Said], place: Place, style: Style) -> Asked[Items]:
    """Asks for the action items of a part."""
    material = to_json_lines(_said(window))
    return _asked(Task.ACTION_ITEMS, material, place, style, partial(_items, part=_name(material)))


def combination(summaries: Sequence[str], language: str, style: Style) -> Asked[str]:
    """Asks for one summary of several."""
    material = to_json_lines({"summaryOf": number, "text": text} for number, text in enumerate(summaries))
    read = partial(_summary, task=Task.COMBINE, part=_name(material))
    once = Style(style.manner, transcript_kept=False)
    return _asked(Task.COMBINE, material, Place(0, 1, language), once, read)


def groups(texts: Sequence[str], characters: int) -> tuple[tuple[str, ...], ...]:
    """Texts in groups of so many characters at most, in their order; never one alone but at the end."""
    found: list[tuple[str, ...]] = []
    group: list[str] = []
    for text in texts:
        if len(group) > 1 and sum(map(len, group)) + len(text) > characters:
            found.append(tuple(group))
            group = []
        group.append(text)
    return (*found, tuple(group)) if group else tuple(found)


def _asked(task: Task, material: ContentBlock, place: Place, style: Style, read: Callable[[str, bool], T]) -> Asked[T]:
    head: Mapping[str, Any] = {
        "task": task.value,
        "part": _name(material),
        "index": place.index,
        "count": place.count,
        "language": place.language,
    }
    content = [material, *([CACHE_POINT] if style.transcript_kept else []), to_json_lines([head])]

    def request(problem: StrEnum | None) -> ConverseRequest:
        return converse.build_request(
            instructions(), [*content, *([] if problem is None else [build_correction(problem)])], style.manner
        )

    return Asked(task, ModelQuestion(request, read, Problem.CUT_OFF))


def _said(window: Window[Said]) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(window.passages, window.first):
        yield {"said": number, "speaker": one.speaker, "text": one.text}


def _name(material: ContentBlock) -> str:
    """What the answer must name, so that it is no other material's."""
    return hashlib.sha256(material["text"].encode()).hexdigest()[:PART_DIGITS]


def _summary(text: str, _last: bool, *, task: Task, part: str) -> str:
    return summary_of(text, task, part)


def _items(text: str, last: bool, *, part: str) -> Items:
    return items_of(text, part, patient=last)
