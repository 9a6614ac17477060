"""Schemas for API Gateway: never stricter than the models, looser only where that is said, and nothing ignored."""

import json
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import models_json_schema

from components.blocks.gateway_schema import SCHEMAS, Converted, converted

pytestmark = pytest.mark.unit


class Model(BaseModel):
    """As the messages, but without turning one type into another: that is no rule that a schema can tell."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Cat(Model):
    kind: Literal["cat"]
    lives: Annotated[int, Field(gt=0, lt=10)]


class Dog(Model):
    kind: Literal["dog"]
    name: Annotated[str, Field(min_length=1, max_length=3)]


class Exact(Model):
    """Every rule of it can be told."""

    a: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=5)]
    b: Annotated[int, Field(ge=-1, le=2)] = 0
    c: Annotated[float, Field(gt=0, le=1)] = 1
    d: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=2)] = []
    e: Literal["x", "y"] = "x"
    f: Annotated[Cat | Dog, Field(discriminator="kind")] | bool = False
    g: dict[str, int] = {}
    h: list[Cat] = []


class Closed(Model):
    model_config = ConfigDict(extra="forbid")

    a: bool


class Loose(Model):
    """What of it cannot be told is listed."""

    a: Annotated[str, Field(min_length=2)] | None = None
    b: Literal["x", "y"] | None = None
    c: Cat | None = None
    when: datetime = datetime(2026, 1, 1)  # noqa: DTZ001
    d: int | str | None = None


def schemas(*models: type[BaseModel]) -> dict[str, Any]:
    _, found = models_json_schema([(one, "validation") for one in models], ref_template=f"{SCHEMAS}{{model}}")
    return dict(found["$defs"])


@cache
def known(model: type[BaseModel]) -> tuple[Converted, jsonschema.Draft4Validator]:
    """Converted and checked once: examples are hundreds, models five."""
    found = converted(schemas(model))
    return found, validator(found, model.__name__)


def validator(found: Converted, name: str) -> jsonschema.Draft4Validator:
    jsonschema.Draft4Validator.check_schema(found.schemas[name])
    whole = {**found.schemas[name], "components": {"schemas": found.schemas}}
    return jsonschema.Draft4Validator(whole)


def wrong_fields(model: type[BaseModel], value: Any) -> set[str] | None:
    """Fields that the model refuses in a body, which is read as handlers read it; none where it takes the value."""
    try:
        model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        return {str((*one["loc"], "")[0]) for one in error.errors()}
    return None


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.floats(-1, 2, allow_nan=False),
    st.sampled_from(["", "x", "y", "cat", "dog", "abc", "ABC", "abcdef"]),
)
KEYS = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "kind", "lives", "name", "other", "when"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
CAT = st.fixed_dictionaries({"kind": st.just("cat") | SCALARS, "lives": SCALARS})
OBJECTS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"a": st.just("abc") | SCALARS},
        optional={
            "b": SCALARS,
            "c": SCALARS | CAT,
            "d": st.lists(SCALARS, max_size=3) | SCALARS,
            "e": SCALARS,
            "f": CAT | SCALARS,
            "g": st.dictionaries(KEYS, SCALARS, max_size=2),
            "h": st.lists(CAT, max_size=2),
        },
    ),
)


@pytest.mark.parametrize("model", [Exact, Closed, Cat, Dog])
@settings(deadline=None, max_examples=300)
@given(value=OBJECTS)
def test_what_the_model_refuses_the_gateway_refuses(model: type[BaseModel], value: Any) -> None:
    found, checks = known(model)
    assert found.looser == {}
    valid = checks.is_valid(value)
    if wrong_fields(model, value) is not None:
        assert not valid
    elif not has_whole_float(value):
        assert valid, "the gateway must not refuse what the model takes"


def has_whole_float(value: Any) -> bool:
    """1.0 is an integer to the model, and none to draft 4; over HTTP clients write 1."""
    if isinstance(value, dict):
        return any(has_whole_float(one) for one in value.values())
    if isinstance(value, list):
        return any(has_whole_float(one) for one in value)
    return isinstance(value, float) and value.is_integer()


@settings(deadline=None, max_examples=300)
@given(value=OBJECTS)
@example({"when": 0})
def test_what_the_gateway_lets_through_beyond_the_model_is_listed(value: Any) -> None:
    found, checks = known(Loose)
    assert set(found.looser) == {"Loose.a", "Loose.b", "Loose.c", "Loose.d", "Loose.when"}
    valid = checks.is_valid(value)
    wrong = wrong_fields(Loose, value)
    if wrong is None:
        assert valid or has_whole_float(value)
    elif valid:
        assert {f"Loose.{one}" for one in wrong} <= set(found.looser)


def test_a_value_that_may_be_null_keeps_its_other_rules() -> None:
    made = converted(schemas(Loose)).schemas["Loose"]["properties"]
    assert made["a"] == {"minLength": 2}
    assert made["b"] == made["c"] == made["d"] == {}


def test_bounds_that_are_out_are_said_as_draft_4_says_them() -> None:
    made = converted(schemas(Cat)).schemas["Cat"]["properties"]["lives"]
    assert made == {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 10, "exclusiveMaximum": True}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"minimum": 3, "exclusiveMinimum": 5}, {"minimum": 5, "exclusiveMinimum": True}),
        ({"exclusiveMinimum": 5, "minimum": 5}, {"minimum": 5, "exclusiveMinimum": True}),
        ({"exclusiveMinimum": 5, "minimum": 7}, {"minimum": 7}),
        ({"exclusiveMaximum": 5, "maximum": 3}, {"maximum": 3}),
        ({"maximum": 7, "exclusiveMaximum": 5}, {"maximum": 5, "exclusiveMaximum": True}),
        ({"const": "x", "title": "X"}, {"enum": ["x"]}),
        ({"type": ["string", "null"], "maxLength": 2}, {"maxLength": 2}),
        ({"enum": ["a", None]}, {}),
        ({"type": "string", "format": "date-time", "examples": ["x"], "default": "y"}, {"type": "string"}),
        ({"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/B-Input"}]}, {"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/BInput"}]}),
        ({"additionalProperties": True, "items": True}, {"additionalProperties": True, "items": {}}),
        ({"prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2}, {"minItems": 2, "maxItems": 2, "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
    ],
    ids=str,
)  # fmt: skip
def test_every_keyword_is_converted_kept_or_left_out(given: dict[str, Any], made: dict[str, Any]) -> None:
    assert converted({"A": given}).schemas == {"A": made}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"patternProperties": {}}, "keyword 'patternProperties'"),
        ({"properties": {"x": {"propertyNames": {}}}}, r"A\.x: .* keyword 'propertyNames'"),
        ({"items": {"if": {}}}, r"A\[\]: .* keyword 'if'"),
        ({"anyOf": [{"contains": {}}]}, "keyword 'contains'"),
        ({"additionalProperties": {"$anchor": "x"}}, r"A\.\*: .*anchor"),
        ({"nullable": True}, "keyword 'nullable'"),
        ({"type": "null"}, "always null"),
        ({"const": None}, "always null"),
        ({"items": False}, "takes nothing"),
        ({"$ref": "https://example.com/x"}, "has no place"),
        ({"$ref": "#/components/schemas/B", "minLength": 1}, "minLength"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}], "maxLength": 1}, "maxLength"),
        ({"prefixItems": [{}], "items": {}}, "a tuple"),
        ({"prefixItems": [{}], "minItems": 1}, "a tuple"),
        ({"pattern": "(?P<x>a)"}, "expressions"),
        ({"pattern": r"a\Z"}, "expressions"),
        ({"pattern": "(?i)a"}, "expressions"),
    ],
    ids=str,
)
def test_what_the_gateway_would_ignore_is_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        converted({"A": given})


def test_names_are_letters_and_digits_and_stay_apart() -> None:
    assert set(converted({"A-Input": {}, "B_1": {}}).schemas) == {"AInput", "B1"}
    with pytest.raises(ValueError, match="another schema is called 'AInput'"):
        converted({"A-Input": {}, "AInput": {}})
