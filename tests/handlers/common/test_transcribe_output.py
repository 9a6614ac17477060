"""Tests of the parser for the output of Transcribe jobs."""

import json
from typing import Any

import pytest

from handlers.common.transcribe_output import MAX_PAUSE_MS, InvalidTranscribeOutput, Speech, read_speeches

CANARY = "canary"
HOUR_MS = 3_600_000


def word(text: str, start: str | None = "0.5", end: str | None = "1.25", **more: Any) -> dict[str, Any]:
    times = {"start_time": start, "end_time": end}
    return {"type": "pronunciation", **times, "alternatives": [{"confidence": "0.9", "content": text}], **more}


def job(*items: object) -> str:
    """Return the output file of a job with these items."""
    return json.dumps({"jobName": "one", "results": {"transcripts": [], "items": items}})


def test_words_are_joined_to_speeches_of_their_speaker_or_channel() -> None:
    items = [
        *(word("Hi", "0", "0.699"), {"type": "punctuation", "alternatives": [{"content": "."}]}),
        word("Yes", "1", "2", speaker_label="spk_1", channel_label="ch_0"),
        word("No", "1", "2", channel_label="ch_0"),
    ]
    assert list(read_speeches(job(*items), 2_000, 100, 100)) == [
        Speech(None, 0, 699, ["Hi."]),
        *(Speech("spk_1", 1_000, 2_000, ["Yes"]), Speech("ch_0", 1_000, 2_000, ["No"])),
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
        list(read_speeches(text, HOUR_MS, 100, 100))
    assert (caught.value.args, caught.value.__context__) == ((), None), "the original exception may contain the text"


def test_a_speech_ends_at_its_maximum_length_at_a_pause_and_before_a_word_that_starts_earlier() -> None:
    items = [
        *(
            word("a", "0.1", "0.9"),
            word("b", "0.2", "0.3"),
            {"type": "punctuation", "alternatives": [{"content": "."}]},
        ),
        *(word("c", str((900 + MAX_PAUSE_MS) / 1000), "2.5"), word("dd", "2.5", "2.6")),
        *(word("e", "2.6", "2.7"), word("f", "0.05", "0.06"), word("g", "1.561", "2")),
    ]
    speeches = read_speeches(job(*items), HOUR_MS, max_characters=len("a b. c dd"), max_before_sentence=len("a b. c"))
    assert [(speech.start_ms, speech.end_ms, speech.words) for speech in speeches] == [
        *((100, 2_600, ["a", "b.", "c", "dd"]), (2_600, 2_700, ["e"]), (50, 60, ["f"]), (1_561, 2_000, ["g"]))
    ]
