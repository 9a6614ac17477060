"""Parsing of transcript events, and refusal of invalid events."""

import json
import traceback
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text.text_cleaning import remove_hidden_characters
from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import (
    MAX_ID_CHARS,
    MAX_ITEMS,
    MAX_PAYLOAD_BYTES,
    MAX_RESULTS,
    MAX_SECONDS,
    MAX_TEXT_CHARS,
    InvalidTranscriptEvent,
    Result,
    parse_results,
)
from tests.handlers.transcription.caption_samples import transcript_event, transcript_items, transcript_result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["ResultId", "StartTime", "EndTime", "IsPartial", "Alternatives"])


def test_a_result_is_read_as_it_was_sent() -> None:
    assert parse_results(transcript_event(transcript_result())) == [Result("a", "hello wor", False, 100, 1250, 0.5)]


def test_results_keep_their_order_and_finals_are_marked() -> None:
    results = parse_results(
        transcript_event(transcript_result(ResultId="b", IsPartial=False), transcript_result(ResultId="a"))
    )
    assert [(result.result_id, result.final) for result in results] == [("b", True), ("a", False)]


@pytest.mark.parametrize(
    ("flags", "share"),
    [
        ([True, True], 1.0),
        ([False, False, False], 0.0),
        ([True, False, True, False], 0.5),
        ([True, None, None, None], 0.25),
        ([None, None], None),
        ([], None),
    ],
)
def test_stability_is_the_share_of_all_items_that_are_stable(flags: list[bool | None], share: float | None) -> None:
    (result,) = parse_results(
        transcript_event(transcript_result(Alternatives=[{"Transcript": "x", "Items": transcript_items(*flags)}]))
    )
    assert result.stability == share


@pytest.mark.parametrize(
    "empty", [[], None, [{}], [{"Transcript": ""}], [{"Transcript": None}], [{"Transcript": " \n"}]]
)
def test_a_result_without_a_text_is_skipped(empty: Any) -> None:
    assert [
        result.text
        for result in parse_results(transcript_event(transcript_result(Alternatives=empty), transcript_result("next")))
    ] == ["next"]


def test_only_the_first_alternative_counts_and_an_event_can_have_no_results() -> None:
    (result,) = parse_results(
        transcript_event(transcript_result(Alternatives=[{"Transcript": "one"}, {"Transcript": "two"}]))
    )
    assert result.text == "one"
    assert parse_results(transcript_event()) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"canary",
        b"\xff\xfe",
        b"null",
        b'{"Transcript": {"Results": ["canary"]}}',
        b'{"Transcript": {"Results": []}} canary',
        b'{"Transcript": "canary',
        b'{"Transcript": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        transcript_event() + b" " * MAX_PAYLOAD_BYTES,
    ],
    ids=lambda payload: payload[:40].decode(errors="replace"),
)
def test_an_invalid_event_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidTranscriptEvent) as error:
        parse_results(payload)
    assert error.value.__context__ is None, "a chained exception would contain the payload"


@pytest.mark.parametrize(
    "changes",
    [
        *({"ResultId": wrong} for wrong in (..., "", 7, "canary" * MAX_ID_CHARS, "\ud800")),
        *({"IsPartial": wrong} for wrong in (..., "canary")),
        *({"StartTime": wrong} for wrong in (..., "canary", True, -0.001, float("nan"))),
        *({"EndTime": wrong} for wrong in (float("inf"), MAX_SECONDS + 1, 10**400, 0.05)),
        {"Alternatives": ["canary"]},
        {"Alternatives": [{"Transcript": "canary" * MAX_TEXT_CHARS}]},
        {"Alternatives": [{"Transcript": "canary \udc00"}]},
        {"Alternatives": [{"Transcript": "canary", "Items": [{"Stable": 1}]}]},
        {"Alternatives": [{"Transcript": "canary", "Items": [{}] * (MAX_ITEMS + 1)}]},
    ],
    ids=lambda changes: str(changes)[:60].encode("ascii", "backslashreplace").decode(),
)
def test_an_invalid_result_is_refused_and_not_repeated(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTranscriptEvent) as error:
        parse_results(transcript_event(transcript_result(), transcript_result(**changes)))
    assert "canary" not in "".join(traceback.format_exception_only(error.value))
    assert error.value.__context__ is None


def test_the_largest_allowed_event_is_read() -> None:
    largest = transcript_result(ResultId="i" * MAX_ID_CHARS, EndTime=MAX_SECONDS)
    largest["Alternatives"] = [{"Transcript": "t" * MAX_TEXT_CHARS, "Items": [{"Stable": True}] * MAX_ITEMS}]
    assert len(parse_results(transcript_event(largest))) == 1
    assert len(parse_results(transcript_event(*[transcript_result()] * MAX_RESULTS))) == MAX_RESULTS
    with pytest.raises(InvalidTranscriptEvent):
        parse_results(transcript_event(*[transcript_result()] * (MAX_RESULTS + 1)))


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_value_is_read_or_refused(payload: bytes) -> None:
    with suppress(InvalidTranscriptEvent):
        assert parse_results(payload) == []


@given(FIELDS, JSON)
def test_any_field_can_have_any_value(name: str, value: Any) -> None:
    try:
        results = parse_results(transcript_event(transcript_result(**{name: value})))
    except InvalidTranscriptEvent:
        return
    for result in results:
        assert result.text
        assert 0 <= result.start_ms <= result.end_ms
        (result.result_id + result.text).encode()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_every_text_is_returned_with_its_visible_characters(text: str) -> None:
    visible = remove_hidden_characters(text).strip()
    assert [result.text for result in parse_results(transcript_event(transcript_result(text)))] == (
        [visible] if visible else []
    )
