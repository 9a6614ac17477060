"""Sample outputs of Amazon Transcribe with speaker labels."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

WORD_MS = 400
PUNCTUATION_MARKS = ".,?!"


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


def create_turns(*speakers_and_texts: tuple[str, str], gap_ms: int = 300) -> tuple[Turn, ...]:
    """Return turns that follow each other."""
    turns: list[Turn] = []
    for speaker, text in speakers_and_texts:
        start_ms = turns[-1].end_ms + gap_ms if turns else 0
        turns.append(Turn(speaker, start_ms, text))
    return tuple(turns)


def transcribe_output(turns: Iterable[Turn]) -> bytes:
    """Return the output of a transcription job for these turns."""
    items = [
        item for turn in turns for number, word in enumerate(turn.words) for item in _word_items(turn, number, word)
    ]
    results = {"transcripts": [{"transcript": ""}], "items": items}
    return json.dumps({"jobName": "one", "status": "COMPLETED", "results": results}).encode()


def audio_milliseconds(turns: Sequence[Turn]) -> int:
    """Return the duration of the audio, which ends half a second after the last turn."""
    return max((turn.end_ms for turn in turns), default=0) + 500


def _word_items(turn: Turn, number: int, word: str) -> list[dict[str, Any]]:
    """Return the items for a word of a turn and the punctuation marks after it."""
    match = re.fullmatch(rf"(.*?)([{PUNCTUATION_MARKS}]*)", word)
    assert match is not None
    start = turn.start_ms + number * WORD_MS
    pronunciation = {
        "type": "pronunciation",
        "start_time": f"{start / 1000:.3f}",
        "end_time": f"{(start + WORD_MS) / 1000:.3f}",
        "alternatives": [{"confidence": "0.99", "content": match[1]}],
        "speaker_label": turn.speaker,
    }
    marks = [{"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": mark}]} for mark in match[2]]
    return [pronunciation, *marks]
