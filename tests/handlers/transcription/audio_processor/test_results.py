"""Tests of the parser for transcript events, the JSON messages in which Amazon Transcribe sends results.

A result is a piece of recognised speech. Its stability is the share of its items (words and punctuation marks) that
Amazon Transcribe marks as stable. An invalid event is refused with an exception that contains nothing of it, for
example not the word "canary".
"""

import json
import traceback
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text import remove_hidden_characters
from handlers.transcription.audio_processor.results import (
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

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
RESULT_FIELDS = st.sampled_from(["ResultId", "StartTime", "EndTime", "IsPartial", "Alternatives"])


def test_every_field_of_a_result_is_read() -> None:
    expected = Result("a", "hello wor", final=False, start_ms=100, end_ms=1250, stability=0.5)
    assert parse_results(transcript_event(transcript_result())) == [expected]


def test_results_keep_their_order_and_finals_are_marked() -> None:
    results = parse_results(
        transcript_event(transcript_result(ResultId="b", IsPartial=False), transcript_result(ResultId="a"))
    )
    assert [(result.result_id, result.final) for result in results] == [("b", True), ("a", False)]


@pytest.mark.parametrize(
    ("marks", "stability"),
    [
        ([True, True], 1.0),
        ([False, False, False], 0.0),
        ([True, False, True, False], 0.5),
        ([True, None, None, None], 0.25),
        ([None, None], None),
        ([], None),
    ],
)
def test_stability_is_the_share_of_all_items_that_are_stable(marks: list[bool | None], stability: float | None) -> None:
    (result,) = parse_results(
        transcript_event(transcript_result(Alternatives=[{"Transcript": "x", "Items": transcript_items(*marks)}]))
    )
    assert result.stability == stability


@pytest.mark.parametrize(
    "alternatives", [[], None, [{}], [{"Transcript": ""}], [{"Transcript": None}], [{"Transcript": " \n"}]]
)
def test_a_partial_without_a_text_is_skipped(alternatives: Any) -> None:
    event = transcript_event(transcript_result(Alternatives=alternatives), transcript_result("next"))
    assert [result.text for result in parse_results(event)] == ["next"]


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
    assert error.value.__context__ is None, "a chained exception would contain parts of the payload"


@pytest.mark.parametrize(
    "changes",
    [  # `...` omits the field.
        *({"ResultId": value} for value in (..., "", 7, "canary" * MAX_ID_CHARS, "\ud800")),
        *({"IsPartial": value} for value in (..., "canary")),
        *({"StartTime": value} for value in (..., "canary", True, -0.001, float("nan"))),
        *({"EndTime": value} for value in (float("inf"), MAX_SECONDS + 1, 10**400, 0.05)),
        {"Alternatives": ["canary"]},
        {"Alternatives": [{"Transcript": "canary" * MAX_TEXT_CHARS}]},
        {"Alternatives": [{"Transcript": "canary \udc00"}]},
        {"Alternatives": [{"Transcript": "canary", "Items": [{"Stable": 1}]}]},
        {"Alternatives": [{"Transcript": "canary", "Items": [{}] * (MAX_ITEMS + 1)}]},
    ],
    ids=lambda changes: str(changes)[:60].encode("ascii", "backslashreplace").decode(),
)
def test_an_invalid_result_is_refused_and_its_text_is_not_in_the_exception(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTranscriptEvent) as error:
        parse_results(transcript_event(transcript_result(), transcript_result(**changes)))
    assert "canary" not in "".join(traceback.format_exception_only(error.value))
    assert error.value.__context__ is None


def test_the_largest_allowed_events_are_read_and_a_larger_one_is_refused() -> None:
    largest = transcript_result(ResultId="i" * MAX_ID_CHARS, EndTime=MAX_SECONDS)
    largest["Alternatives"] = [{"Transcript": "t" * MAX_TEXT_CHARS, "Items": [{"Stable": True}] * MAX_ITEMS}]
    assert len(parse_results(transcript_event(largest))) == 1
    assert len(parse_results(transcript_event(*[transcript_result()] * MAX_RESULTS))) == MAX_RESULTS
    with pytest.raises(InvalidTranscriptEvent):
        parse_results(transcript_event(*[transcript_result()] * (MAX_RESULTS + 1)))


@given(st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    with suppress(InvalidTranscriptEvent):
        assert parse_results(payload) == [], "by chance, no payload has the form of a result"


@given(RESULT_FIELDS, JSON_VALUES)
def test_a_result_with_any_value_in_a_field_is_refused_or_is_valid(name: str, value: Any) -> None:
    with suppress(InvalidTranscriptEvent):
        for result in parse_results(transcript_event(transcript_result(**{name: value}))):
            assert result.text
            assert 0 <= result.start_ms <= result.end_ms
            (result.result_id + result.text).encode()  # raises an exception for a surrogate


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_every_text_is_returned_with_its_visible_characters(text: str) -> None:
    visible = remove_hidden_characters(text).strip()
    assert [result.text for result in parse_results(transcript_event(transcript_result(text)))] == (
        [visible] if visible else []
    )
