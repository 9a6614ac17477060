"""Sample outputs of Amazon Transcribe with speaker labels."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

WORD_MS = 400
MARKS = ".,?!"


@dataclass(frozen=True)
class Turn:
    """Words of one speaker, each of the same duration."""

    speaker: str
    start_ms: int
    text: str
    """Words separated by single spaces. Punctuation follows a word directly."""

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def end_ms(self) -> int:
        return self.start_ms + len(self.words) * WORD_MS


def turns(*spoken: tuple[str, str], gap_ms: int = 300) -> tuple[Turn, ...]:
    """Return turns that follow each other."""
    turns_so_far: list[Turn] = []
    for speaker, text in spoken:
        start_ms = turns_so_far[-1].end_ms + gap_ms if turns_so_far else 0
        turns_so_far.append(Turn(speaker, start_ms, text))
    return tuple(turns_so_far)


def output(spoken_turns: Iterable[Turn]) -> bytes:
    """Return the output of a transcription job."""
    items = [item for turn in spoken_turns for at, word in enumerate(turn.words) for item in _spoken(turn, at, word)]
    results = {"transcripts": [{"transcript": ""}], "items": items}
    return json.dumps({"jobName": "one", "status": "COMPLETED", "results": results}).encode()


def length(spoken_turns: Sequence[Turn]) -> int:
    """Return the duration of the audio in milliseconds."""
    return max((turn.end_ms for turn in spoken_turns), default=0) + 500


def _spoken(turn: Turn, at: int, word: str) -> list[dict[str, Any]]:
    match = re.fullmatch(rf"(.*?)([{MARKS}]*)", word)
    assert match is not None
    start = turn.start_ms + at * WORD_MS
    pronounced = {
        "type": "pronunciation",
        "start_time": f"{start / 1000:.3f}",
        "end_time": f"{(start + WORD_MS) / 1000:.3f}",
        "alternatives": [{"confidence": "0.99", "content": match[1]}],
        "speaker_label": turn.speaker,
    }
    marks = [{"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": mark}]} for mark in match[2]]
    return [pronounced, *marks]
