"""What Amazon Transcribe writes of a recording: text, items with their times, and who said what. Pure.

https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html. A voice is a speaker, numbered as they
come; a pause or another voice ends a segment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local.emulation.speech.tone_words import Pause, SpokenWord

CONFIDENCE = "0.998"


@dataclass
class SpeakerSegment:
    """What one speaker says in one go."""

    speaker: str
    words: list[SpokenWord] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As it is written."""
        first, *rest = (word.text for word in self.words)
        return f"{' '.join([first.capitalize(), *rest])}."


def make_segments(heard: Iterable[SpokenWord | Pause], most: int) -> list[SpeakerSegment]:
    """What was said, in its order; of more voices than `most`, the last ones count as one."""
    found: list[SpeakerSegment] = []
    voices: list[int | None] = []
    begun = False
    for one in heard:
        if isinstance(one, Pause):
            begun = False
            continue
        if one.pitch not in voices:
            voices.append(one.pitch)
        speaker = f"spk_{min(voices.index(one.pitch), max(most, 1) - 1)}"
        if not begun or found[-1].speaker != speaker:
            found.append(SpeakerSegment(speaker))
            begun = True
        found[-1].words.append(one)
    return found


def make_document(name: str, account: str, said: list[SpeakerSegment], *, labelled: bool) -> dict[str, Any]:
    """The whole of it; who speaks is in it where somebody asked."""
    items: list[dict[str, Any]] = []
    for segment in said:
        items += _items(segment, len(items), labelled=labelled)
    results: dict[str, Any] = {"transcripts": [{"transcript": " ".join(one.text for one in said)}], "items": items}
    if labelled:
        results["speaker_labels"] = {
            "segments": [_labels(one) for one in said],
            "channel_label": "ch_0",
            "speakers": len({one.speaker for one in said}),
        }
    return {"jobName": name, "accountId": account, "status": "COMPLETED", "results": results}


def _items(segment: SpeakerSegment, first: int, *, labelled: bool) -> list[dict[str, Any]]:
    label = {"speaker_label": segment.speaker} if labelled else {}
    written = segment.text.removesuffix(".").split()
    spoken = [
        {
            "id": first + at,
            "type": "pronunciation",
            "alternatives": [{"confidence": CONFIDENCE, "content": text}],
            "start_time": _time(word.start),
            "end_time": _time(word.end),
            **label,
        }
        for at, (word, text) in enumerate(zip(segment.words, written, strict=True))
    ]
    stop = {"alternatives": [{"confidence": "0.0", "content": "."}]}
    return [*spoken, {"id": first + len(spoken), "type": "punctuation", **stop, **label}]


def _labels(segment: SpeakerSegment) -> dict[str, Any]:
    own = {"speaker_label": segment.speaker}
    return {
        "start_time": _time(segment.words[0].start),
        "end_time": _time(segment.words[-1].end),
        **own,
        "items": [{**own, "start_time": _time(word.start), "end_time": _time(word.end)} for word in segment.words],
    }


def _time(seconds: float) -> str:
    return str(round(seconds, 3))
