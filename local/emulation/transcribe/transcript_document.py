"""Makes the JSON document that Amazon Transcribe writes for a recording: text, items with times, and speakers.

https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html. Each pitch is a speaker, numbered in the
order of appearance. A pause or another speaker ends a segment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local.emulation.speech.tone_words import Pause, SpokenWord

CONFIDENCE = "0.998"


@dataclass
class SpeakerSegment:
    """Consecutive words of one speaker."""

    speaker: str
    words: list[SpokenWord] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The words as a written sentence."""
        first, *rest = (word.text for word in self.words)
        return f"{' '.join([first.capitalize(), *rest])}."


def make_segments(heard: Iterable[SpokenWord | Pause], max_speakers: int) -> list[SpeakerSegment]:
    """Return the segments in order. All speakers beyond the limit count as the last one."""
    segments: list[SpeakerSegment] = []
    voices: list[int | None] = []
    continues = False
    for item in heard:
        if isinstance(item, Pause):
            continues = False
            continue
        if item.pitch not in voices:
            voices.append(item.pitch)
        speaker = f"spk_{min(voices.index(item.pitch), max(max_speakers, 1) - 1)}"
        if not continues or segments[-1].speaker != speaker:
            segments.append(SpeakerSegment(speaker))
            continues = True
        segments[-1].words.append(item)
    return segments


def make_document(name: str, account: str, said: list[SpeakerSegment], *, labelled: bool) -> dict[str, Any]:
    """Return the whole document. It contains speaker labels if the job requested them."""
    items: list[dict[str, Any]] = []
    for segment in said:
        items += _items(segment, len(items), labelled=labelled)
    results: dict[str, Any] = {
        "transcripts": [{"transcript": " ".join(segment.text for segment in said)}],
        "items": items,
    }
    if labelled:
        results["speaker_labels"] = {
            "segments": [_labels(segment) for segment in said],
            "channel_label": "ch_0",
            "speakers": len({segment.speaker for segment in said}),
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
