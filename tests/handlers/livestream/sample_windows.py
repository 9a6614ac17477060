"""A window of a broadcast, and how a model is asked about it, for tests of what comes of it."""

from typing import Any

from handlers.common.text.text_windows import Window, WindowSizes
from handlers.livestream.agent.model_answer import Answer, SaidClaim, SaidClip
from handlers.livestream.agent.model_request import Asking
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.window_queue import messages

CUES = (
    Cue(10_000, 14_000, "Well, good evening.", "Ann"),
    Cue(14_000, 20_000, "We ran 600 ferries last spring.", "Ann"),
    Cue(20_000, 26_000, "The annual report has 410 ferries!", "Bob"),
    Cue(26_000, 40_000, "That is the highest number ever.", "Ann"),
)
FIRST = 30
WINDOW = Window(index=2, first=FIRST, core_count=3, passages=CUES)
EPISODE = "01HZXW3V9K8Q2M4N6P8R0T2V4X"
[MESSAGE] = messages(
    "everybody", EPISODE, f"transcripts/everybody/{EPISODE}/one.srt", "v1", 1, WindowSizes(60, 60_000, 10)
)
ASKING = Asking(max_tokens=3_000, clip_min_ms=5_000, clip_max_ms=20_000)
MEMORY = "0000001731#ab12"


def claim(quote: str = "We ran 600 ferries", **changed: Any) -> SaidClaim:
    whole = {"quote": quote, "statement": "They did.", "verdict": "refuted", "confidence": 0.8, "sources": [MEMORY]}
    return SaidClaim.model_validate({**whole, **changed})


def clip(start_ms: int, end_ms: int, **changed: Any) -> SaidClip:
    return SaidClip.model_validate({"startMs": start_ms, "endMs": end_ms, "title": "Ferries", **changed})


def answer(*items: SaidClaim | SaidClip) -> Answer:
    return Answer(
        tuple(one for one in items if isinstance(one, SaidClaim)),
        tuple(one for one in items if isinstance(one, SaidClip)),
    )
