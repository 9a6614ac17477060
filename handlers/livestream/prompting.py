"""What the model is asked about a window: a request of Bedrock's Converse, without the model's name. Pure.

It decides what is told, and in which order: the fixed part first and a cache point behind it, then what is remembered,
then the window's cues. Each is a JSON object on a line of its own, so that nothing which somebody said can end the
line it stands in. The answer is asked for as JSON text and not as a call of a tool: any model can be set, and not all
of them can be made to call one; the form is checked in either case, and a broken one is asked for again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.livestream.cues import cleaned
from handlers.livestream.instructions import INSTRUCTIONS
from handlers.livestream.model_answer import Problem
from handlers.livestream.windows import Window

MAX_MEMORIES = 10
MAX_MEMORY_CHARACTERS = 4_000
_REPAIR = "Your answer to this could not be used. {problem} Answer again, in exactly the form that you were told."

Request = dict[str, Any]
"""Of Converse, without the model's name."""


@dataclass(frozen=True)
class MemoryEvent:
    """Something that was recorded earlier."""

    event_id: str
    text: str = field(repr=False)
    window_id: str | None = None
    """The window that it was recorded of."""


@dataclass(frozen=True)
class Guardrail:
    """What reads along, and may stop an answer."""

    identifier: str
    version: str


@dataclass(frozen=True)
class Asking:
    """How the model is asked."""

    max_tokens: int
    clip_min_ms: int
    clip_max_ms: int
    temperature: float | None = None
    """Not sent where there is none: some models take none."""
    guardrail: Guardrail | None = None


def told(events: Sequence[MemoryEvent], window_id: str) -> tuple[MemoryEvent, ...]:
    """What of the recalled events the model is told: the latest, cut down, and never what this very window gave."""
    others = [
        MemoryEvent(event.event_id, cleaned(event.text[:MAX_MEMORY_CHARACTERS]), event.window_id)
        for event in events
        if event.window_id != window_id
    ]
    return tuple([event for event in others if event.text][-MAX_MEMORIES:])


def request(
    asking: Asking,
    window: Window,
    window_id: str,
    count: int,
    memories: Sequence[MemoryEvent],
    problem: Problem | None = None,
) -> Request:
    """The question; with `problem`, the one after an answer that could not be used.

    That answer is not sent back: whatever broke it would be read again, and paid for.
    """
    head = {
        "window": window_id,
        "index": window.index,
        "count": count,
        "clipMinMs": asking.clip_min_ms,
        "clipMaxMs": asking.clip_max_ms,
    }
    texts = [_lines([head])]
    if memories:
        texts.append(_lines({"memory": event.event_id, "text": event.text} for event in memories))
    texts.append(_lines(_cues(window)))
    if problem is not None:
        texts.append(_REPAIR.format(problem=problem.value))
    asked: Request = {
        "system": [{"text": INSTRUCTIONS}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": [{"text": text} for text in texts]}],
        "inferenceConfig": {"maxTokens": asking.max_tokens},
    }
    if asking.temperature is not None:
        asked["inferenceConfig"]["temperature"] = asking.temperature
    if asking.guardrail is not None:
        asked["guardrailConfig"] = {
            "guardrailIdentifier": asking.guardrail.identifier,
            "guardrailVersion": asking.guardrail.version,
        }
    return asked


def cue_id(number: int) -> str:
    """How a cue is named as a source."""
    return f"cue-{number}"


def _cues(window: Window) -> Iterator[dict[str, Any]]:
    for number, cue in enumerate(window.cues, window.first):
        line = {"cue": number, "id": cue_id(number), "startMs": cue.start_ms, "endMs": cue.end_ms}
        speaker = {} if cue.speaker is None else {"speaker": cue.speaker}
        yield line | speaker | {"text": cue.text}


def _lines(objects: Any) -> str:
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in objects)
