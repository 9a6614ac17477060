"""Tests of the patterns and values of local metric filters, applied to JSON log events."""

from typing import Any

import pytest

from local.emulation.cloudwatch.log_metric_patterns import (
    UnsupportedPattern,
    metric_value,
    parse_log_event,
    parse_pattern,
)
from tests.whole_program import ONE_WORKER, graph


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        ('{ $.message = "sweep" }', {"message": "sweep"}, True),
        ('{ $.message = "sweep" }', {"message": "sweeps"}, False),
        ('{ $.message = "sweep" }', {}, False),
        ('{ $.code != "A" }', {"code": "B"}, True),
        ('{ $.code != "A" }', {"code": "A"}, False),
        ('{ $.a = "1" || $.b = "1" && $.c = "1" }', {"a": "1"}, True),
        ('{ ($.a = "1" || $.b = "1") && $.c = "1" }', {"a": "1"}, False),
        ('{ ($.a = "1" || $.b = "1") && $.c = "1" }', {"b": "1", "c": "1"}, True),
        ('{ $.record.type = "x" }', {"record": {"type": "x"}}, True),
        ('{ $.record.type = "x" }', {"record": "x"}, False),
    ],
)
def test_a_pattern_compares_fields_and_combines_the_comparisons(
    pattern: str, event: dict[str, Any], matches: bool
) -> None:
    assert parse_pattern(pattern)(event) is matches


@pytest.mark.parametrize("pattern", ["", "ERROR", "{ $.a }", "{ $.a > 1 }", '{ $.a = "1" ', '{ $.a = "1" } $.b'])
def test_an_unsupported_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern):
        parse_pattern(pattern)


@ONE_WORKER
def test_every_pattern_of_the_program_is_supported() -> None:
    patterns = [
        resource.inputs["pattern"] for resource in graph("local").customs() if resource.kind == "LogMetricFilter"
    ]
    assert len(patterns) > 20
    assert all(parse_pattern(pattern)({"message": "other"}) is False for pattern in patterns)


@pytest.mark.parametrize(
    ("value", "event", "expected"),
    [
        ("1", {}, 1),
        ("$.failed", {"failed": 3}, 3),
        ("$.a.b", {"a": {"b": 0.5}}, 0.5),
        ("$.failed", {}, None),
        ("$.failed", {"failed": "many"}, None),
        ("$.failed", {"failed": {}}, None),
    ],
)
def test_the_value_of_a_metric_is_a_constant_or_a_numeric_field(
    value: str, event: dict[str, Any], expected: float | None
) -> None:
    assert metric_value(value, event) == expected


@pytest.mark.parametrize("line", ["START RequestId: 1", "", "{broken", "[1]"])
def test_a_line_that_is_no_json_object_is_no_event(line: str) -> None:
    assert parse_log_event(line) is None
    assert parse_log_event('{"a": 1}') == {"a": 1}
