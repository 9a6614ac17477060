"""Questions to a model about a meeting, and the check of its answers against the transcript.

A request has three sections:

1. The prompts for all tasks: the files in `prompts/`, sorted by name.
2. The material: a window of the transcript, or summaries of windows to combine. A long transcript is divided into
   windows, which the prompts call parts.
3. A line that names the task.

The prompts come first and are the same for all tasks and meetings, so that Bedrock can cache them. If the same model
writes the summary and lists the action items of a window, the material is cached too. With Claude Sonnet 5.5, writing a
token to the cache costs 1.25 times the price of an input token without caching, and reading it costs 0.05 times this
price.

A model supports each action item, which is a task that a participant promised, with a quote. An item whose quote does
not occur in the transcript is dropped. The other items get the transcript's own wording of the quote, and its time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from handlers.common.bedrock import (
    CACHE_POINT,
    ContentBlock,
    ConverseRequest,
    ModelAnswer,
    build_request,
    keep_valid,
    parse_answer,
    to_json_lines,
)
from handlers.common.text import VISIBLE_TEXT, QuoteSearch, Window, clean_text
from handlers.meetings.bedrock_summarize.models import ActionItem, TranscriptQuote, TranscriptSegment

PROMPTS_FOLDER = Path(__file__).parent / "prompts"


class SummaryTask(StrEnum):
    """Task of a question. The first two are about a window, and the third combines the summaries of several windows."""

    SUMMARY = "summary"
    ACTION_ITEMS = "actionItems"
    COMBINE = "combine"


@cache
def read_prompts() -> str:
    return "\n".join(prompt.read_text(encoding="utf-8") for prompt in sorted(PROMPTS_FOLDER.glob("*.txt")))


def to_transcript_lines(window: Window[TranscriptSegment]) -> ContentBlock:
    """Return the segments of a window as material. The prompts call the number of a segment `said`."""
    return to_json_lines(
        {"said": number, "speaker": segment.speaker, "text": segment.text}
        for number, segment in enumerate(window.passages, window.first)
    )


def to_summary_lines(summaries: Iterable[str]) -> ContentBlock:
    """Return the summaries of windows as material."""
    return to_json_lines({"summaryOf": number, "text": text} for number, text in enumerate(summaries))


@dataclass(frozen=True)
class Question:
    """A task about some material."""

    task: SummaryTask
    material: ContentBlock
    language: str
    index: int = 0
    """Number of the window, from 0."""
    count: int = 1
    """Number of all windows."""
    material_cached: bool = False
    """True if the same model gets another question about the material, and can then read it from its cache."""

    def to_request(self, max_tokens: int) -> ConverseRequest:
        """Return the request to a model. `max_tokens` limits the answer without the model's thinking."""
        task_line = {"task": self.task.value, "index": self.index, "count": self.count, "language": self.language}
        cache_points = [CACHE_POINT] if self.material_cached else []
        return build_request(read_prompts(), [self.material, *cache_points, to_json_lines([task_line])], max_tokens)


class _SummaryAnswer(ModelAnswer):
    summary: str


class _ActionItemsAnswer(ModelAnswer):
    items: list[Any]


class ModelActionItem(ModelAnswer):
    """An action item as the model wrote it. `ActionItem` explains the fields."""

    text: Annotated[str, VISIBLE_TEXT]
    owner: str | None = None
    due: str | None = None
    quote: str
    said: int | None = None
    """Number of the segment in which the quote begins, according to the model."""


def parse_summary(text: str) -> str:
    """Return the summary of an answer, with one line per paragraph. Raises ValueError."""
    lines = parse_answer(_SummaryAnswer, text).summary.splitlines()
    paragraphs = [clean for line in lines if (clean := clean_text(line))]
    if not paragraphs:
        raise ValueError("no visible text")
    return "\n".join(paragraphs)


def parse_action_items(text: str) -> tuple[ModelActionItem, ...]:
    """Return the action items of an answer without malformed ones. Raises ValueError, also if all are malformed."""
    return keep_valid(ModelActionItem, parse_answer(_ActionItemsAnswer, text).items)


@dataclass(frozen=True)
class LocatedItem:
    """An action item and the position of its quote, by which `operations.compare_models` compares action items."""

    item: ActionItem
    first_word: tuple[int, int]
    """Position of the quote's first word: its segment in the transcript, and its word in the segment."""
    last_word: tuple[int, int]
    """Position of the quote's last word."""


def locate_items(items: Sequence[ModelActionItem], window: Window[TranscriptSegment]) -> list[LocatedItem]:
    """Return the items whose quote occurs in the window that the answer is about, in the order of the transcript."""
    search = QuoteSearch(window.passages)
    located: list[LocatedItem] = []
    for model_item in items:
        # The model's segment number helps to choose among several occurrences of the quote.
        expected_at = None if model_item.said is None else model_item.said - window.first
        match = search.find(model_item.quote, expected_at)
        if match is None:
            continue
        owner, due = (clean_text(text or "") or None for text in (model_item.owner, model_item.due))
        quote = TranscriptQuote(text=match.quote, start_ms=match.start_ms)
        item = ActionItem(text=clean_text(model_item.text), owner=owner, due=due, quote=quote)
        first_word, last_word = ((window.first + word.passage, word.word) for word in (match.first, match.last))
        located.append(LocatedItem(item, first_word, last_word))
    return sorted(located, key=lambda item: (item.first_word, item.last_word))
