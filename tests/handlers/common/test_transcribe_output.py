"""Tests of the parser for the output of Transcribe jobs."""

import json
from typing import Any

import pytest

from handlers.common.transcribe_output import (
    InvalidTranscribeOutput,
    PunctuationMark,
    TranscribedWord,
    parse_transcribe_output,
)

CANARY = "canary"
HOUR_MS = 3_600_000


def word(text: str, start: str | None = "0.5", end: str | None = "1.25", **more: Any) -> dict[str, Any]:
    times = {"start_time": start, "end_time": end}
    return {"type": "pronunciation", **times, "alternatives": [{"confidence": "0.9", "content": text}], **more}


def job(*items: object) -> str:
    """Return the output file of a job with these items."""
    return json.dumps({"jobName": "one", "results": {"transcripts": [], "items": items}})


def test_words_with_times_and_speakers_and_punctuation_marks_are_yielded() -> None:
    """A word without a speaker has its channel as speaker."""
    items = [
        *(word("Hi", "0", "0.699"), {"type": "punctuation", "alternatives": [{"content": "."}]}),
        word("Yes", "1", "2", speaker_label="spk_1", channel_label="ch_0"),
        word("No", "1", "2", channel_label="ch_0"),
    ]
    assert list(parse_transcribe_output(job(*items), 2_000)) == [
        *(TranscribedWord("Hi", 0, 699, None), PunctuationMark(".")),
        *(TranscribedWord("Yes", 1_000, 2_000, "spk_1"), TranscribedWord("No", 1_000, 2_000, "ch_0")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(CANARY, '{"results": {}}', "[" * 100_000, '{"results":{"items":[{"start_time":' + "9" * 5_000 + "}]}}"),
        *(job({"type": CANARY}), job({**word("a"), "alternatives": []}), job(word("\ud800"))),
        *(job(word("a", time)) for time in (None, CANARY, "-1", "1e3", "1.", "٣", "3600.001")),
        job(word("a", "0", "3600.001")),
    ],
    ids=range(15),
)
def test_a_file_that_is_not_a_job_output_or_has_invalid_times_is_refused(text: str) -> None:
    with pytest.raises(InvalidTranscribeOutput) as caught:
        list(parse_transcribe_output(text, HOUR_MS))
    assert (caught.value.args, caught.value.__context__) == ((), None), "the original exception may contain the text"
