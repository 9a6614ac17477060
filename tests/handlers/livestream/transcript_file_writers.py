"""Writers of transcript files in SRT, WebVTT and the JSON of Amazon Transcribe, whose output tests read back."""

import json
from collections.abc import Sequence
from typing import Any

from handlers.livestream.transcript import Cue


def format_time(time_ms: int, decimal_mark: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{decimal_mark}{milliseconds:03}"


def srt(cues: Sequence[Cue], line_end: str = "\n") -> str:
    blocks = [
        f"{number}\n{format_time(cue.start_ms, ',')} --> {format_time(cue.end_ms, ',')}\n{cue.text}\n"
        for number, cue in enumerate(cues, 1)
    ]
    return "\n".join(blocks).replace("\n", line_end)


def webvtt(cues: Sequence[Cue], line_end: str = "\n") -> str:
    blocks = ["WEBVTT - a broadcast\n"]
    for cue in cues:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        voice = text if cue.speaker is None else f"<v {cue.speaker}>{text}</v>"
        times = f"{format_time(cue.start_ms, '.')} --> {format_time(cue.end_ms, '.')}"
        blocks.append(f"{times} align:start\n{voice}\n")
    return "\n".join(blocks).replace("\n", line_end)


def transcribe(cues: Sequence[Cue]) -> str:
    """Return the JSON of a Transcribe job. Each cue is a sentence, whose words have equal shares of its time."""
    items: list[dict[str, Any]] = []
    for cue in cues:
        words = cue.text.removesuffix(".").split(" ")
        word_ms = (cue.end_ms - cue.start_ms) // len(words)
        for index, word in enumerate(words):
            start = cue.start_ms + index * word_ms
            end = cue.end_ms if index == len(words) - 1 else start + word_ms
            speaker = {} if cue.speaker is None else {"speaker_label": cue.speaker}
            items.append(
                {
                    "type": "pronunciation",
                    "start_time": f"{start / 1000:.3f}",
                    "end_time": f"{end / 1000:.3f}",
                    "alternatives": [{"confidence": "0.99", "content": word}],
                    **speaker,
                }
            )
        items.append({"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": "."}]})
    results = {"transcripts": [{"transcript": " ".join(cue.text for cue in cues)}], "items": items}
    return json.dumps({"jobName": "one", "status": "COMPLETED", "results": results})
