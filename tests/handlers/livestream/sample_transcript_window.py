"""Sample window of a transcript, its queue message, request settings, and builders of the model's answers.

A window is a section of a transcript that is analyzed with one model request. Its last cue is the overlap, which the
next window repeats. The cues before it are the core.
"""

from typing import Any

from handlers.common.text import Window, WindowSizes
from handlers.livestream.fact_check_agent.model_answer import AnsweredClaim, AnsweredClip, WindowAnswer
from handlers.livestream.fact_check_agent.model_request import RequestSettings
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.transcript_window_queue import window_messages

CUES = (
    Cue(10_000, 14_000, "Well, good evening.", "Ann"),
    Cue(14_000, 20_000, "We ran 600 ferries last spring.", "Ann"),
    Cue(20_000, 26_000, "The annual report has 410 ferries!", "Bob"),
    Cue(26_000, 40_000, "That is the highest number ever.", "Ann"),
)
FIRST_CUE = 30
"""Number of the window's first cue in the transcript."""
WINDOW = Window(index=2, first=FIRST_CUE, core_count=3, passages=CUES)
EPISODE = "01HZXW3V9K8Q2M4N6P8R0T2V4X"
[MESSAGE] = window_messages(
    "everybody", EPISODE, f"transcripts/everybody/{EPISODE}/one.srt", "v1", 1, WindowSizes(60, 60_000, 10)
)
SETTINGS = RequestSettings(max_tokens=3_000, clip_min_ms=5_000, clip_max_ms=20_000)
MEMORY_ID = "0000001731#ab12"
"""Id of a memory event that the sample claims name as their source."""


def claim(quote: str = "We ran 600 ferries", **changes: Any) -> AnsweredClaim:
    """Return a claim of the model's answer."""
    values = {"quote": quote, "statement": "They did.", "verdict": "refuted", "confidence": 0.8, "sources": [MEMORY_ID]}
    return AnsweredClaim.model_validate({**values, **changes})


def clip(start_ms: int, end_ms: int, **changes: Any) -> AnsweredClip:
    """Return a clip of the model's answer."""
    return AnsweredClip.model_validate({"startMs": start_ms, "endMs": end_ms, "title": "Ferries", **changes})


def answer(*items: AnsweredClaim | AnsweredClip) -> WindowAnswer:
    return WindowAnswer(
        tuple(item for item in items if isinstance(item, AnsweredClaim)),
        tuple(item for item in items if isinstance(item, AnsweredClip)),
    )
