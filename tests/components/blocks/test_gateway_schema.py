"""Schemas for API Gateway: the form and no value, never stricter than the models, looser where that is said."""

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
from pydantic_core import ErrorDetails

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


class Ruled(Model):
    """What it asks of a value's type can be told; its values are the handler's."""

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


def problems(model: type[BaseModel], value: Any) -> list[ErrorDetails]:
    """What the model refuses in a body, which is read as handlers read it."""
    try:
        model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        return error.errors()
    return []


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


VALUES_OF_RULED = {
    *("Cat.kind", "Cat.lives", "Dog.kind", "Dog.name"),
    *("Ruled.a", "Ruled.b", "Ruled.c", "Ruled.d", "Ruled.d[]", "Ruled.e"),
}


@pytest.mark.parametrize("model", [Ruled, Closed, Cat, Dog])
@settings(deadline=None, max_examples=300)
@given(value=OBJECTS)
def test_what_has_not_the_form_the_gateway_refuses_and_nothing_that_the_model_takes(
    model: type[BaseModel], value: Any
) -> None:
    found, checks = known(model)
    assert set(found.looser) <= VALUES_OF_RULED
    wrong = problems(model, value)
    if not wrong:
        assert checks.is_valid(value) or has_whole_float(value), "the gateway must not refuse what the model takes"
    elif FORM & {one["type"] for one in wrong if len(one["loc"]) == 1 and one["loc"][0] != "f"}:
        assert not checks.is_valid(value)


FORM = {"missing", "string_type", "int_type", "float_type", "bool_type", "list_type", "dict_type", "extra_forbidden"}
"""Problems of a model that are none of a value's."""


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": ""},
        {"a": "ABC"},
        {"a": "abcdef"},
        {"a": "x", "b": 3},
        {"a": "x", "c": 0},
        {"a": "x", "d": ["x", "x", "x"]},
        {"a": "x", "d": [""]},
        {"a": "x", "e": "z"},
        {"a": "x", "f": {"kind": "dog", "name": ""}},
        {"a": "x", "h": [{"kind": "dog", "lives": 10}]},
    ],
    ids=str,
)
def test_a_value_that_is_wrong_is_left_to_the_handler_which_names_its_field(wrong: dict[str, Any]) -> None:
    _, checks = known(Ruled)
    assert problems(Ruled, wrong)
    assert checks.is_valid(wrong)


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
    assert {one for one in found.looser if one.startswith("Loose.")} == LOOSE
    valid = checks.is_valid(value)
    wrong = {str((*one["loc"], "")[0]) for one in problems(Loose, value)}
    if not wrong:
        assert valid or has_whole_float(value)
    elif valid:
        assert {f"Loose.{one}" for one in wrong} <= LOOSE


LOOSE = {"Loose.a", "Loose.b", "Loose.c", "Loose.d", "Loose.when"}


def test_of_a_value_that_may_be_null_nothing_is_asked() -> None:
    made = converted(schemas(Loose)).schemas["Loose"]["properties"]
    assert made["a"] == made["b"] == made["c"] == made["d"] == {}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "integer", "minimum": 3, "exclusiveMaximum": 5}, {"type": "integer"}),
        ({"const": "x", "title": "X", "type": "string"}, {"type": "string"}),
        ({"type": ["string", "null"], "maxLength": 2}, {}),
        ({"enum": ["a", None]}, {}),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}], "discriminator": {}}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"type": "string", "format": "date-time", "examples": ["x"], "default": "y"}, {"type": "string"}),
        ({"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/B-Input"}]}, {"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/BInput"}]}),
        ({"additionalProperties": True, "items": True}, {"additionalProperties": True, "items": {}}),
        ({"prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2}, {"items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
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
        ({"items": False}, "takes nothing"),
        ({"$ref": "https://example.com/x"}, "has no place"),
        ({"$ref": "#/components/schemas/B", "required": ["x"]}, "required"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}], "required": ["x"]}, "required"),
        ({"prefixItems": [{}], "items": {}}, "a tuple"),
        ({"prefixItems": [{}], "minItems": 1}, "a tuple"),
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
