"""Tests of the parser for transcript events, the JSON messages in which Amazon Transcribe sends results."""

import json
from typing import Any

import pytest

from handlers.transcription.audio_processor.results import Result, parse_results
from handlers.transcription.audio_processor.stream import StreamFailureCode, TranscribeStreamFailed


def items(*marks: bool | None) -> list[dict[str, Any]]:
    """Return words as Amazon Transcribe sends them, with these marks of stability. None stands for no mark."""
    unmarked = {"Content": "word", "Type": "pronunciation", "StartTime": 0.1, "EndTime": 0.2, "Confidence": 0.9}
    return [unmarked if mark is None else {**unmarked, "Stable": mark} for mark in marks]


def event(*changes: dict[str, Any]) -> bytes:
    """Return an event with one result for each of these changes of fields."""
    fields = {
        "ResultId": "a",
        "StartTime": 1.125,
        "EndTime": 1.25,
        "IsPartial": True,
        "ChannelId": "ch_0",
        "Alternatives": [{"Transcript": "hello wor", "Items": items(True, False), "Entities": []}],
    }
    return json.dumps({"Transcript": {"Results": [{**fields, **change} for change in changes]}, "Other": 1}).encode()


def test_every_field_of_each_result_is_read() -> None:
    first = Result("a", "hello wor", final=False, start_ms=1125, end_ms=1250, stability=0.5)
    second = Result("b", "one", final=True, start_ms=1125, end_ms=2000, stability=None)
    alternatives = [{"Transcript": " one\n"}, {"Transcript": "two"}]
    changes = {"ResultId": "b", "IsPartial": False, "EndTime": 2, "Alternatives": alternatives}
    assert parse_results(event({}, changes)) == [first, second]
    assert parse_results(event()) == []


@pytest.mark.parametrize(
    ("marks", "stability"),
    [
        *(([True, True], 1.0), ([False, False, False], 0.0), ([True, False, True, False], 0.5)),
        *(([True, None, None, None], 0.25), ([None, None], None), ([], None)),
    ],
)
def test_stability_is_the_share_of_all_items_that_are_stable(marks: list[bool | None], stability: float | None) -> None:
    [result] = parse_results(event({"Alternatives": [{"Transcript": "x", "Items": items(*marks)}]}))
    assert result.stability == stability


@pytest.mark.parametrize("alternatives", [[], None, [{}], [{"Transcript": None}], [{"Transcript": " \n"}]])
def test_only_a_final_can_have_no_text(alternatives: Any) -> None:
    results = parse_results(event({"Alternatives": alternatives}, {"Alternatives": alternatives, "IsPartial": False}))
    assert [(result.text, result.final) for result in results] == [("", True)]


@pytest.mark.parametrize(
    "payload",
    [
        *(b"canary", b"\xff\xfe", b"null", b'{"Transcript": {"Results": ["canary"]}}', b'{"Transcript": "canary'),
        *(event({"ResultId": 7}), event({"StartTime": "canary"})),
        *(event({"Alternatives": ["canary"]}), event({"Alternatives": [{"Transcript": "canary \udc00"}]})),
    ],
)
def test_an_invalid_event_breaks_the_stream_and_is_not_in_the_exception(payload: bytes) -> None:
    with pytest.raises(TranscribeStreamFailed) as error:
        parse_results(payload)
    assert error.value.code is StreamFailureCode.BROKEN
    assert error.value.__context__ is None, "a chained exception would contain parts of the payload"
