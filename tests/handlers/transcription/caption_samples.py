"""Sample results of Amazon Transcribe, caption thresholds, and a client's display, for tests of captions.

A result is a piece of recognised speech. It comes in several versions: first partials, which may still change, then a
final.
"""

import json
from typing import Any

from handlers.transcription.audio_processor.captions.caption_decisions import Caption, CaptionKind
from handlers.transcription.audio_processor.results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds, SessionSettings

DEFAULT_THRESHOLDS = CaptionThresholds()
"""A partial is shown at once from the stability 0.85 on. Otherwise, it is shown when its text has not changed for 2 s,
or after at most 5 s. A result that gets no final becomes an orphan after 15 s: its last partial is shown as a final. At
most 5 partials are shown in a second. No text is repeated within 10 s."""


def thresholds(**changes: Any) -> CaptionThresholds:
    """Return the default thresholds with some changes."""
    return DEFAULT_THRESHOLDS.for_session(SessionSettings(**changes))


def partial(result_id: str, text: str, stability: float | None = 1.0, *, start_ms: int = 0) -> Result:
    """Return a partial. `stability` is the share of its words that are marked as stable, or None without any marks."""
    return Result(result_id, text, final=False, start_ms=start_ms, end_ms=start_ms + 500, stability=stability)


def final(result_id: str, text: str, *, start_ms: int = 0) -> Result:
    return Result(result_id, text, final=True, start_ms=start_ms, end_ms=start_ms + 500, stability=None)


def as_tuples(captions: list[Caption]) -> list[tuple[str, str, str]]:
    """Return the kind, result id and text of each caption."""
    return [(caption.kind.value, caption.result_id, caption.text) for caption in captions]


class ClientDisplay:
    """Lines that a client shows: the last caption of each result, unless it was removed."""

    def __init__(self) -> None:
        self.lines: dict[str, Caption] = {}

    def apply(self, captions: list[Caption]) -> None:
        for caption in captions:
            if caption.kind is CaptionKind.RETRACTED:
                del self.lines[caption.result_id]
            else:
                self.lines[caption.result_id] = caption


def transcript_items(*marks: bool | None) -> list[dict[str, Any]]:
    """Return words as Amazon Transcribe sends them, with these marks of stability. None stands for no mark."""
    unmarked = {"Content": "word", "Type": "pronunciation", "StartTime": 0.1, "EndTime": 0.2, "Confidence": 0.9}
    return [unmarked if mark is None else {**unmarked, "Stable": mark} for mark in marks]


def transcript_result(text: str = "hello wor", **changes: Any) -> dict[str, Any]:
    """Return a result as Amazon Transcribe sends it. A field that is changed to `...` is omitted."""
    fields = {
        "ResultId": "a",
        "StartTime": 0.1,
        "EndTime": 1.25,
        "IsPartial": True,
        "ChannelId": "ch_0",
        "Alternatives": [{"Transcript": text, "Items": transcript_items(True, False), "Entities": []}],
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def transcript_event(*results: Any) -> bytes:
    """Return the payload of a TranscriptEvent."""
    return json.dumps({"Transcript": {"Results": list(results)}, "Other": 1}).encode()
