"""Bedrock Converse request that asks the model for the fact claims and clips of one window of a transcript.

A window is a section of the transcript. The request contains the fixed instructions, a cache point, the agent's
memories and the window's cues, in this order. A memory has the text and findings of another window; a cue is a timed
line. Each memory and each cue is a JSON object on its own line. JSON escapes line breaks, so no text of the transcript
can pretend to be another line.

The answer is requested as JSON text and not as a tool call, because not every model that may be configured can be
forced to call a tool.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from handlers.common.bedrock import ConverseRequest, build_correction, build_request, to_json_lines
from handlers.common.text import Window, clean_text
from handlers.livestream.fact_check_agent.environment import ANSWER_SECONDS
from handlers.livestream.fact_check_agent.model_instructions import INSTRUCTIONS
from handlers.livestream.transcript.cues import Cue

MAX_MEMORIES = 10
MAX_MEMORY_CHARACTERS = 4_000
"""Maximum length of a memory. A memory consists of the findings of a window and then its text. If a memory is too long,
its end is cut off, so it loses text of the window first, and findings only if no text is left."""


@dataclass(frozen=True)
class MemoryEvent:
    """Text and findings of one window, which the agent stored in its memory. `AgentMemory` reads and creates them."""

    event_id: str
    text: str = field(repr=False)
    window_id: str | None = None
    """Id of the window that the event describes; None if the event names none."""


@dataclass(frozen=True)
class RequestSettings:
    max_tokens: int
    """Maximum number of tokens of the answer, not counting the model's thinking."""
    clip_min_ms: int
    clip_max_ms: int
    answer_seconds: int = ANSWER_SECONDS
    """Maximum time to wait for one answer."""


def select_memories(events: Sequence[MemoryEvent], other_window_ids: Collection[str]) -> tuple[MemoryEvent, ...]:
    """Return the latest memories for a request about a window, cleaned and truncated.

    `other_window_ids` are the ids of the other windows of the same transcript. Events of the window itself, or of an
    earlier upload of the transcript, are left out. They may contain the very claim that the model now finds, and the
    model could then name them as a source of that claim. An event without a window id is kept.
    """
    memories = [
        MemoryEvent(event.event_id, clean_text(event.text[:MAX_MEMORY_CHARACTERS]), event.window_id)
        for event in events
        if event.window_id is None or event.window_id in other_window_ids
    ]
    return tuple([event for event in memories if event.text][-MAX_MEMORIES:])


def window_request(
    settings: RequestSettings,
    window: Window[Cue],
    window_id: str,
    count: int,
    memories: Sequence[MemoryEvent],
    problem: StrEnum | None = None,
) -> ConverseRequest:
    """Return the request for one window of a transcript that has `count` windows. `BedrockModel` adds the model id.

    With `problem`, the request asks again and states the problem of the first answer.
    """
    window_line = {
        "window": window_id,
        "index": window.index,
        "count": count,
        "clipMinMs": settings.clip_min_ms,
        "clipMaxMs": settings.clip_max_ms,
    }
    content = [to_json_lines([window_line])]
    if memories:
        content.append(to_json_lines({"memory": event.event_id, "text": event.text} for event in memories))
    content.append(to_json_lines(_cue_lines(window)))
    if problem is not None:
        content.append(build_correction(problem))
    return build_request(INSTRUCTIONS, content, settings.max_tokens)


def cue_id(number: int) -> str:
    """Return the id by which the model names a cue as a source."""
    return f"cue-{number}"


def _cue_lines(window: Window[Cue]) -> Iterator[dict[str, Any]]:
    for number, cue in enumerate(window.passages, window.first):
        line = {"cue": number, "id": cue_id(number), "startMs": cue.start_ms, "endMs": cue.end_ms}
        speaker = {} if cue.speaker is None else {"speaker": cue.speaker}
        yield line | speaker | {"text": cue.text}
