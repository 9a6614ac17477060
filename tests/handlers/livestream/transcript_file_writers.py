"""Writers for transcript files, whose output tests read back."""

import json
from collections.abc import Sequence
from typing import Any

from handlers.livestream.transcript.cues import Cue


def stamp(moment: int, mark: str) -> str:
    seconds, milliseconds = divmod(moment, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{milliseconds:03}"


def srt(cues: Sequence[Cue], end: str = "\n") -> str:
    blocks = [
        f"{number}\n{stamp(cue.start_ms, ',')} --> {stamp(cue.end_ms, ',')}\n{cue.text}\n"
        for number, cue in enumerate(cues, 1)
    ]
    return "\n".join(blocks).replace("\n", end)


def webvtt(cues: Sequence[Cue], end: str = "\n") -> str:
    blocks = ["WEBVTT - a broadcast\n"]
    for cue in cues:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        voice = text if cue.speaker is None else f"<v {cue.speaker}>{text}</v>"
        blocks.append(f"{stamp(cue.start_ms, '.')} --> {stamp(cue.end_ms, '.')} align:start\n{voice}\n")
    return "\n".join(blocks).replace("\n", end)


def transcribe(cues: Sequence[Cue]) -> str:
    """Return the JSON of a Transcribe job. Each cue is words and a full stop; its words share its time equally."""
    items: list[dict[str, Any]] = []
    for cue in cues:
        words = cue.text.removesuffix(".").split(" ")
        share = (cue.end_ms - cue.start_ms) // len(words)
        for at, word in enumerate(words):
            start = cue.start_ms + at * share
            end = cue.end_ms if at == len(words) - 1 else start + share
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
    whole = " ".join(cue.text for cue in cues)
    return json.dumps(
        {"jobName": "one", "status": "COMPLETED", "results": {"transcripts": [{"transcript": whole}], "items": items}}
    )
