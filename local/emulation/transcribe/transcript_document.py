"""Creates the JSON document with the transcript of a recording, in the form of Amazon Transcribe's batch jobs.

In recordings for the local Transcribe, each word is a pair of tones, and a third tone is the voice. Words with the same
voice have the same speaker. All words without a voice also have one speaker in common. Speakers are numbered in the
order of their first words.
https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local.emulation.speech.tone_words import Pause, SpokenWord

CONFIDENCE = "0.998"


@dataclass
class SpeakerSegment:
    """Consecutive words of one speaker. A pause or another speaker begins a new segment."""

    speaker: str
    """Label of the speaker, for example `spk_0`."""
    words: list[SpokenWord] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The words as a written sentence."""
        return f"{' '.join(word.text for word in self.words).capitalize()}."


def make_segments(recognised: Iterable[SpokenWord | Pause], max_speakers: int) -> list[SpeakerSegment]:
    """Return the segments of a recording.

    If there are more than `max_speakers` speakers, the additional ones get the label of the last permitted speaker. The
    number 0 has the same effect as 1.
    """
    segments: list[SpeakerSegment] = []
    pitches: list[int | None] = []
    is_continued = False
    for item in recognised:
        if isinstance(item, Pause):
            is_continued = False
            continue
        if item.pitch not in pitches:
            pitches.append(item.pitch)
        speaker = f"spk_{min(pitches.index(item.pitch), max(max_speakers, 1) - 1)}"
        if not is_continued or segments[-1].speaker != speaker:
            segments.append(SpeakerSegment(speaker))
            is_continued = True
        segments[-1].words.append(item)
    return segments


def make_document(name: str, account: str, segments: list[SpeakerSegment], *, labelled: bool) -> dict[str, Any]:
    """Return the document of the job `name`. `labelled` is true if the job requested speaker labels."""
    items: list[dict[str, Any]] = []
    for segment in segments:
        items += _make_items(segment, len(items), labelled=labelled)
    results: dict[str, Any] = {
        "transcripts": [{"transcript": " ".join(segment.text for segment in segments)}],
        "items": items,
    }
    if labelled:
        results["speaker_labels"] = {
            "segments": [_make_labels(segment) for segment in segments],
            "channel_label": "ch_0",
            "speakers": len({segment.speaker for segment in segments}),
        }
    return {"jobName": name, "accountId": account, "status": "COMPLETED", "results": results}


def _make_items(segment: SpeakerSegment, first: int, *, labelled: bool) -> list[dict[str, Any]]:
    label = {"speaker_label": segment.speaker} if labelled else {}
    written = segment.text.removesuffix(".").split()
    spoken = [
        {
            "id": first + at,
            "type": "pronunciation",
            "alternatives": [{"confidence": CONFIDENCE, "content": text}],
            "start_time": _format_time(word.start),
            "end_time": _format_time(word.end),
            **label,
        }
        for at, (word, text) in enumerate(zip(segment.words, written, strict=True))
    ]
    stop = {"alternatives": [{"confidence": "0.0", "content": "."}]}
    return [*spoken, {"id": first + len(spoken), "type": "punctuation", **stop, **label}]


def _make_labels(segment: SpeakerSegment) -> dict[str, Any]:
    label = {"speaker_label": segment.speaker}
    return {
        "start_time": _format_time(segment.words[0].start),
        "end_time": _format_time(segment.words[-1].end),
        **label,
        "items": [
            {**label, "start_time": _format_time(word.start), "end_time": _format_time(word.end)}
            for word in segment.words
        ],
    }


def _format_time(seconds: float) -> str:
    return str(round(seconds, 3))
