"""Parsing of one line of an uploaded file: the result is a record, or an error with the problem of the line."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.json_line_parser import MAX_DEPTH, DataProblem, InvalidLine, parse_record

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


@given(OBJECTS, st.booleans())
def test_every_object_is_read_as_it_was_written(value: dict[str, Any], is_escaped: bool) -> None:
    assert parse_record(json.dumps(value, ensure_ascii=is_escaped).encode()) == value


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xff\xfe{\x00}\x00", DataProblem.NOT_UTF8),
        (b'{"a":"\xe9"}', DataProblem.NOT_UTF8),
        (b"not json", DataProblem.NOT_JSON),
        (b'{"a":1} x', DataProblem.NOT_JSON),
        (b'{"a":NaN}', DataProblem.NOT_JSON),
        (b'{"a":-Infinity}', DataProblem.NOT_JSON),
        (b'{"a":"\x01"}', DataProblem.NOT_JSON),
        (b"[1]", DataProblem.NOT_AN_OBJECT),
        (b"null", DataProblem.NOT_AN_OBJECT),
        (b'{"a":1,"a":2}', DataProblem.DUPLICATE_NAME),
        (b'{"b":[{"a":1,"a":1}]}', DataProblem.DUPLICATE_NAME),
        (b'{"a":1e400}', DataProblem.NUMBER_OUT_OF_RANGE),
        (b'{"a":' + b"1" * 5000 + b"}", DataProblem.NUMBER_OUT_OF_RANGE),
        (b'{"a":"\\ud800"}', DataProblem.NOT_UNICODE),
        (b'{"\\uDC00":1}', DataProblem.NOT_UNICODE),
        (b'{"a":' * 200 + b"1" + b"}" * 200, DataProblem.TOO_DEEP),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", DataProblem.TOO_DEEP),
    ],
)
def test_a_line_that_is_not_a_record_has_a_reason(raw: bytes, reason: DataProblem) -> None:
    with pytest.raises(InvalidLine) as error:
        parse_record(raw)
    assert error.value.problem == reason
    assert str(error.value) == reason, "the error has the problem and no content of the line"


@pytest.mark.parametrize("raw", [b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\\\ud800"}', b' {"a":"\\u0000"} \r'])
def test_escaped_surrogate_pairs_are_valid(raw: bytes) -> None:
    assert parse_record(raw) == json.loads(raw)


def test_many_brackets_on_one_level_are_not_too_deep() -> None:
    assert len(parse_record(b'{"a":[' + b",".join([b"[]"] * 5 * MAX_DEPTH) + b"]}")["a"]) == 5 * MAX_DEPTH


def test_a_record_of_the_maximum_depth_can_be_serialized() -> None:
    record = parse_record(b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH)
    assert json.loads(json.dumps(record)) == record
    assert sys.getrecursionlimit() > 3 * MAX_DEPTH
