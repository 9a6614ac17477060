"""Tests of the conversion to and from DynamoDB's attribute values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.records import deserialize_item, serialize_item, serialize_value

VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES))
def test_an_item_is_deserialized_to_the_same_values(values: dict[str, Any]) -> None:
    assert deserialize_item(serialize_item(values)) == values


def test_values_that_are_none_are_left_out() -> None:
    assert serialize_item({"a": None, "b": {"c": None}}) == {"b": {"M": {}}}
    assert deserialize_item({"a": {"NULL": True}}) == {"a": None}


def test_each_python_type_has_its_dynamodb_type() -> None:
    assert [serialize_value(value) for value in (True, 1, 1.5, "1", ("a",))] == [
        {"BOOL": True},
        {"N": "1"},
        {"N": "1.5"},
        {"S": "1"},
        {"L": [{"S": "a"}]},
    ]


@pytest.mark.parametrize("number", [0, -5, 10**30, 0.0, -0.5, 1e30])
def test_integers_and_floats_are_distinguished(number: float) -> None:
    assert type(deserialize_item(serialize_item({"a": number}))["a"]) is type(number)


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError):
        serialize_value(object())
