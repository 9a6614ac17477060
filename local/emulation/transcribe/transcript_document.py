"""Creates the JSON document with the transcript of a recording, in the form of Amazon Transcribe's batch jobs.

Each recognised line becomes a segment, which has one speaker.
https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html
"""

from collections.abc import Sequence
from typing import Any

from local.emulation.speech.recognition import SpokenLine
from local.emulation.speech.transcript_items import TranscriptItem, join_items, split_items, time_items

CONFIDENCE = "0.998"


def make_document(
    name: str, account: str, lines: Sequence[SpokenLine], speakers: Sequence[int] | None
) -> dict[str, Any]:
    """Return the document of the job `name`. `speakers` has a number for each line, if the job requested labels."""
    labels = [{} if speakers is None else {"speaker_label": f"spk_{speakers[at]}"} for at in range(len(lines))]
    segments = [time_items(split_items(line.text), line) for line in lines]
    labelled_items = [(item, label) for segment, label in zip(segments, labels, strict=True) for item in segment]
    results: dict[str, Any] = {
        "transcripts": [{"transcript": " ".join(join_items([item.content for item in items]) for items in segments)}],
        "items": [{"id": at, **_to_item(item), **label} for at, (item, label) in enumerate(labelled_items)],
    }
    if speakers is not None:
        results["speaker_labels"] = {
            "segments": [
                {**_format_times(line), **label, "items": [{**label, **_format_times(item)} for item in _words(items)]}
                for line, items, label in zip(lines, segments, labels, strict=True)
            ],
            "channel_label": "ch_0",
            "speakers": len(set(speakers)),
        }
    return {"jobName": name, "accountId": account, "status": "COMPLETED", "results": results}


def _to_item(item: TranscriptItem) -> dict[str, Any]:
    if item.is_punctuation:
        return {"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": item.content}]}
    alternatives = [{"confidence": CONFIDENCE, "content": item.content}]
    return {"type": "pronunciation", "alternatives": alternatives, **_format_times(item)}


def _words(items: Sequence[TranscriptItem]) -> list[TranscriptItem]:
    return [item for item in items if not item.is_punctuation]


def _format_times(part: SpokenLine | TranscriptItem) -> dict[str, str]:
    return {"start_time": str(round(part.start, 3)), "end_time": str(round(part.end, 3))}
