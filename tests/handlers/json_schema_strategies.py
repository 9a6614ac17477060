"""Hypothesis strategies for values of the API's JSON Schemas, both valid and invalid."""

import operator
from functools import cache
from typing import Any

import jsonschema
from hypothesis import strategies as st

from handlers.common.json_models import Message

Schema = dict[str, Any]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@cache
def schema_of(model: type[Message], *, is_answer: bool = False) -> Schema:
    """Return the JSON Schema of a model. It is cached, because many examples use few models."""
    return model.model_json_schema(mode="serialization" if is_answer else "validation")


@cache
def validator(model: type[Message], *, is_answer: bool = False) -> jsonschema.Draft202012Validator:
    """Return a validator of the model's schema. It is cached, because checking the schema takes longer than using it."""
    schema = schema_of(model, is_answer=is_answer)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@cache
def valid_values(model: type[Message]) -> st.SearchStrategy[Any]:
    """Return a strategy for values that the model's schema allows."""
    schema = schema_of(model)
    return _values(schema, schema.get("$defs", {}))


@cache
def arbitrary_values(model: type[Message]) -> st.SearchStrategy[Any]:
    """Return a strategy for arbitrary values, and for valid values with changed or missing fields."""
    names = sorted(schema_of(model)["properties"])

    def without_field(value: dict[str, Any], name: str) -> dict[str, Any]:
        return {field: content for field, content in value.items() if field != name}

    replaced_fields = st.dictionaries(st.sampled_from(names), JSON_VALUES, min_size=1, max_size=2)
    return (
        JSON_VALUES
        | st.builds(operator.or_, valid_values(model), replaced_fields)
        | st.builds(without_field, valid_values(model), st.sampled_from(names))
    )


def _values(schema: Schema, definitions: dict[str, Schema]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _values(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "anyOf" in schema:
        return st.one_of([_values(option, definitions) for option in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "string":
            return _texts(schema)
        case "array":
            return st.lists(
                _values(schema["items"], definitions),
                min_size=schema.get("minItems", 0),
                max_size=min(schema.get("maxItems", 5), 5),
            )
        case "object":
            fields = {name: _values(field_schema, definitions) for name, field_schema in schema["properties"].items()}
            required = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {name: field_schema for name, field_schema in fields.items() if name in required},
                optional={name: field_schema for name, field_schema in fields.items() if name not in required},
            )
    raise TypeError(f"No strategy exists for the type {schema['type']}")


def _texts(schema: Schema) -> st.SearchStrategy[str]:
    min_length, max_length = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    texts = st.from_regex(schema["pattern"].removesuffix("$") + r"\Z") if "pattern" in schema else st.text()
    return texts.filter(lambda text: min_length <= len(text) <= max_length)
