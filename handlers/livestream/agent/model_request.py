"""What the model is asked about a window: a request of Bedrock's Converse, without the model's name. Pure.

It decides what is told, and in which order: the fixed part first and a cache point behind it, then what is remembered,
then the window's cues. Each is a JSON object on a line of its own, so that nothing which somebody said can end the
line it stands in. The answer is asked for as JSON text and not as a call of a tool: any model can be set, and not all
of them can be made to call one; the form is checked in either case, and a broken one is asked for again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from handlers.common.bedrock import converse
from handlers.common.bedrock.converse import ConverseRequest, Guardrail, InferenceOptions, to_json_lines
from handlers.common.bedrock.model_questions import build_correction
from handlers.common.text.text_cleaning import clean_text
from handlers.common.text.text_windows import Window
from handlers.livestream.agent.model_instructions import INSTRUCTIONS
from handlers.livestream.transcript.cues import Cue

MAX_MEMORIES = 10
MAX_MEMORY_CHARACTERS = 4_000
"""Of what was found in a window, and then of what was said in it."""


@dataclass(frozen=True)
class MemoryEvent:
    """Something that was recorded earlier."""

    event_id: str
    text: str = field(repr=False)
    window_id: str | None = None
    """The window that it was recorded of."""


@dataclass(frozen=True)
class Asking:
    """How the model is asked."""

    max_tokens: int
    clip_min_ms: int
    clip_max_ms: int
    guardrail: Guardrail | None = None
    answer_seconds: int = 50
    """How long an answer may take."""


def told(events: Sequence[MemoryEvent], others: Collection[str]) -> tuple[MemoryEvent, ...]:
    """What of the recalled events the model is told: the latest, cut down, and of windows no more than `others` gave.

    Not what this very window did, nor one of an earlier upload: its words may be the same, and no source of themselves.
    """
    kept = [
        MemoryEvent(event.event_id, clean_text(event.text[:MAX_MEMORY_CHARACTERS]), event.window_id)
        for event in events
        if event.window_id is None or event.window_id in others
    ]
    return tuple([event for event in kept if event.text][-MAX_MEMORIES:])


def request(
    asking: Asking,
    window: Window[Cue],
    window_id: str,
    count: int,
    memories: Sequence[MemoryEvent],
    problem: StrEnum | None = None,
) -> ConverseRequest:
    """The question; with `problem`, the one after an answer that could not be used."""
    head = {
        "window": window_id,
        "index": window.index,
        "count": count,
        "clipMinMs": asking.clip_min_ms,
        "clipMaxMs": asking.clip_max_ms,
    }
    content = [to_json_lines([head])]
    if memories:
        content.append(to_json_lines({"memory": event.event_id, "text": event.text} for event in memories))
    content.append(to_json_lines(_cues(window)))
    if problem is not None:
        content.append(build_correction(problem))
    return converse.build_request(INSTRUCTIONS, content, InferenceOptions(asking.max_tokens, asking.guardrail))


def cue_id(number: int) -> str:
    """How a cue is named as a source."""
    return f"cue-{number}"


def _cues(window: Window[Cue]) -> Iterator[dict[str, Any]]:
    for number, cue in enumerate(window.passages, window.first):
        line = {"cue": number, "id": cue_id(number), "startMs": cue.start_ms, "endMs": cue.end_ms}
        speaker = {} if cue.speaker is None else {"speaker": cue.speaker}
        yield line | speaker | {"text": cue.text}
